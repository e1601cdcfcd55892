// HMAC-SHA-256 inside the kernel, against the test cases of RFC 4231 that fit into a block;
// test/unit/capability/keyed.test.ts holds it against another implementation.

import { hmacPrepare, hmacShort } from "../../../core-wasm/crypto/hmac";

const key = memory.data(64, 8);
const message = memory.data(64, 8);
const prepared = memory.data(64, 8);
const out = memory.data(32, 8);

function fill(at: usize, byte: u8, length: u32): void {
  memory.fill(at, byte, length);
}

function put(at: usize, text: string): u32 {
  for (let i = 0; i < text.length; i++) store<u8>(at + i, <u8>text.charCodeAt(i));
  return <u32>text.length;
}

/** The digest's first and last eight bytes, as they stand in the RFC. */
function expectEnds(first: u64, last: u64): void {
  expect(bswap(load<u64>(out))).toBe(first);
  expect(bswap(load<u64>(out, 24))).toBe(last);
}

describe("HMAC-SHA-256", () => {
  it("gives what RFC 4231 says in case 1", () => {
    fill(key, 0x0b, 20);
    hmacPrepare(key, 20, prepared);
    hmacShort(prepared, message, put(message, "Hi There"), out);
    expectEnds(0xb0344c61d8db3853, 0x26e9376c2e32cff7);
  });

  it("gives what RFC 4231 says in case 2", () => {
    hmacPrepare(key, put(key, "Jefe"), prepared);
    hmacShort(prepared, message, put(message, "what do ya want for nothing?"), out);
    expectEnds(0x5bdcc146bf60754e, 0x9dec58b964ec3843);
  });

  it("gives what RFC 4231 says in case 3", () => {
    fill(key, 0xaa, 20);
    fill(message, 0xdd, 50);
    hmacPrepare(key, 20, prepared);
    hmacShort(prepared, message, 50, out);
    expectEnds(0x773ea91e36800e46, 0xd9635514ced565fe);
  });

  it("is the same again with a prepared key that was used before", () => {
    fill(key, 0x0b, 20);
    hmacPrepare(key, 20, prepared);
    const length = put(message, "Hi There");
    for (let i = 0; i < 3; i++) hmacShort(prepared, message, length, out);
    expect(bswap(load<u64>(out))).toBe(0xb0344c61d8db3853);
  });
});
