// Capability schemes: how a server makes the private parts of its objects and tells genuine
// ones from forged ones.
//
// - A server is created with one scheme and keeps it. Only the server verifies, so servers
//   may choose differently; clients carry private parts around and do not look inside.
// - originalScheme is Amoeba's: 48 random bits an object, and the one-way function of them
//   with the rights for less than all rights. The kernel computes it.
// - keyedScheme is for new servers: the check field is HMAC-SHA-256 under a key that the server
//   keeps, over object, rights and generation. A new generation ends all capabilities to an
//   object. The kernel computes this too. 48 bits can be guessed: guesses.ts bounds how often.
//   Of each object the private part that was genuine last is remembered, with its generation: it is
//   good as long as that is the object's. It is found by the object's number, which is no secret, and
//   compared as a whole, however many of its bytes are right.
// - Answers below zero are statuses: STD_CAPBAD for what is not genuine.
// - Source: Amoeba 5 prv_encode, prv_decode; Mullender and Tanenbaum 1986.

import { STD_CAPBAD, STD_NOTFOUND } from "../../core-wasm/status.js";
import { KEYED_KEY_BYTES, PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import { putBytes } from "../kernel/bytes.js";
import { claims } from "./private-part.js";
import { Recent } from "./recent.js";

/** What a server does with private parts. */
export interface CapabilityScheme {
  /** The private part of one of its objects with these rights, or a status. */
  make(object: number, rights: number): Uint8Array | number;
  /** A genuine private part with the rights that are in `mask` too, or a status. */
  restrict(privatePart: Uint8Array, mask: number): Uint8Array | number;
  /** The rights that a private part gives, or a status. */
  verify(privatePart: Uint8Array): number;
}

/** What computes check fields: a kernel's `privates`, or an OfflineKernel. */
export interface CheckFields {
  encodePrivate(object: number, rights: number, random: Uint8Array): Uint8Array | number;
  decodePrivate(privatePart: Uint8Array, random: Uint8Array): number;
  restrictPrivate(privatePart: Uint8Array, random: Uint8Array, mask: number): Uint8Array | number;
}

/**
 * Amoeba's own scheme.
 *
 * @param secretOf the six random bytes of an object; undefined when there is no such object
 */
export function originalScheme(
  fields: CheckFields,
  secretOf: (object: number) => Uint8Array | undefined,
): CapabilityScheme {
  return {
    make(object, rights) {
      const secret = secretOf(object);
      return secret === undefined ? STD_NOTFOUND : fields.encodePrivate(object, rights, secret);
    },
    restrict(privatePart, mask) {
      const secret = secretOf(claims(privatePart).object);
      if (secret === undefined) return STD_CAPBAD;
      const restricted = fields.restrictPrivate(privatePart, secret, mask);
      return typeof restricted === "number" ? STD_CAPBAD : restricted;
    },
    verify(privatePart) {
      const secret = secretOf(claims(privatePart).object);
      if (secret === undefined) return STD_CAPBAD;
      const rights = fields.decodePrivate(privatePart, secret);
      return rights < 0 ? STD_CAPBAD : rights;
    },
  };
}

/** What computes keyed check fields: a kernel's `privates`. */
export interface KeyedCheckFields {
  prepareKey(key: Uint8Array): Uint8Array;
  encodeKeyed(
    object: number,
    rights: number,
    prepared: Uint8Array,
    generation: Uint8Array,
  ): Uint8Array | number;
  decodeKeyed(privatePart: Uint8Array, prepared: Uint8Array, generation: Uint8Array): number;
}

/** Objects whose last genuine private part is remembered: to compare it is several times as quick as to compute it. */
const rememberedMost = 4096;

/** A private part, and the generation of its object, as one string of bytes. */
function joined(privatePart: Uint8Array, generation: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PRIVATE_BYTES + generation.length);
  putBytes(bytes, 0, privatePart.subarray(0, PRIVATE_BYTES));
  putBytes(bytes, PRIVATE_BYTES, generation);
  return bytes;
}

/** Whether they are those that were joined; takes as long wherever they differ. */
function isJoined(bytes: Uint8Array, privatePart: Uint8Array, generation: Uint8Array): boolean {
  let difference = bytes.length ^ (PRIVATE_BYTES + generation.length);
  for (let at = 0; at < PRIVATE_BYTES; at++) difference |= (bytes[at] ?? 0) ^ (privatePart[at] ?? 0);
  for (let at = 0; at < generation.length; at++)
    difference |= (bytes[PRIVATE_BYTES + at] ?? 0) ^ (generation[at] ?? 0);
  return difference === 0;
}

/**
 * The keyed scheme.
 *
 * @param key 32 random bytes that stay in the server and outlive its restarts
 * @param generationOf the eight bytes of an object's generation; undefined when there is no such object
 */
export function keyedScheme(
  fields: KeyedCheckFields,
  key: Uint8Array,
  generationOf: (object: number) => Uint8Array | undefined,
): CapabilityScheme {
  if (key.length !== KEYED_KEY_BYTES) throw new RangeError(`a key has ${KEYED_KEY_BYTES} bytes`);
  const prepared = fields.prepareKey(key);
  const genuine = new Recent<number, Uint8Array>(rememberedMost);
  const verify = (privatePart: Uint8Array): number => {
    const { object, rights: claimed } = claims(privatePart);
    const generation = generationOf(object);
    if (generation === undefined) return STD_CAPBAD;
    const last = genuine.get(object);
    if (last !== undefined && isJoined(last, privatePart, generation)) return claimed;
    const rights = fields.decodeKeyed(privatePart, prepared, generation);
    if (rights < 0) return STD_CAPBAD;
    genuine.set(object, joined(privatePart, generation));
    return rights;
  };
  const make = (object: number, rights: number): Uint8Array | number => {
    const generation = generationOf(object);
    return generation === undefined ? STD_NOTFOUND : fields.encodeKeyed(object, rights, prepared, generation);
  };
  return {
    make,
    verify,
    restrict(privatePart, mask) {
      const rights = verify(privatePart);
      return rights < 0 ? rights : make(claims(privatePart).object, rights & mask);
    },
  };
}
