// Files that are not committed, as the server keeps them: which there are, what is under way with
// each, how long nobody has done anything with it.
//
// - What is done with one is done one after another: `exclusively`. A commit takes it out here;
//   so does destroying it, and the sweep that finds it idle for the tenth time.
// - What is written behind a draft's end waits a moment for what lies before it: pieces of one
//   writer overtake each other when frames are lost, or when no thread was free for one of them.
// - A draft that was made by a CREATE on a file knows that file: when it turns out the same it is
//   not a file of its own. Nobody learns so what he may not read.

import { STD_CAPBAD } from "../../../core-wasm/status.js";
import type { After } from "../../group/timer.js";
import { refuse } from "../../stub/refused.js";
import type { Draft } from "./engine.js";

/** The file that a draft may turn out to be: as its capability was when somebody showed it. */
export interface SameFile {
  readonly number: number;
  readonly generation: Uint8Array;
  readonly private: Uint8Array;
}

/** A draft and what the server knows of it. */
export class OpenFile {
  /** Sweeps in a row that found nobody at it. */
  idle = 0;
  #busy = 0;
  #last: Promise<unknown> = Promise.resolve();
  readonly #early = new Set<{ readonly position: number; readonly go: () => void }>();

  constructor(
    readonly draft: Draft,
    readonly same: SameFile | undefined,
  ) {}

  /** Whether something is under way with it. */
  get busy(): boolean {
    return this.#busy > 0;
  }

  /** Does the work when everything that came before has ended. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#busy++;
    this.idle = 0;
    const result = this.#last.then(work, work);
    const over = () => {
      this.#busy--;
      this.idle = 0;
    };
    this.#last = result.then(over, over);
    return result;
  }

  /** Ends when the draft has come to a position, or has ended, or after so many ms. */
  reaches(position: number, milliseconds: number, after: After): Promise<void> {
    return new Promise((resolve) => {
      const forget = after(milliseconds, () => waiting.go());
      const waiting = {
        position,
        go: () => {
          this.#early.delete(waiting);
          forget();
          resolve();
        },
      };
      this.#early.add(waiting);
    });
  }

  /** The draft has come to a position. */
  reached(position: number): void {
    for (const waiting of this.#early) if (waiting.position <= position) waiting.go();
  }
}

export const SWEEP_MS = 60_000;
export const IDLE_SWEEPS_MAX = 10;
/** How long a write waits for what lies before it. */
export const EARLY_MS = 100;

export class Drafts {
  readonly #open = new Map<number, OpenFile>();
  readonly #after: After;
  readonly #earlyMax: number;
  #early = 0;
  #forget: () => void = () => undefined;

  /** Begins to sweep. `earlyMax`: writes that may wait for what lies before them. */
  constructor(after: After, earlyMax: number) {
    this.#after = after;
    this.#earlyMax = earlyMax;
    const again = () => {
      this.#forget = after(SWEEP_MS, () => {
        this.#sweep();
        again();
      });
    };
    again();
  }

  get count(): number {
    return this.#open.size;
  }

  get(number: number): OpenFile | undefined {
    return this.#open.get(number);
  }

  add(draft: Draft, same?: SameFile): OpenFile {
    const open = new OpenFile(draft, same);
    this.#open.set(draft.number, open);
    return open;
  }

  /** Does work with one, unless it ended meanwhile: STD_CAPBAD. */
  use<Result>(open: OpenFile, work: () => Promise<Result>): Promise<Result> {
    return open
      .exclusively(() => (this.#isOpen(open) ? work() : refuse(STD_CAPBAD)))
      .finally(() => open.reached(this.#isOpen(open) ? open.draft.bytes : Number.POSITIVE_INFINITY));
  }

  /** Waits a moment when a position lies behind the end, and there is room to wait in. */
  async awaits(open: OpenFile, position: number): Promise<void> {
    if (position <= open.draft.bytes || this.#early >= this.#earlyMax) return;
    this.#early++;
    await open.reaches(position, EARLY_MS, this.#after);
    this.#early--;
  }

  #isOpen(open: OpenFile): boolean {
    return this.#open.get(open.draft.number) === open;
  }

  /** It became a file. */
  committed(open: OpenFile): void {
    this.#open.delete(open.draft.number);
  }

  /** Nobody gets at it any more, and its place is free. */
  discard(open: OpenFile): void {
    if (!this.#isOpen(open)) return;
    this.#open.delete(open.draft.number);
    open.draft.discard();
    open.reached(Number.POSITIVE_INFINITY);
  }

  #sweep(): void {
    for (const open of this.#open.values())
      if (!open.busy && ++open.idle >= IDLE_SWEEPS_MAX) this.discard(open);
  }

  /** No more sweeps; drafts are given up. */
  close(): void {
    this.#forget();
    for (const open of this.#open.values()) this.discard(open);
  }
}
