// Takes activity bits back, lazily: what is hot and idle is flushed, and one writing of the record
// takes many bits back.
//
// - A timer runs while something is hot. What fails is the member's to know: it has failed then.

import type { After } from "../../../group/timer.js";
import type { Activity } from "./activity.js";
import type { Contents } from "./contents.js";
import type { Sequences } from "./sequences.js";

/** How often it looks. */
const everyMs = 1000;

export interface CoolingOptions {
  readonly activity: Activity;
  readonly contents: Contents;
  readonly sequences: Sequences;
  readonly after: After;
  readonly now: () => number;
  /** Puts the record on the medium. */
  readonly save: () => Promise<void>;
}

export class Cooler {
  readonly #options: CoolingOptions;
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor(options: CoolingOptions) {
    this.#options = options;
  }

  /** Something is hot: it is looked at later. */
  later(): void {
    if (this.#cancel !== null || this.#isStopped) return;
    this.#cancel = this.#options.after(everyMs, () => {
      this.#cancel = null;
      this.#cool().catch(() => undefined);
    });
  }

  async #cool(): Promise<void> {
    const { activity, contents, sequences, now, save } = this.#options;
    const chosen = activity.coolable(sequences.done, now());
    if (chosen.length > 0) {
      await contents.flush();
      if (this.#isStopped) return;
      activity.cool(chosen);
      await save();
    }
    if (activity.hotCount > 0) this.later();
  }

  /** Everything has ended, the server says: all bits go, with the next writing of the record. */
  async all(): Promise<void> {
    const { activity, contents } = this.#options;
    const chosen = activity.coolable(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    await contents.flush();
    activity.cool(chosen);
  }

  /** No bit is taken back any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }
}
