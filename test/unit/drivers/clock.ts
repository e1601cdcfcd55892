// Virtual time for tests: what was scheduled runs when `advance` says so, in order of time,
// and in the order of asking at one time.

export class TestClock {
  now = 0;
  private order = 0;
  private events: { readonly at: number; readonly order: number; readonly action: () => void }[] = [];

  readonly schedule = (delayMicroseconds: number, action: () => void): void => {
    this.events.push({ at: this.now + delayMicroseconds, order: this.order++, action });
  };

  /** Runs everything that is due within so many microseconds. */
  advance(microseconds: number): void {
    const until = this.now + microseconds;
    for (;;) {
      this.events.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.events[0];
      if (next === undefined || next.at > until) break;
      this.events.shift();
      this.now = next.at;
      next.action();
    }
    this.now = until;
  }
}
