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

/** A private part as a key. */
export function keyOf(privatePart: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0] = privatePart;
  return String.fromCharCode(a | (b << 8), c | (d << 8), e | (f << 8), g | (h << 8), i | (j << 8));
}
