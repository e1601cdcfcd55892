// Tries again after a pause, longer each time, as long as the patience for one file lasts.
//
// - Time is not read: the pauses count, not what the tries take. Without a pause there is none.

export interface PatienceOptions {
  /** Waits so many milliseconds; without it nothing is tried again. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** Pauses at most so long, all in all, for one file; default 15,000 ms. */
  readonly patienceMs?: number;
}

const pauseMs = 200;
const pauseMostMs = 2000;
const patienceDefaultMs = 15_000;

/** The patience for one file. */
export class Patience {
  readonly #options: PatienceOptions;
  #next = pauseMs;
  #waited = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** Something has come of the last try: the next pause is a short one again. */
  progressed(): void {
    this.#next = pauseMs;
  }

  /** Pauses; false, at once, when the patience has ended. */
  async wait(): Promise<boolean> {
    const { pause, patienceMs = patienceDefaultMs } = this.#options;
    const wait = this.#next;
    this.#next = Math.min(2 * wait, pauseMostMs);
    this.#waited += wait;
    if (pause === undefined || this.#waited > patienceMs) return false;
    await pause(wait);
    return true;
  }
}
