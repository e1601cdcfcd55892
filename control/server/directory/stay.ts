// One membership of a directory server in the group of all: from joining or founding to its end.
//
// - Knows which members have the group's state: those who have said who they are (announced), and
//   the number of each one's membership (its nonce).
// - What waits for something to happen in the group waits here: `woken`. What waits for the group
//   itself ends with the stay: `within`.

import type { Replica } from "../../group/replica.js";
import type { After } from "../../group/timer.js";
import { blob, list, raw, record, string, uint8 } from "../../interface/types.js";
import { toHex } from "../../kernel/bytes.js";
import type { GroupParameters } from "../../kernel/groups.js";
import type { Bundles } from "./bundles.js";
import { notNow } from "./order.js";
import { decodeAs, encodeAs } from "./records.js";

/** Of the group. */
export const directoryParameters: GroupParameters = {
  resilience: 0,
  membersMax: 16,
  logHistory: 8,
  logMessage: 14,
};

export const nonceBytes = 8;
const stateType = record({
  contents: blob(2 ** 31 - 1),
  members: list(record({ id: uint8, name: string(64), nonce: raw(nonceBytes) })),
});

/** A member of the group that has said who it is: it has the state. */
export interface Announced {
  readonly name: string;
  /** Of this membership, as hex. */
  readonly nonce: string;
}

export class Stay {
  replica: Replica | null = null;
  /** Sends this member's commands, once it has the replica. */
  bundles: Bundles | null = null;
  readonly nonceHex: string;
  /** Of the group, by id. */
  readonly #announced = new Map<number, Announced>();
  readonly #after: After;
  readonly #unanswered = new Set<() => void>();
  #waiting: (() => void)[] = [];
  #over = false;

  constructor(
    readonly term: number,
    readonly nonce: Uint8Array,
    after: After,
  ) {
    this.nonceHex = toHex(nonce);
    this.#after = after;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Those of the group who have the state, ourselves too. */
  get present(): readonly Announced[] {
    return [...this.#announced.values()];
  }

  announce(id: number, name: string, nonce: Uint8Array): void {
    this.#announced.set(id, { name, nonce: toHex(nonce) });
    this.wake();
  }

  /** Who it was, of a member that is no more. */
  forget(id: number): Announced | undefined {
    const gone = this.#announced.get(id);
    this.#announced.delete(id);
    return gone;
  }

  /** Forgets all but these. */
  keep(ids: readonly number[]): void {
    for (const id of [...this.#announced.keys()]) if (!ids.includes(id)) this.#announced.delete(id);
  }

  /** The state of the group for one who joins: that of the directories, and who is there. */
  snapshot(contents: Uint8Array): Uint8Array {
    const members = [...this.#announced].map(([id, { name, nonce }]) => {
      return { id, name, nonce: Uint8Array.from(Buffer.from(nonce, "hex")) };
    });
    return encodeAs(stateType, { contents, members });
  }

  /** Takes who is there from a snapshot; answers the state of the directories. Throws Malformed. */
  restore(snapshot: Uint8Array): Uint8Array {
    const { contents, members } = decodeAs(stateType, snapshot);
    this.#announced.clear();
    for (const { id, name, nonce } of members) this.#announced.set(id, { name, nonce: toHex(nonce) });
    return contents;
  }

  // ---- waiting ---------------------------------------------------------------------------

  /** Resolves when something happened that what is certain may depend on, or after so many milliseconds. */
  woken(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const forget = this.#after(milliseconds, resolve);
      this.#waiting.push(() => {
        forget();
        resolve();
      });
    });
  }

  wake(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  /** A promise, or the end of the stay: Refused (STD_NOTNOW). */
  within<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const end = () => reject(notNow());
      const over = () => this.#unanswered.delete(end);
      this.#unanswered.add(end);
      promise.then(resolve, reject).then(over, over);
      if (this.#over) end();
    });
  }

  end(): void {
    this.#over = true;
    for (const end of this.#unanswered) end();
    this.wake();
  }
}
