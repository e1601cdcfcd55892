// XXH3-64: the checksum of blocks on disks and of what is copied between machines.
//
// - The same 64 bits as everybody's XXH3_64bits_withSeed, for every length and any alignment.
// - No state between calls but the derived secret of the last seed, in static memory.
// - Against chance, not against an attacker: whoever knows the data can make another with the
//   same hash.
// - Source: the xxHash specification, XXH3 (Yann Collet, 2019-2023). Lengths up to 16, 128 and
//   240 have ways of their own; longer ones go through eight sums, 64 bytes a step.

const PRIME32_1: u64 = 0x9e3779b1;
const PRIME32_2: u64 = 0x85ebca77;
const PRIME32_3: u64 = 0xc2b2ae3d;
const PRIME64_1: u64 = 0x9e3779b185ebca87;
const PRIME64_2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME64_3: u64 = 0x165667b19e3779f9;
const PRIME64_4: u64 = 0x85ebca77c2b2ae63;
const PRIME64_5: u64 = 0x27d4eb2f165667c5;
const MIX_1: u64 = 0x165667919e3779f9;
const MIX_2: u64 = 0x9fb21c651e98df25;

const STRIPE: u32 = 64;
const STRIPES_A_BLOCK: u32 = 16;
const SECRET_BYTES: usize = 192;

const SECRET = memory.data<u8>(
  [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde,
    0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79,
    0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46,
    0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb,
    0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2,
    0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c,
    0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59,
    0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3,
    0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3,
    0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8,
    0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb,
    0xca, 0xbb, 0x4b, 0x40, 0x7e,
  ],
  16,
);
const SEEDED = memory.data(192, 16);
let seededFor: u64 = 0; // SEEDED is of this seed; 0: of none

/** The hash of `length` bytes. */
export function xxh3(p: usize, length: u32, seed: u64): u64 {
  if (length > 240) return long(p, length, seed == 0 ? SECRET : seededSecret(seed));
  if (length > 128) return upTo240(p, length, seed);
  if (length > 16) return upTo128(p, length, seed);
  if (length > 8) return upTo16(p, length, seed);
  if (length > 3) return upTo8(p, length, seed);
  if (length > 0) return upTo3(p, length, seed);
  return avalanche64(seed ^ secret64(56) ^ secret64(64));
}

// @ts-ignore: decorator
@inline
function secret64(at: usize): u64 {
  return load<u64>(SECRET + at);
}

/** The 128 bits of a product, upper half onto lower. */
// @ts-ignore: decorator
@inline
function fold(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const cross = aHigh * bLow + (low >> 32);
  const other = aLow * bHigh + (cross & 0xffffffff);
  return (aHigh * bHigh + (cross >> 32) + (other >> 32)) ^ ((other << 32) | (low & 0xffffffff));
}

// @ts-ignore: decorator
@inline
function avalanche(hash: u64): u64 {
  let h = hash ^ (hash >> 37);
  h *= MIX_1;
  return h ^ (h >> 32);
}

/** That of XXH64. */
// @ts-ignore: decorator
@inline
function avalanche64(hash: u64): u64 {
  let h = hash ^ (hash >> 33);
  h *= PRIME64_2;
  h ^= h >> 29;
  h *= PRIME64_3;
  return h ^ (h >> 32);
}

// ---- short -----------------------------------------------------------------------

function upTo3(p: usize, length: u32, seed: u64): u64 {
  const first = load<u8>(p) as u32;
  const middle = load<u8>(p + (length >> 1)) as u32;
  const last = load<u8>(p + length - 1) as u32;
  const all = (first << 16) | (middle << 24) | last | (length << 8);
  const flip = ((load<u32>(SECRET) ^ load<u32>(SECRET, 4)) as u64) + seed;
  return avalanche64((all as u64) ^ flip);
}

function upTo8(p: usize, length: u32, seed: u64): u64 {
  const mixed = seed ^ ((bswap<u32>(seed as u32) as u64) << 32);
  const all = (load<u32>(p + length - 4) as u64) + ((load<u32>(p) as u64) << 32);
  let h = all ^ ((secret64(8) ^ secret64(16)) - mixed);
  h ^= rotl<u64>(h, 49) ^ rotl<u64>(h, 24);
  h *= MIX_2;
  h ^= (h >> 35) + length;
  h *= MIX_2;
  return h ^ (h >> 28);
}

function upTo16(p: usize, length: u32, seed: u64): u64 {
  const low = load<u64>(p) ^ ((secret64(24) ^ secret64(32)) + seed);
  const high = load<u64>(p + length - 8) ^ ((secret64(40) ^ secret64(48)) - seed);
  return avalanche((length as u64) + bswap<u64>(low) + high + fold(low, high));
}

/** 16 bytes, with 16 of the secret. */
// @ts-ignore: decorator
@inline
function mix(p: usize, at: usize, seed: u64): u64 {
  return fold(load<u64>(p) ^ (secret64(at) + seed), load<u64>(p, 8) ^ (secret64(at + 8) - seed));
}

