// Who may touch which blocks now: writes that overlap happen one after the other, in the order in
// which they came, on every member alike; what reads or copies waits for them.
//
// - First come, first served where ranges overlap and one of the two is exclusive; so nobody starves.
// - `acquire` answers what releases it. Nothing here takes time.

export type Release = () => void;

interface Claim {
  readonly from: number;
  readonly to: number;
  readonly isExclusive: boolean;
  /** Claims that it waits for. */
  waitsFor: number;
  /** Claims that wait for it. */
  readonly waiting: Claim[];
  readonly grant: () => void;
}

export class RangeLocks {
  readonly #claims = new Set<Claim>();

  /** How many hold or wait. */
  get size(): number {
    return this.#claims.size;
  }

  acquire(block: number, blocks: number, isExclusive: boolean): Promise<Release> {
    return new Promise((resolve) => {
      const claim: Claim = {
        ...{ from: block, to: block + blocks, isExclusive, waitsFor: 0, waiting: [] },
        grant: () => resolve(() => this.#release(claim)),
      };
      for (const earlier of this.#claims)
        if (earlier.from < claim.to && claim.from < earlier.to && (earlier.isExclusive || isExclusive)) {
          earlier.waiting.push(claim);
          claim.waitsFor++;
        }
      this.#claims.add(claim);
      if (claim.waitsFor === 0) claim.grant();
    });
  }

  #release(claim: Claim): void {
    if (!this.#claims.delete(claim)) return;
    for (const next of claim.waiting) if (--next.waitsFor === 0) next.grant();
  }
}
