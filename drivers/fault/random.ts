// A seeded generator of random numbers, the same on every machine: xoshiro128**.
//
// - 32-bit integer arithmetic only; the seed is spread by splitmix32, so that any number
//   will do as a seed.
// - Not for secrets.
// D. Blackman, S. Vigna: Scrambled Linear Pseudorandom Number Generators, 2018.

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** An endless row of numbers that depends on nothing but the seed. */
export class SeededRandom {
  private readonly state = new Int32Array(4);

  constructor(seed: number) {
    let mix = seed | 0;
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9) | 0;
      let word = mix ^ (mix >>> 16);
      word = Math.imul(word, 0x21f0aaad);
      word ^= word >>> 15;
      word = Math.imul(word, 0x735a2d97);
      this.state[i] = word ^ (word >>> 15);
    }
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.state;
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
    const nextC = c ^ a;
    const nextD = d ^ b;
    this.state[1] = b ^ nextC;
    this.state[0] = a ^ nextD;
    this.state[2] = nextC ^ (b << 9);
    this.state[3] = rotateLeft(nextD, 11);
    return result >>> 0;
  }

  /** 0 to `limit` - 1; `limit` at most 2^32. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** True in the given share of cases; 0 and 1 draw nothing. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    if (probability >= 1) return true;
    return this.next() < probability * 2 ** 32;
  }
}
