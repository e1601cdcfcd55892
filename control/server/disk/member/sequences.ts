// Which requests of a server a member has executed: each at most once, however often it comes.
//
// - Numbers are counted by the server within its epoch. One below `done` has ended everywhere: a
//   copy of it that comes late does nothing.
// - A copy of one that is under way shares its end. One that failed may be sent again.

export class Sequences {
  #done = 0;
  readonly #ended = new Set<number>();
  readonly #running = new Map<number, Promise<void>>();

  /** Every number below it has ended on all members. */
  get done(): number {
    return this.#done;
  }

  /** The server says how far it is; what is below is forgotten. */
  advance(done: number): void {
    if (done <= this.#done) return;
    this.#done = done;
    for (const sequence of this.#ended) if (sequence < done) this.#ended.delete(sequence);
  }

  /** Executes a request, unless it was executed. */
  once(sequence: number, execute: () => Promise<void>): Promise<void> {
    if (sequence < this.#done || this.#ended.has(sequence)) return Promise.resolve();
    const running = this.#running.get(sequence);
    if (running !== undefined) return running;
    const ending = execute().then(
      () => {
        this.#running.delete(sequence);
        if (sequence >= this.#done) this.#ended.add(sequence);
      },
      (error: unknown) => {
        this.#running.delete(sequence);
        throw error;
      },
    );
    this.#running.set(sequence, ending);
    return ending;
  }

  /** Ends when nothing is under way. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values());
  }

  /** Another epoch: the numbers begin anew. Nothing is under way. */
  restart(): void {
    this.#done = 0;
    this.#ended.clear();
  }
}
