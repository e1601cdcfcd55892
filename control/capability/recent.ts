// A table of limited size, for what somebody remembers and can do without.
//
// - What was used longest ago goes first.
// - Not for secrets as keys: how long it takes to find one may tell of the others.

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
