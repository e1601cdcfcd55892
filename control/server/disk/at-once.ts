// Lets so many calls of one kind be under way, and the others wait in the order in which they came.
//
// - A server without a free thread makes a call back off, for longer than waiting here takes.
// - Nothing is given up here: who waits is begun when it is his turn.

export class AtOnce {
  readonly #most: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async take<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next(); // it has this place
    }
  }
}
