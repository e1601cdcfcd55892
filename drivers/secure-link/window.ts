// Which numbers of a row were seen: a message that comes a second time is not taken again.
//
// - The last 2048 numbers are known one by one; what is older than those counts as seen.
// - `fresh` only looks: a number is marked once its message has proved authentic.
// - As in RFC 6479.

const bits = 2048;
const words = bits / 32;

/** See the head of this file. */
export class ReplayWindow {
  readonly #seen = new Uint32Array(words);
  /** One more than the greatest number marked. */
  #next = 0;

  /** Was this number not seen yet, as far as can be known? */
  fresh(number: number): boolean {
    if (number >= this.#next) return true;
    if (this.#next - number > bits) return false;
    return ((this.#seen[Math.floor(number / 32) % words] ?? 0) & (1 << (number % 32))) === 0;
  }

  /** It is seen now. */
  mark(number: number): void {
    if (number >= this.#next) {
      const from = Math.max(this.#next, number - bits + 1);
      for (let each = from; each <= number; each++) this.#clear(each);
      this.#next = number + 1;
    }
    const word = Math.floor(number / 32) % words;
    this.#seen[word] = (this.#seen[word] ?? 0) | (1 << (number % 32));
  }

  #clear(number: number): void {
    const word = Math.floor(number / 32) % words;
    this.#seen[word] = (this.#seen[word] ?? 0) & ~(1 << (number % 32));
  }
}
