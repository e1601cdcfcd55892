// The keyed scheme: against node:crypto, and against people who change private parts.

import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { claims } from "../../../control/capability/private-part.js";
import { keyedScheme } from "../../../control/capability/scheme.js";
import { STD_ARGBAD, STD_CAPBAD, STD_NOTFOUND } from "../../../core-wasm/status.js";
import { perTier } from "../../simulation/seeds.js";
import { Room } from "../kernel/booted.js";

const { privates } = new Room().attached();
const key = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1);

function generation(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

/** A scheme whose objects from 0 to 99 exist. */
function schemeOf(generations = new Map<number, bigint>(), withKey = key) {
  return keyedScheme(privates, withKey, (object) =>
    object < 100 ? generation(generations.get(object) ?? 1n) : undefined,
  );
}

function made(part: Uint8Array | number): Uint8Array {
  if (typeof part === "number") throw new Error(`status ${part}`);
  return part;
}

const scheme = schemeOf();
const objects = fc.integer({ min: 0, max: 99 });
const rightsBits = fc.integer({ min: 0, max: 255 });

describe("a keyed private part", () => {
  it("has the first 48 bits of HMAC-SHA-256 over object, rights and generation", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.integer({ min: 0, max: 0xffffff }),
        rightsBits,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (anyKey, object, rights, number) => {
          const any = keyedScheme(privates, anyKey, () => generation(number));
          const part = made(any.make(object, rights));
          const message = Uint8Array.of(object, object >> 8, object >> 16, rights, ...generation(number));
          const mac = createHmac("sha256", anyKey).update(message).digest();
          expect(claims(part)).toEqual({ object, rights });
          expect(part.subarray(4)).toEqual(Uint8Array.from(mac.subarray(0, 6)));
        },
      ),
    );
  });

  it("gives the rights that it was made with, and no others", () => {
    fc.assert(
      fc.property(objects, rightsBits, (object, rights) => {
        expect(scheme.verify(made(scheme.make(object, rights)))).toBe(rights);
      }),
    );
  });

  it("is worth nothing once any bit of it was changed", () => {
    fc.assert(
      fc.property(objects, rightsBits, fc.integer({ min: 0, max: 79 }), (object, rights, bit) => {
        const part = made(scheme.make(object, rights));
        part[bit >> 3] = (part[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(scheme.verify(part)).toBe(STD_CAPBAD);
        expect(scheme.restrict(part, 0xff)).toBe(STD_CAPBAD);
      }),
    );
  });

  it("only loses rights when it is restricted", () => {
    fc.assert(
      fc.property(objects, rightsBits, rightsBits, (object, rights, mask) => {
        const restricted = made(scheme.restrict(made(scheme.make(object, rights)), mask));
        expect(scheme.verify(restricted)).toBe(rights & mask);
        expect(claims(restricted).object).toBe(object);
      }),
    );
  });

  it("ends with its object's generation, and those of other objects go on", () => {
    const generations = new Map<number, bigint>();
    const revocable = schemeOf(generations);
    const gone = made(revocable.make(5, 0xff));
    const other = made(revocable.make(6, 0xff));
    generations.set(5, 2n);
    expect(revocable.verify(gone)).toBe(STD_CAPBAD);
    expect(revocable.verify(other)).toBe(0xff);
    expect(revocable.verify(made(revocable.make(5, 0xff)))).toBe(0xff);
  });

  it("ends with its object's generation also when it was seen before, and only so long", () => {
    const own = generation(1n);
    const remembering = keyedScheme(privates, key, () => own);
    const part = made(remembering.make(5, 3));
    expect([remembering.verify(part), remembering.verify(part)]).toEqual([3, 3]);
    own[0] = 2; // in place: what is remembered is a copy
    expect(remembering.verify(part)).toBe(STD_CAPBAD);
    own[0] = 1;
    expect(remembering.verify(part)).toBe(3);
    const forged = part.slice();
    forged[3] = 7; // more rights
    expect(remembering.verify(forged)).toBe(STD_CAPBAD);
  });

  it("is the same after a restart with the same key, and nothing under another", () => {
    const part = made(scheme.make(7, 3));
    expect(schemeOf().verify(part)).toBe(3);
    expect(schemeOf(new Map(), randomBytes(32)).verify(part)).toBe(STD_CAPBAD);
  });

  it("is not made for what does not exist", () => {
    expect(scheme.make(100, 1)).toBe(STD_NOTFOUND);
    expect(keyedScheme(privates, key, () => generation(1n)).make(0x1000000, 1)).toBe(STD_ARGBAD);
    expect(() => keyedScheme(privates, key.subarray(1), () => undefined)).toThrow("a key has 32 bytes");
  });

  it("is not hit by forgeries", () => {
    const tries = perTier({ quick: 20_000, long: 100_000, nightly: 10_000_000 });
    let accepted = 0;
    for (let done = 0; done < tries; ) {
      const bytes = randomBytes(10 * 1000);
      for (let at = 0; at < bytes.length && done < tries; at += 10, done++) {
        bytes[at + 1] = 0;
        bytes[at + 2] = 0;
        bytes[at] = (bytes[at] ?? 0) % 100;
        if (scheme.verify(bytes.subarray(at, at + 10)) >= 0) accepted++;
      }
    }
    expect(accepted).toBe(0);
  });
});
