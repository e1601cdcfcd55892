// Ethernet frames that carry FLIP, with the two bytes of fragment control.
//
// - p is the first byte of the frame; the caller has seen to FRAME_PAYLOAD bytes.
// - A MAC address is a u64: byte 0 of the address in the low 8 bits.
// - No policy: who may send what to whom is flip/'s matter.
// - Source: Amoeba 5 FLIP over Ethernet, fragmentation and flow control.

import {
  ETHERNET_DESTINATION,
  ETHERNET_SOURCE,
  ETHERNET_TYPE,
  FRAGMENT_COUNT,
  FRAGMENT_TYPE,
} from "./formats";
import { load48, store48 } from "./order";

export {
  ETHERNET_DESTINATION,
  ETHERNET_HEADER,
  ETHERNET_SOURCE,
  ETHERTYPE_FLIP,
  FC_ABSCREDIT,
  FC_CHECKED,
  FC_CREDIT,
  FC_DATA,
  FC_HELLO,
  FC_MCACK,
  FC_MCNAK,
  FC_MCREQ,
  FC_REQCREDIT,
  FRAGMENT_CONTROL,
  FRAME_MINIMUM,
  FRAME_PAYLOAD,
  MAC_BYTES,
} from "./formats";

export const MAC_BROADCAST: u64 = 0xffffffffffff;

// @ts-ignore: decorator
@inline
export function etherType(p: usize): u32 {
  return bswap<u16>(load<u16>(p, ETHERNET_TYPE));
}

// @ts-ignore: decorator
@inline
export function setEtherType(p: usize, type: u32): void {
  store<u16>(p, bswap<u16>(<u16>type), ETHERNET_TYPE);
}

/** The address in the six bytes at p, which need not be in a frame. */
// @ts-ignore: decorator
@inline
export function macOf(p: usize): u64 {
  return load48(p);
}

// @ts-ignore: decorator
@inline
export function setMac(p: usize, mac: u64): void {
  store48(p, mac);
}

// @ts-ignore: decorator
@inline
export function frameDestination(p: usize): u64 {
  return load48(p + ETHERNET_DESTINATION);
}

// @ts-ignore: decorator
@inline
export function frameSource(p: usize): u64 {
  return load48(p + ETHERNET_SOURCE);
}

// @ts-ignore: decorator
@inline
export function isMulticast(mac: u64): bool {
  return (mac & 1) != 0;
}

/** The hardware multicast address of a group's public FLIP address: 55:55 and its bytes 2 to 5. */
// @ts-ignore: decorator
@inline
export function multicastMac(flipAddress: u64): u64 {
  return 0x5555 | (flipAddress & 0xffffffff0000);
}

// @ts-ignore: decorator
@inline
export function fragmentType(p: usize): u32 {
  return load<u8>(p, FRAGMENT_TYPE);
}

// @ts-ignore: decorator
@inline
export function setFragmentType(p: usize, type: u32): void {
  store<u8>(p, <u8>type, FRAGMENT_TYPE);
}

// @ts-ignore: decorator
@inline
export function fragmentCount(p: usize): u32 {
  return load<u8>(p, FRAGMENT_COUNT);
}

// @ts-ignore: decorator
@inline
export function setFragmentCount(p: usize, count: u32): void {
  store<u8>(p, <u8>count, FRAGMENT_COUNT);
}
