// The only directory server of a pool: commands are executed in the order in which they come, and
// acknowledged when the store has them.

import type { Outcome } from "./commands.js";
import type { Journal } from "./journal.js";
import { type DirectoryMembers, type Order, unavailable } from "./order.js";
import type { DirectoryState } from "./state.js";

export class Alone implements Order {
  readonly #state: DirectoryState;
  readonly #journal: Journal;
  readonly #name: string;

  /** The state is that of the journal. */
  constructor(name: string, state: DirectoryState, journal: Journal) {
    this.#name = name;
    this.#state = state;
    this.#journal = journal;
  }

  async submit(command: Uint8Array): Promise<Outcome> {
    if (this.#journal.failure !== null) throw unavailable();
    const { outcome, written } = this.#state.execute(command);
    if (written !== null) this.#journal.write(written);
    await this.certain(outcome.version);
    return outcome;
  }

  isCurrent(): boolean {
    return this.#journal.failure === null;
  }

  certain(version: number): undefined | Promise<void> {
    if (this.#journal.stored.version >= version) return undefined;
    const { term, view } = this.#state.standing;
    return this.#journal.whenStored({ term, view, version }).catch(() => {
      throw unavailable();
    });
  }

  describe(): DirectoryMembers {
    const state = this.isCurrent() ? "serving" : "failed";
    return {
      ...{ schema: 1, name: this.#name, state, majority: 1, version: this.#state.standing.version },
      members: [{ name: this.#name, state: state === "serving" ? "serving" : "away" }],
    };
  }
}
