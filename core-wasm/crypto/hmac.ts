// HMAC with SHA-256 for messages of one block: the keyed function behind the check fields of
// capabilities (wire/keyed.ts). Longer data is hashed by the host.
//
// - A state is eight words of 32 bits.
// - A prepared key is two states, 64 bytes: what the inner and the outer hash are after the
//   block with the key. A message of at most 55 bytes then costs two compressions, whatever
//   it says: nothing branches on a secret and no secret is an index.
// - Scratch space is static: one computation at a time, as everything in the kernel.
// - Source: FIPS 180-4 (SHA-256), FIPS 198-1 and RFC 2104 (HMAC).

import { insist } from "../memory/assert";

const BLOCK: u32 = 64;
const STATE: u32 = 32;
export const DIGEST: u32 = 32;
/** Longest message of hmacShort. */
export const SHORT_MAX: u32 = 55;

const ROUNDS: u32 = 64;
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
// prettier-ignore
const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);
// Those of the square roots of the first eight primes.
const INITIAL = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

const SCHEDULE = memory.data(ROUNDS * 4, 8);
const PADDED = memory.data(BLOCK, 8);
const WORKING = memory.data(STATE, 8);

/** Takes a block of 64 bytes into a state. */
function compress(state: usize, block: usize): void {
  for (let i: u32 = 0; i < 16; i++) store<u32>(SCHEDULE + i * 4, bswap(load<u32>(block + i * 4)));
  for (let i: usize = 16; i < ROUNDS; i++) {
    const at = SCHEDULE + i * 4;
    const early = load<u32>(at - 15 * 4);
    const late = load<u32>(at - 2 * 4);
    const s0 = rotr(early, 7) ^ rotr(early, 18) ^ (early >>> 3);
    const s1 = rotr(late, 17) ^ rotr(late, 19) ^ (late >>> 10);
    store<u32>(at, load<u32>(at - 16 * 4) + s0 + load<u32>(at - 7 * 4) + s1);
  }
  let a = load<u32>(state);
  let b = load<u32>(state, 4);
  let c = load<u32>(state, 8);
  let d = load<u32>(state, 12);
  let e = load<u32>(state, 16);
  let f = load<u32>(state, 20);
  let g = load<u32>(state, 24);
  let h = load<u32>(state, 28);
  for (let i: usize = 0; i < ROUNDS * 4; i += 4) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const one = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(K + i) + load<u32>(SCHEDULE + i);
    const s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const two = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  store<u32>(state, load<u32>(state) + a);
  store<u32>(state, load<u32>(state, 4) + b, 4);
  store<u32>(state, load<u32>(state, 8) + c, 8);
  store<u32>(state, load<u32>(state, 12) + d, 12);
  store<u32>(state, load<u32>(state, 16) + e, 16);
  store<u32>(state, load<u32>(state, 20) + f, 20);
  store<u32>(state, load<u32>(state, 24) + g, 24);
  store<u32>(state, load<u32>(state, 28) + h, 28);
}

/** Takes the last bytes of a message, at most 55, of which `total` bytes there are in all. */
function finish(state: usize, tail: usize, length: u32, total: u32): void {
  memory.fill(PADDED, 0, BLOCK);
  memory.copy(PADDED, tail, length);
  store<u8>(PADDED + length, 0x80);
  store<u32>(PADDED, bswap(total << 3), BLOCK - 4);
  compress(state, PADDED);
}

/** Writes a state as the 32 bytes of a digest; out may be the state itself. */
function digest(state: usize, out: usize): void {
  for (let i: u32 = 0; i < STATE; i += 4) store<u32>(out + i, bswap(load<u32>(state + i)));
}

function padInto(state: usize, key: usize, length: u32, pad: u8): void {
  memory.fill(PADDED, pad, BLOCK);
  for (let i: u32 = 0; i < length; i++) store<u8>(PADDED + i, load<u8>(key + i) ^ pad);
  memory.copy(state, INITIAL, STATE);
  compress(state, PADDED);
}

/** SHA-256 of at most 55 bytes: 32 bytes to out. */
export function sha256Short(message: usize, length: u32, out: usize): void {
  insist(length <= SHORT_MAX, 502);
  memory.copy(WORKING, INITIAL, STATE);
  finish(WORKING, message, length, length);
  digest(WORKING, out);
}

/** Makes a prepared key of a key of at most 64 bytes. */
export function hmacPrepare(key: usize, length: u32, prepared: usize): void {
  insist(length <= BLOCK, 500);
  padInto(prepared, key, length, INNER_PAD);
  padInto(prepared + STATE, key, length, OUTER_PAD);
  memory.fill(PADDED, 0, BLOCK);
}

/** HMAC-SHA-256 of a message of at most 55 bytes: 32 bytes to out. */
export function hmacShort(prepared: usize, message: usize, length: u32, out: usize): void {
  insist(length <= SHORT_MAX, 501);
  memory.copy(WORKING, prepared, STATE);
  finish(WORKING, message, length, BLOCK + length);
  digest(WORKING, out);
  memory.copy(WORKING, prepared + STATE, STATE);
  finish(WORKING, out, DIGEST, BLOCK + DIGEST);
  digest(WORKING, out);
}
