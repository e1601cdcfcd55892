// The objects of a server: numbers, the secrets that vouch for their capabilities, ages.
//
// - Object 0 is the server itself: it is always there, holds no value and does not age.
// - Numbers are given out in turn, so that one that was destroyed does not come back soon; with
//   its secret gone, an old capability is not accepted for a new object of that number.
// - Secrets are random and never bytes that anyone could guess: originalScheme must not be given
//   one whose last five bytes are zeros (amoeba.md, 4.2).

import { PORT_BYTES } from "../../core-wasm/wire/formats.js";

interface Entry<Value> {
  readonly value: Value;
  readonly secret: Uint8Array;
  age: number;
}

export interface ObjectsOptions {
  /** So many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** Objects besides the server itself; default 65,535, at most 16,777,215. */
  readonly most?: number;
  /** Numbers are this and something from 1 to `most`; default 0. */
  readonly base?: number;
  /** AGEs that an object survives without a TOUCH; default 24. */
  readonly lifetime?: number;
}

const secretTries = 16;

export class Objects<Value> {
  /** AGEs that an object survives without a TOUCH. */
  lifetime: number;
  readonly #entries = new Map<number, Entry<Value>>();
  readonly #random: (bytes: number) => Uint8Array;
  readonly #own: Uint8Array;
  readonly #most: number;
  readonly #base: number;
  #last = 0;

  constructor({ random, most = 65535, base = 0, lifetime = 24 }: ObjectsOptions) {
    this.#random = random;
    this.#most = most;
    this.#base = base;
    this.lifetime = lifetime;
    this.#own = this.#newSecret();
  }

  #newSecret(): Uint8Array {
    for (let tries = 0; tries < secretTries; tries++) {
      const secret = this.#random(PORT_BYTES);
      if (secret.subarray(1).some((byte) => byte !== 0)) return secret;
    }
    throw new Error("the random source gives zeros");
  }

  /** The number of a new object, or undefined when there are as many as there may be. */
  add(value: Value): number | undefined {
    if (this.#entries.size >= this.#most) return undefined;
    do this.#last = (this.#last % this.#most) + 1;
    while (this.#entries.has(this.#base + this.#last));
    const number = this.#base + this.#last;
    this.#entries.set(number, { value, secret: this.#newSecret(), age: 0 });
    return number;
  }

  get(number: number): Value | undefined {
    return this.#entries.get(number)?.value;
  }

  /** What vouches for an object's capabilities; for the scheme only. */
  secret(number: number): Uint8Array | undefined {
    return number === 0 ? this.#own : this.#entries.get(number)?.secret;
  }

  /** Takes an object out; answers what it was. */
  remove(number: number): Value | undefined {
    const entry = this.#entries.get(number);
    this.#entries.delete(number);
    return entry?.value;
  }

  touch(number: number): void {
    const entry = this.#entries.get(number);
    if (entry !== undefined) entry.age = 0;
  }

  /** Makes all a step older; answers the numbers of those that are too old, and keeps them. */
  grow(): number[] {
    const old: number[] = [];
    for (const [number, entry] of this.#entries) if (++entry.age > this.lifetime) old.push(number);
    return old;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Numbers and values, in the order in which they were made. */
  *[Symbol.iterator](): Iterator<readonly [number, Value]> {
    for (const [number, { value }] of this.#entries) yield [number, value];
  }
}
