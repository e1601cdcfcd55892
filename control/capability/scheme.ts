// Capability schemes: how a server makes the private parts of its objects and tells genuine
// ones from forged ones.
//
// - A server is created with one scheme and keeps it. Only the server verifies, so servers
//   may choose differently; clients carry private parts around and do not look inside.
// - originalScheme is Amoeba's: 48 random bits an object, and the one-way function of them
//   with the rights for less than all rights. The kernel computes it.
// - Answers below zero are statuses: STD_CAPBAD for what is not genuine.
// - Source: Amoeba 5 prv_encode, prv_decode; Mullender and Tanenbaum 1986.

import { STD_CAPBAD, STD_NOTFOUND } from "../../core-wasm/status.js";
import { claims } from "./private-part.js";

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
