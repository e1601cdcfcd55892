// Work that one run does for many who wait: a flush, or the writing of a record.
//
// - Who joins waits for a run that begins after he joined, and shares it with all who joined before
//   it began. One run at a time.
// - A run that fails fails for all who share it; what becomes of the next is the work's matter.
// - Source: group commit, as databases have it (DeWitt et al., 1984).

/** A run that is to come. */
class Run {
  start: () => void = () => undefined;
  readonly ended: Promise<void>;

  constructor(work: () => Promise<void>) {
    this.ended = new Promise<void>((resolve) => {
      this.start = resolve;
    }).then(work);
  }
}

export class Batches {
  readonly #work: () => Promise<void>;
  #next: Run | null = null;
  #isRunning = false;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Whether a run is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Ends with the next run. */
  join(): Promise<void> {
    this.#next ??= new Run(() => {
      this.#next = null; // whoever comes from now on is too late for it
      return this.#work();
    });
    const { ended } = this.#next;
    if (!this.#isRunning) void this.#run();
    return ended;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let run = this.#next; run !== null; run = this.#next) {
      run.start();
      await run.ended.catch(() => undefined); // those who joined hear of it
    }
    this.#isRunning = false;
  }
}
