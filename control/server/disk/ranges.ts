// Who may touch which blocks now: writers alone, readers together. A member has it for its medium, a
// storage for all its members, a client for what it sends again, NBD for writes of parts of blocks.
//
// - In the order in which they came: one who must wait for another is not overtaken by a third
//   who would have to wait for him. So nobody waits for ever, and of two writes to a block the one
//   that came later is the one that stays.
// - Few hold at a time, tens: a look at each of them is quicker than a tree would be.

/** A place in the order. */
export interface Hold {
  /** Ends when it is his turn; null: at once. */
  readonly ready: Promise<unknown> | null;
  release(): void;
}

interface Holder {
  readonly first: number;
  readonly end: number;
  readonly isAlone: boolean;
  /** Those who wait for it, once somebody does. */
  waiting: Promise<void> | null;
  wake: () => void;
}

export class Ranges {
  readonly #holders = new Set<Holder>();

  /** How many hold or wait. */
  get size(): number {
    return this.#holders.size;
  }

  /** As `take`, for who waits anyway; answers what gives the blocks back. */
  async acquire(first: number, count: number, isAlone: boolean): Promise<() => void> {
    const { ready, release } = this.take(first, count, isAlone);
    if (ready !== null) await ready;
    return release;
  }

  /** Asks for blocks in a row, alone or together with others who do not want them alone. */
  take(first: number, count: number, isAlone: boolean): Hold {
    const holder: Holder = { first, end: first + count, isAlone, waiting: null, wake: () => undefined };
    const before: Promise<void>[] = [];
    for (const other of this.#holders) {
      if (other.end <= first || other.first >= holder.end || !(isAlone || other.isAlone)) continue;
      other.waiting ??= new Promise((resolve) => {
        other.wake = resolve;
      });
      before.push(other.waiting);
    }
    this.#holders.add(holder);
    return {
      ready: before.length === 0 ? null : Promise.all(before),
      release: () => {
        this.#holders.delete(holder);
        holder.wake();
      },
    };
  }
}