function upTo128(p: usize, length: u32, seed: u64): u64 {
  let sum = (length as u64) * PRIME64_1;
  const end = p + length;
  if (length > 32) {
    if (length > 64) {
      if (length > 96) sum += mix(p + 48, 96, seed) + mix(end - 64, 112, seed);
      sum += mix(p + 32, 64, seed) + mix(end - 48, 80, seed);
    }
    sum += mix(p + 16, 32, seed) + mix(end - 32, 48, seed);
  }
  return avalanche(sum + mix(p, 0, seed) + mix(end - 16, 16, seed));
}

function upTo240(p: usize, length: u32, seed: u64): u64 {
  let sum = (length as u64) * PRIME64_1;
  for (let i: usize = 0; i < 128; i += 16) sum += mix(p + i, i, seed);
  sum = avalanche(sum);
  const end: usize = length & ~15;
  for (let i: usize = 128; i < end; i += 16) sum += mix(p + i, i - 128 + 3, seed);
  return avalanche(sum + mix(p + length - 16, 136 - 17, seed));
}

// ---- long ------------------------------------------------------------------------

function seededSecret(seed: u64): usize {
  if (seededFor != seed) {
    for (let i: usize = 0; i < SECRET_BYTES; i += 16) {
      store<u64>(SEEDED + i, secret64(i) + seed);
      store<u64>(SEEDED + i, secret64(i + 8) - seed, 8);
    }
    seededFor = seed;
  }
  return SEEDED;
}

/** The two 64-bit halves change places. */
// @ts-ignore: decorator
@inline
function swap(a: v128): v128 {
  return v128.shuffle<i64>(a, a, 1, 0);
}

/** Two of the eight sums after a block. */
// @ts-ignore: decorator
@inline
function scramble(sum: v128, key: v128): v128 {
  const mixed = v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), key);
  return i64x2.mul(mixed, i64x2.splat(PRIME32_1 as i64));
}

function long(p: usize, length: u32, secret: usize): u64 {
  let s0 = i64x2(PRIME32_3 as i64, PRIME64_1 as i64);
  let s1 = i64x2(PRIME64_2 as i64, PRIME64_3 as i64);
  let s2 = i64x2(PRIME64_4 as i64, PRIME32_2 as i64);
  let s3 = i64x2(PRIME64_5 as i64, PRIME32_1 as i64);
  let stripes = (length - 1) / STRIPE; // and one more that ends with the data
  let at = p;
  let end = at + ((min<u32>(stripes, STRIPES_A_BLOCK) * STRIPE) as usize);
  let key = secret;
  let last = false;
  while (true) {
    for (; at < end; at += STRIPE, key += 8) {
      const d0 = v128.load(at);
      const d1 = v128.load(at, 16);
      const d2 = v128.load(at, 32);
      const d3 = v128.load(at, 48);
      const k0 = v128.xor(d0, v128.load(key));
      const k1 = v128.xor(d1, v128.load(key, 16));
      const k2 = v128.xor(d2, v128.load(key, 32));
      const k3 = v128.xor(d3, v128.load(key, 48));
      // Lower halves of four words beside their upper halves: one shuffle serves two products.
      const low01 = v128.shuffle<i32>(k0, k1, 0, 2, 4, 6);
      const high01 = v128.shuffle<i32>(k0, k1, 1, 3, 5, 7);
      const low23 = v128.shuffle<i32>(k2, k3, 0, 2, 4, 6);
      const high23 = v128.shuffle<i32>(k2, k3, 1, 3, 5, 7);
      s0 = i64x2.add(i64x2.add(s0, swap(d0)), i64x2.extmul_low_i32x4_u(low01, high01));
      s1 = i64x2.add(i64x2.add(s1, swap(d1)), i64x2.extmul_high_i32x4_u(low01, high01));
      s2 = i64x2.add(i64x2.add(s2, swap(d2)), i64x2.extmul_low_i32x4_u(low23, high23));
      s3 = i64x2.add(i64x2.add(s3, swap(d3)), i64x2.extmul_high_i32x4_u(low23, high23));
    }
    if (last) break;
    if (stripes >= STRIPES_A_BLOCK) {
      s0 = scramble(s0, v128.load(secret, 128));
      s1 = scramble(s1, v128.load(secret, 144));
      s2 = scramble(s2, v128.load(secret, 160));
      s3 = scramble(s3, v128.load(secret, 176));
      stripes -= STRIPES_A_BLOCK;
      key = secret;
      end = at + ((min<u32>(stripes, STRIPES_A_BLOCK) * STRIPE) as usize);
    } else {
      last = true;
      key = secret + 121;
      at = p + length - STRIPE;
      end = at + STRIPE;
    }
  }
  const sum = (length as u64) * PRIME64_1;
  return avalanche(
    sum + merge(s0, secret + 11) + merge(s1, secret + 27) + merge(s2, secret + 43) + merge(s3, secret + 59),
  );
}

/** Two of the eight sums, with 16 bytes of the secret. */
// @ts-ignore: decorator
@inline
function merge(sums: v128, key: usize): u64 {
  const keyed = v128.xor(sums, v128.load(key));
  return fold(i64x2.extract_lane(keyed, 0) as u64, i64x2.extract_lane(keyed, 1) as u64);
}
