// Byte order: turns the integers of a received header round, in place.
//
// - Each function swaps one integer at an address; twice is the identity.
// - Nothing here knows a format; the check functions beside it do.

// @ts-ignore: decorator
@inline
export function swap16(p: usize): void {
  store<u16>(p, bswap<u16>(load<u16>(p)));
}

// @ts-ignore: decorator
@inline
export function swap32(p: usize): void {
  store<u32>(p, bswap<u32>(load<u32>(p)));
}

// @ts-ignore: decorator
@inline
export function loadBigEndian32(p: usize): u32 {
  return bswap<u32>(load<u32>(p));
}

// @ts-ignore: decorator
@inline
export function storeBigEndian32(p: usize, value: u32): void {
  store<u32>(p, bswap<u32>(value));
}

/** Six bytes as the low 48 bits of a little-endian number: a port or a MAC address. */
// @ts-ignore: decorator
@inline
export function load48(p: usize): u64 {
  return <u64>load<u32>(p) | ((<u64>load<u16>(p, 4)) << 32);
}

// @ts-ignore: decorator
@inline
export function store48(p: usize, value: u64): void {
  store<u32>(p, <u32>value);
  store<u16>(p, <u16>(value >> 32), 4);
}
