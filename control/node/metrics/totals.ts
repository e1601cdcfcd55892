// Counters that wrap at 2^32, as totals that do not: each look adds what came since the
// last one. Right as long as somebody looks at least once in 2^32 counts; the agent does
// every few seconds.

export class Totals {
  readonly #last = new Map<string, number>();
  readonly #total = new Map<string, number>();

  /** Takes a counter's value now (u32) and gives its total. */
  add(name: string, value: number): number {
    const last = this.#last.get(name) ?? 0;
    const total = (this.#total.get(name) ?? 0) + ((value - last) >>> 0);
    this.#last.set(name, value >>> 0);
    this.#total.set(name, total);
    return total;
  }
}
