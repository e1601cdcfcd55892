// The event hash: one number for everything that happened in a run, in its order.
//
// - Two 32-bit words, mixed with every frame sent and delivered, every fault and every
//   completion. Two runs that differ anywhere have different hashes (but for 2^-64).
// - Integer arithmetic only: the same on every machine. Not for secrets.

/** What an event is; mixed in first. */
export const HASH_SENT = 1;
export const HASH_DELIVERED = 2;
export const HASH_FAULT = 3;
export const HASH_COMPLETED = 4;
export const HASH_BOOT = 5;
/** What a workload thinks worth it. */
export const HASH_NOTED = 6;

export class EventHash {
  /** How many events went in. */
  count = 0;
  #a = 0x6a09e667 | 0;
  #b = 0xbb67ae85 | 0;

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x9e3779b1);
    this.#b = (Math.imul(this.#b, 0x85ebca6b) + (this.#a ^ (this.#a >>> 15))) | 0;
  }

  /** One event: its kind, when, and two numbers about it. */
  event(kind: number, at: number, one: number, two: number): void {
    this.count++;
    this.#mix(kind);
    this.#mix(at | 0);
    this.#mix(Math.floor(at / 2 ** 32));
    this.#mix(one);
    this.#mix(two);
  }

  /** The bytes of the event before, as words. */
  words(words: Int32Array, count: number): void {
    let a = this.#a;
    for (let i = 0; i < count; i++) {
      a = Math.imul(a ^ (words[i] as number), 0x9e3779b1);
      a ^= a >>> 15;
    }
    this.#a = a;
    this.#b = (Math.imul(this.#b, 0x85ebca6b) + a) | 0;
  }

  /** Text of the event before. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
  }

  /** 16 hex digits. */
  get value(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#a) + hex(this.#b);
  }
}

/** One hash of many, in their order: that of a run of several seeds. */
export function combineHashes(values: readonly string[]): string {
  if (values.length === 1) return values[0] ?? "";
  const hash = new EventHash();
  for (const value of values) hash.text(value);
  return hash.value;
}
