// If one of these fails, somebody has a right that nobody gave, or lacks one they have.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  claims,
  parseObject,
  parsePrivatePart,
  parseRandom,
  parseRights,
} from "../../../control/capability/private-part.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { ProteusError } from "../../../control/kernel/errors.js";
import { amoeba5, bytes, kernel } from "../wire/golden.js";

const hexOf = (answer: Uint8Array | number): string | number =>
  typeof answer === "number" ? answer : toHex(answer);

describe("private parts", () => {
  it.each(amoeba5.prv)("of object $object with rights $rights are the original's", (vector) => {
    const random = bytes(vector.random);
    expect(hexOf(kernel.encodePrivate(vector.object, vector.rights, random))).toBe(vector.private);
    const privatePart = bytes(vector.private);
    expect(kernel.decodePrivate(privatePart, random)).toBe(vector.decoded_rights);
    expect(claims(privatePart)).toEqual({ object: vector.number, rights: vector.rights });
  });

  it("are not made for an object number of more than 24 bits", () => {
    for (const { object } of amoeba5.prv_errors) {
      expect(kernel.encodePrivate(object, 0xff, bytes("010203040506"))).toBeLessThan(0);
    }
  });

  it.each(amoeba5.restrict)("restricted by $mask from $old_private", (vector) => {
    const restricted = kernel.restrictPrivate(bytes(vector.old_private), bytes(vector.random), vector.mask);
    expect(hexOf(restricted)).toBe(vector.new_private);
    expect(kernel.decodePrivate(bytes(vector.new_private), bytes(vector.random))).toBe(vector.new_rights);
  });

  const random = fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .filter((bits) => bits.subarray(1).some((byte) => byte !== 0));
  const rights = fc.nat(255);

  it("cannot be given rights that they were not made with", () => {
    fc.assert(
      fc.property(fc.nat(0xffffff), rights, rights, random, (object, held, wanted, secret) => {
        fc.pre(held !== wanted);
        const made = kernel.encodePrivate(object, held, secret) as Uint8Array;
        made[3] = wanted;
        expect(kernel.decodePrivate(made, secret)).toBeLessThan(0);
        expect(kernel.restrictPrivate(made, secret, 0xff)).toBeLessThan(0);
      }),
    );
  });

  it("only ever lose rights when restricted", () => {
    fc.assert(
      fc.property(fc.nat(0xffffff), rights, rights, random, (object, held, mask, secret) => {
        const made = kernel.encodePrivate(object, held, secret) as Uint8Array;
        const restricted = kernel.restrictPrivate(made, secret, mask) as Uint8Array;
        expect(kernel.decodePrivate(restricted, secret)).toBe(held & mask);
        expect(claims(restricted).object).toBe(object);
      }),
    );
  });
});

describe("what people type", () => {
  it("is read in hex and in the original's text form", () => {
    expect(toHex(parsePrivatePart(kernel, "110000ff1125f2c66632"))).toBe("110000ff1125f2c66632");
    expect(toHex(parsePrivatePart(kernel, "17(FF)/11:25:f2:c6:66:32"))).toBe("110000ff1125f2c66632");
    expect(toHex(parseRandom(kernel, "11:25:F2:C6:66:32"))).toBe("1125f2c66632");
    expect(parseObject("0x11")).toBe(17);
    expect(parseRights("255")).toBe(255);
  });

  it.each([
    ["private part", () => parsePrivatePart(kernel, "110000ff")],
    ["private part", () => parsePrivatePart(kernel, "110000ff1125f2c6663g")],
    ["random number", () => parseRandom(kernel, "1125f2c6663")],
    ["object", () => parseObject("16777216")],
    ["object", () => parseObject("-1")],
    ["object", () => parseObject("")],
    ["rights", () => parseRights("0x100")],
    ["rights", () => parseRights("1e1")],
  ])("that is no %s is a usage error", (_, parse) => {
    expect(parse).toThrow(ProteusError);
    expect(parse).toThrow(expect.objectContaining({ exit: 2 }));
  });
});
