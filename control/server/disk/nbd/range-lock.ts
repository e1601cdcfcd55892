// Who may change which blocks now: a write of part of a block reads the rest of it first, and no
// other write may come in between.
//
// - Shared ranges do not hinder each other (the Disk orders what overlaps); a range that is `isAlone`
//   waits for those before it that overlap, and those after it wait for it. First come, first served.
// - Without anybody alone, which is the usual case, taking and giving back is a few pointers.

export class Range {
  /** Of the list of ranges in the order in which they came. */
  previous: Range | null = null;
  next: Range | null = null;
  /** Lets the one that waits go on; null: nobody waits. */
  go: (() => void) | null = null;

  /** Blocks from `first` up to `end`, which is not in it. */
  constructor(
    readonly first: number,
    readonly end: number,
    readonly isAlone: boolean,
  ) {}
}

export class RangeLock {
  #head: Range | null = null;
  #tail: Range | null = null;
  #alone = 0;
  #waiting = 0;

  /** Takes a range; null: it is free, else when it is. Give it back in any case. */
  take(range: Range): Promise<void> | null {
    range.previous = this.#tail;
    if (this.#tail === null) this.#head = range;
    else this.#tail.next = range;
    this.#tail = range;
    if (range.isAlone) this.#alone++;
    if (this.#alone === 0 || !this.#isHindered(range)) return null;
    this.#waiting++;
    return new Promise((resolve) => {
      range.go = resolve;
    });
  }

  give(range: Range): void {
    const { previous, next } = range;
    if (previous === null) this.#head = next;
    else previous.next = next;
    if (next === null) this.#tail = previous;
    else next.previous = previous;
    if (range.isAlone) this.#alone--;
    if (this.#waiting > 0) this.#wake(next);
  }

  #isHindered(range: Range): boolean {
    for (let other = this.#head; other !== null && other !== range; other = other.next)
      if ((other.isAlone || range.isAlone) && other.first < range.end && range.first < other.end) return true;
    return false;
  }

  #wake(from: Range | null): void {
    for (let range = from; range !== null; range = range.next) {
      const { go } = range;
      if (go === null || this.#isHindered(range)) continue;
      range.go = null;
      this.#waiting--;
      go();
    }
  }
}
