// The objects of a server: numbers, what vouches for their capabilities, ages.
//
// - ObjectTable is how the server loop and the standard operations see them; Objects is the
//   table in memory. A server whose objects lie on a medium has a table of its own.
// - Object 0 is the server itself: it is always there, holds no value and does not age.
// - Numbers are given out in turn, so that one that was destroyed does not come back soon; with
//   its generation gone, an old capability is not accepted for a new object of that number.
// - Generations are random and never bytes that anyone could guess. The original scheme takes
//   six bytes of one; it must not be given any whose last five are zeros (amoeba.md, 4.2).

import { KEYED_GENERATION_BYTES, PORT_BYTES } from "../../core-wasm/wire/formats.js";
import type { OwnGeneration } from "../capability/secrets.js";

/** The objects of a server, as the server loop and the standard operations see them. */
export interface ObjectTable<Value> {
  /** AGEs that an object survives without a TOUCH. */
  lifetime: number;
  readonly count: number;
  /** No object has a higher number. */
  readonly highest: number;
  get(object: number): Value | undefined;
  /** Eight bytes that vouch for its capabilities; undefined when there is no such object. */
  generation(object: number): Uint8Array | undefined;
  /** The six bytes that the original scheme takes; only in tables that can serve under it. */
  secret?(object: number): Uint8Array | undefined;
  /** A new generation: all capabilities to the object end. Durable when it is over. */
  renew(object: number): void | Promise<void>;
  touch(object: number): void | Promise<void>;
  /** AGEs since its last TOUCH; undefined when there is no such object, or it does not age. */
  age(object: number): number | undefined;
  /** Makes all a step older; answers the numbers of those that are too old, and keeps them. */
  grow(): number[];
  /** Takes an object out; answers what it was. */
  remove(object: number): Value | undefined | Promise<Value | undefined>;
}

interface Entry<Value> {
  readonly value: Value;
  generation: Uint8Array;
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
  /** The generation of object 0; default: another one each time. */
  readonly own?: OwnGeneration | undefined;
}

const generationTries = 16;

export class Objects<Value> implements ObjectTable<Value> {
  lifetime: number;
  readonly #entries = new Map<number, Entry<Value>>();
  readonly #random: (bytes: number) => Uint8Array;
  readonly #renewOwn: () => Uint8Array;
  #own: Uint8Array;
  readonly #most: number;
  readonly #base: number;
  #last = 0;

  constructor({ random, most = 65535, base = 0, lifetime = 24, own }: ObjectsOptions) {
    this.#random = random;
    this.#most = most;
    this.#base = base;
    this.lifetime = lifetime;
    this.#own = own?.generation ?? this.#newGeneration();
    this.#renewOwn = () => own?.renew() ?? this.#newGeneration();
  }

  #newGeneration(): Uint8Array {
    for (let tries = 0; tries < generationTries; tries++) {
      const made = this.#random(KEYED_GENERATION_BYTES);
      if (made.subarray(1, PORT_BYTES).some((byte) => byte !== 0)) return made;
    }
    throw new Error("the random source gives zeros");
  }

  /** The number of a new object, or undefined when there are as many as there may be. */
  add(value: Value): number | undefined {
    if (this.#entries.size >= this.#most) return undefined;
    do this.#last = (this.#last % this.#most) + 1;
    while (this.#entries.has(this.#base + this.#last));
    const number = this.#base + this.#last;
    this.#entries.set(number, { value, generation: this.#newGeneration(), age: 0 });
    return number;
  }

  get(number: number): Value | undefined {
    return this.#entries.get(number)?.value;
  }

  generation(number: number): Uint8Array | undefined {
    return number === 0 ? this.#own : this.#entries.get(number)?.generation;
  }

  secret(number: number): Uint8Array | undefined {
    return this.generation(number)?.subarray(0, PORT_BYTES);
  }

  renew(number: number): void {
    if (number === 0) {
      this.#own = this.#renewOwn();
      return;
    }
    const entry = this.#entries.get(number);
    if (entry !== undefined) entry.generation = this.#newGeneration();
  }

  remove(number: number): Value | undefined {
    const entry = this.#entries.get(number);
    this.#entries.delete(number);
    return entry?.value;
  }

  touch(number: number): void {
    const entry = this.#entries.get(number);
    if (entry !== undefined) entry.age = 0;
  }

  age(number: number): number | undefined {
    return this.#entries.get(number)?.age;
  }

  grow(): number[] {
    const old: number[] = [];
    for (const [number, entry] of this.#entries) if (++entry.age > this.lifetime) old.push(number);
    return old;
  }

  get highest(): number {
    return this.#base + this.#most;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Numbers and values, in the order in which they were made. */
  *[Symbol.iterator](): Iterator<readonly [number, Value]> {
    for (const [number, { value }] of this.#entries) yield [number, value];
  }
}
