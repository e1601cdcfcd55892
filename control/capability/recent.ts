// A table of limited size, and private parts as keys in it: for what a server remembers of the
// capabilities that it has seen.
//
// - What was used longest ago goes first.
// - A private part is a key as a whole: to look one up takes as long however many of its bytes are
//   right.

/** A table of limited size; what was used longest ago goes first. */
export class Recent<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  /** The one used last: it need not be put behind the others again. */
  #latest: Key | undefined;

  constructor(private readonly most: number) {}

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined && key !== this.#latest) this.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#latest = key;
    if (this.#entries.size <= this.most) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }
}

/** A private part as a key: five characters of sixteen bits. */
export const keyOf = (part: Uint8Array): string =>
  String.fromCharCode(pair(part, 0), pair(part, 2), pair(part, 4), pair(part, 6), pair(part, 8));

const pair = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
