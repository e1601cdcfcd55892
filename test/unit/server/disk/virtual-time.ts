// Time for tests of storages: events in the order of their times, all promises settled in between.
//
// - One event, then whatever follows from it without time passing, then the next: a seed runs the same.

interface Event {
  readonly at: number;
  action: (() => void) | null;
}

export class VirtualTime {
  now = 0;
  #events: Event[] = [];

  readonly clock = (): number => this.now;

  readonly after = (milliseconds: number, action: () => void): (() => void) => {
    const event: Event = { at: this.now + Math.max(0, milliseconds), action };
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.at ?? 0) <= event.at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
    return () => {
      event.action = null;
    };
  };

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(milliseconds, resolve);
    });
  }

  /** Lets time pass until a promise has ended; rejects when it takes more virtual time than `limitMs`. */
  async during<T>(work: Promise<T>, limitMs = 120_000): Promise<T> {
    const end = this.now + limitMs;
    let isOver = false;
    const over = work.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    await settled();
    while (!isOver) {
      const event = this.#events.shift();
      if (event === undefined) throw new Error(`nothing happens any more at ${this.now} ms`);
      if (event.at > end) throw new Error(`not ended after ${limitMs} ms of virtual time`);
      this.now = event.at;
      if (event.action === null) continue;
      event.action();
      await settled();
    }
    return over;
  }

  run(milliseconds: number): Promise<void> {
    return this.during(this.pause(milliseconds), milliseconds + 1);
  }

  /** Lets time pass until a condition holds. */
  async until(isSo: () => boolean, limitMs = 120_000): Promise<void> {
    const end = this.now + limitMs;
    while (!isSo()) {
      if (this.now > end) throw new Error(`still not so after ${limitMs} ms of virtual time`);
      await this.run(20);
    }
  }
}

const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
