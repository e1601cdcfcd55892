// Waiting until something may have changed: whoever waits looks again by himself.
//
// - `fire` ends every wait that has begun; it says nothing of what has changed.

export class Signal {
  #waiting: (() => void)[] = [];

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  fire(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
