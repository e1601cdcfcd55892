// Private parts of capabilities on a kernel that runs: made, verified and restricted by the
// kernel's own functions, as OfflineKernel does it without one.
//
// - `random` is the object's six bytes, private parts are ten. Answers below zero are statuses.
// - Keyed ones: a key is 32 bytes and is prepared once; a generation is 8 bytes.

import { SCRATCH_ADDRESS } from "../../core-wasm/layout.js";
import { KEYED_PREPARED_BYTES, PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import type { KernelExports } from "./exports.js";

const randomAt = SCRATCH_ADDRESS;
const partAt = SCRATCH_ADDRESS + 16;
const outAt = SCRATCH_ADDRESS + 32;
const generationAt = SCRATCH_ADDRESS + 48;
const preparedAt = SCRATCH_ADDRESS + 64;
const keyAt = SCRATCH_ADDRESS + 128;

export class Privates {
  readonly #exports: KernelExports;
  readonly #bytes: Uint8Array;

  constructor(exports: KernelExports, bytes: Uint8Array) {
    this.#exports = exports;
    this.#bytes = bytes;
  }

  #out(status: number): Uint8Array | number {
    return status < 0 ? status : this.#bytes.slice(outAt, outAt + PRIVATE_BYTES);
  }

  /** The private part of an object with these rights. */
  encodePrivate(object: number, rights: number, random: Uint8Array): Uint8Array | number {
    this.#bytes.set(random, randomAt);
    return this.#out(this.#exports.private_encode(object, rights, randomAt, outAt));
  }

  /** The rights that the random bytes vouch for. */
  decodePrivate(privatePart: Uint8Array, random: Uint8Array): number {
    this.#bytes.set(random, randomAt);
    this.#bytes.set(privatePart, partAt);
    return this.#exports.private_decode(partAt, randomAt);
  }

  /** A private part with the rights that are in the mask too. */
  restrictPrivate(privatePart: Uint8Array, random: Uint8Array, mask: number): Uint8Array | number {
    this.#bytes.set(random, randomAt);
    this.#bytes.set(privatePart, partAt);
    return this.#out(this.#exports.private_restrict(partAt, randomAt, mask, outAt));
  }

  /** What stands for a key of 32 bytes in the calls below; as secret as the key. */
  prepareKey(key: Uint8Array): Uint8Array {
    this.#bytes.set(key, keyAt);
    this.#exports.keyed_prepare(keyAt, preparedAt);
    const prepared = this.#bytes.slice(preparedAt, preparedAt + KEYED_PREPARED_BYTES);
    this.#bytes.fill(0, keyAt, keyAt + key.length);
    this.#bytes.fill(0, preparedAt, preparedAt + KEYED_PREPARED_BYTES);
    return prepared;
  }

  /** The keyed private part of an object with these rights. */
  encodeKeyed(
    object: number,
    rights: number,
    prepared: Uint8Array,
    generation: Uint8Array,
  ): Uint8Array | number {
    this.#bytes.set(prepared, preparedAt);
    this.#bytes.set(generation, generationAt);
    return this.#out(this.#exports.keyed_encode(object, rights, preparedAt, generationAt, outAt));
  }

  /** The rights of a keyed private part. */
  decodeKeyed(privatePart: Uint8Array, prepared: Uint8Array, generation: Uint8Array): number {
    this.#bytes.set(prepared, preparedAt);
    this.#bytes.set(generation, generationAt);
    this.#bytes.set(privatePart, partAt);
    return this.#exports.keyed_decode(partAt, preparedAt, generationAt);
  }
}
