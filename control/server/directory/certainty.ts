// When what one of several directory servers did may be told: it is in the store of every member
// that has the group's state, a majority of the configured ones at least, and nobody else can hold
// a lease (leases.ts).
//
// - What others have stored is asked for when somebody waits for it: one question to each at a
//   time, which it answers when it has it. It flushes meanwhile, as we do.
// - At most one wait for all callers is under way, and one comes behind it (waits.ts).

import { STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import { type After, pause } from "../../group/timer.js";
import type { Journal } from "./journal.js";
import { type Grants, QUIET_MS } from "./leases.js";
import { notNow, unavailable } from "./order.js";
import type { Peer } from "./peers.js";
import { comparePositions, type Position } from "./records.js";
import type { DirectoryState } from "./state.js";
import type { Announced, Stay } from "./stay.js";
import { Waits } from "./waits.js";

/** How long an update waits for what it needs before it is said to be unknown. */
export const patienceMs = 12_000;
const askAgainMs = 60;
const storedMs = 1500;

export interface CertaintyOptions {
  readonly after: After;
  readonly now: () => number;
  readonly state: DirectoryState;
  readonly journal: Journal;
  readonly peers: readonly Peer[];
  readonly grants: Grants;
  readonly majority: number;
  readonly failed: (error: unknown) => void;
}

/** Keeps still at first, as long as leases of a former life may last. */
export class Certainties {
  readonly #options: CertaintyOptions;
  readonly #quietUntil: number;

  constructor(options: CertaintyOptions) {
    this.#options = options;
    this.#quietUntil = options.now() + QUIET_MS;
  }

  /** What is certain in a stay. */
  of(stay: Stay): Certainty {
    return new Certainty(this.#options, stay, () => this.#quietMs(stay));
  }

  /** How long until nobody who is not in the group may hold a lease that we have granted. */
  #quietMs(stay: Stay): number {
    const now = this.#options.now();
    const present = new Set(stay.present.map(({ nonce }) => nonce));
    return Math.max(this.#quietUntil - now, this.#options.grants.waitMs(present, now));
  }
}

export class Certainty {
  readonly #options: CertaintyOptions;
  readonly #stay: Stay;
  readonly #quietMs: () => number;
  readonly #waits = new Waits((version) => this.#make(version));
  /** What others have stored of the present view, by nonce. */
  readonly #stored = new Map<string, Position>();
  readonly #asking = new Set<string>();

  constructor(options: CertaintyOptions, stay: Stay, quietMs: () => number) {
    this.#options = options;
    this.#stay = stay;
    this.#quietMs = quietMs;
  }

  /** Resolves when a version is certain; undefined: it is. Rejects with Refused. */
  until(version: number): undefined | Promise<void> {
    if (this.#stay.over) return Promise.reject(notNow());
    return this.#isCertain(version) ? undefined : this.#waits.until(version);
  }

  #at(version: number): Position {
    return { term: this.#stay.term, view: this.#options.state.standing.view, version };
  }

  #isCertain(version: number): boolean {
    const { journal, majority } = this.#options;
    const { present, nonceHex } = this.#stay;
    const at = this.#at(version);
    const has = ({ nonce }: Announced): boolean => {
      const stored = nonce === nonceHex ? journal.stored : this.#stored.get(nonce);
      return stored !== undefined && comparePositions(stored, at) >= 0;
    };
    return (
      present.length >= majority &&
      present.some(({ nonce }) => nonce === nonceHex) &&
      present.every(has) &&
      this.#quietMs() <= 0
    );
  }

  async #make(version: number): Promise<void> {
    const { journal, now } = this.#options;
    const until = now() + patienceMs;
    while (!this.#isCertain(version)) {
      if (this.#stay.over || journal.failure !== null) throw notNow();
      if (now() > until) throw unavailable();
      const at = this.#at(version);
      for (const member of this.#stay.present) this.#ask(member, at);
      const quiet = this.#quietMs();
      await this.#stay.woken(quiet > 0 ? Math.ceil(quiet) : storedMs);
    }
  }

  /** Asks a member, unless it is being asked, until what it has is known. */
  #ask({ name, nonce }: Announced, at: Position): void {
    const known = this.#stored.get(nonce);
    const peer = this.#options.peers.find((each) => each.name === name);
    if (peer === undefined || this.#asking.has(nonce)) return;
    if (known !== undefined && comparePositions(known, at) >= 0) return;
    this.#asking.add(nonce);
    const done = (version: number | null) => {
      this.#asking.delete(nonce);
      if (version !== null) this.#stored.set(nonce, { ...at, version });
      this.#stay.wake();
    };
    peer.stored(at).then(async (version) => {
      if (version === null) await pause(this.#options.after, askAgainMs);
      done(version);
    }, this.#options.failed);
  }

  /** Answers such a question when we have it, or when we cannot soon. */
  async answer(at: Position): Promise<{ readonly status: number; readonly version: number }> {
    const { journal, now, state } = this.#options;
    const no = { status: STD_NOTNOW, version: 0 };
    const until = now() + storedMs;
    for (;;) {
      const { term, view } = state.standing;
      const isOurs = !this.#stay.over && this.#stay.term === at.term;
      if (!isOurs || term !== at.term || view !== at.view) return no;
      const { stored } = journal;
      const isStored = stored.term === term && stored.view === view && stored.version >= at.version;
      const quiet = this.#quietMs();
      if (isStored && quiet <= 0) return { status: STD_OK, version: stored.version };
      if (now() > until || journal.failure !== null) return no;
      await this.#stay.woken(quiet > 0 ? Math.min(Math.ceil(quiet), storedMs) : storedMs);
    }
  }
}
