// If one of these fails, our put-ports and FLIP addresses differ from the original's:
// no machine finds the other.

import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import { amoeba5, bytes, kernel } from "../wire/golden.js";

describe("the one-way function of ports", () => {
  it.each(amoeba5.one_way)("$in", (vector) => {
    expect(toHex(kernel.portOneWay(bytes(vector.in)))).toBe(vector.out);
  });

  it.each(amoeba5.one_way_chain)("$iterations times over $in", (vector) => {
    let port = bytes(vector.in);
    for (let i = 0; i < vector.iterations; i++) port = kernel.portOneWay(port);
    expect(toHex(port)).toBe(vector.out);
  });

  it("gives the put-port of a named server", () => {
    expect(toHex(kernel.portOneWay(new TextEncoder().encode("abcdef")))).toBe("e4b2c2985455");
  });
});

/** FIPS DES counts bits from the other end of each byte. */
const mirror = (byte: number): number =>
  Number.parseInt(byte.toString(2).padStart(8, "0").split("").reverse().join(""), 2);

/** DES of the zero block by another implementation: triple DES under one key thrice. */
function desOfZero(key: Uint8Array): Uint8Array {
  const mirrored = Buffer.from(key.map(mirror));
  const cipher = createCipheriv("des-ede3-ecb", Buffer.concat([mirrored, mirrored, mirrored]), null);
  return Uint8Array.from(cipher.update(Buffer.alloc(8)), mirror);
}

describe("the one-way function of FLIP addresses", () => {
  it.each(amoeba5.flip_oneway)("$in", (vector) => {
    expect(toHex(kernel.flipOneWay(bytes(vector.in)))).toBe(vector.out);
  });

  it("is DES under the address, its space byte kept", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (address) => {
        fc.pre(address.subarray(0, 7).some((byte) => byte !== 0));
        const expected = desOfZero(address);
        expected[7] = address[7] ?? 0;
        expect(toHex(kernel.flipOneWay(address))).toBe(toHex(expected));
      }),
    );
  });
});
