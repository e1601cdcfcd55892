// The FLIP header inside the kernel: what check() lets through every later file trusts.

import * as flip from "../../../core-wasm/wire/flip";
import {
  ETHERTYPE_FLIP,
  MAC_BROADCAST,
  etherType,
  isMulticast,
  macOf,
  multicastMac,
  setEtherType,
  setMac,
} from "../../../core-wasm/wire/ethernet";
import { FRAME_MALFORMED } from "../../../core-wasm/status";

const packet = memory.data(128, 8);

function header(type: u32, length: u32, offset: u32, total: u32): void {
  memory.fill(packet, 0, 128);
  const to: u64 = 0x1122334455667788;
  const from: u64 = 0x99aabbccddeeff00;
  flip.flipHeader(packet, type, flip.FLIP_SECURITY, 3, 25, to, from, 0x01020304, length, offset, total);
}

/** The header as a big-endian machine sends it. */
function foreign(type: u32, length: u32, offset: u32, total: u32): void {
  header(type, length, offset, total);
  flip.swapFlip(packet);
  flip.setFlags(packet, flip.flags(packet) | flip.FLIP_BIGENDIAN);
}

describe("a FLIP packet", () => {
  it("has every field where it was put, so that no two overlap", () => {
    header(flip.FLIP_UNIDATA, 8, 1458, 1466);
    expect(flip.version(packet)).toBe(1);
    expect(flip.flipType(packet)).toBe(flip.FLIP_UNIDATA);
    expect(flip.flags(packet)).toBe(flip.FLIP_SECURITY);
    expect(load<u8>(packet, 3)).toBe(0);
    expect(flip.actHop(packet)).toBe(3);
    expect(flip.maxHop(packet)).toBe(25);
    expect(flip.destination(packet)).toBe(0x1122334455667788);
    expect(flip.source(packet)).toBe(0x99aabbccddeeff00);
    expect(flip.messageId(packet)).toBe(0x01020304);
    expect(flip.dataLength(packet)).toBe(8);
    expect(flip.dataOffset(packet)).toBe(1458);
    expect(flip.dataTotal(packet)).toBe(1466);
  });

  it("of a big-endian machine is little-endian after the check, once and for all", () => {
    foreign(flip.FLIP_UNIDATA, 8, 1458, 1466);
    expect(flip.check(packet, 48)).toBe(0);
    expect(flip.flags(packet)).toBe(flip.FLIP_SECURITY);
    expect(flip.messageId(packet)).toBe(0x01020304);
    expect(flip.check(packet, 48)).toBe(0);
    expect(flip.dataOffset(packet)).toBe(1458);
  });

  it("may have padding behind it, but never more length than arrived", () => {
    header(flip.FLIP_UNIDATA, 8, 0, 8);
    expect(flip.check(packet, 60)).toBe(0);
    expect(flip.check(packet, 48)).toBe(0);
    expect(flip.check(packet, 47)).toBe(FRAME_MALFORMED);
    expect(flip.check(packet, 39)).toBe(FRAME_MALFORMED);
    expect(flip.check(packet, 0)).toBe(FRAME_MALFORMED);
  });

  it("never reaches past its message, also when the sum wraps", () => {
    header(flip.FLIP_UNIDATA, 8, 0, 7);
    expect(flip.check(packet, 60)).toBe(FRAME_MALFORMED);
    header(flip.FLIP_UNIDATA, 8, 0xfffffff8, 0);
    expect(flip.check(packet, 60)).toBe(FRAME_MALFORMED);
    header(flip.FLIP_UNIDATA, 8, 0xfffffffc, 4);
    expect(flip.check(packet, 60)).toBe(FRAME_MALFORMED);
    header(flip.FLIP_UNIDATA, 0, 0, 0x80000000);
    expect(flip.check(packet, 60)).toBe(FRAME_MALFORMED);
    header(flip.FLIP_UNIDATA, 8, 0x7ffffff7, 0x7fffffff);
    expect(flip.check(packet, 60)).toBe(0);
  });

  it("has one of six types", () => {
    for (let type: u32 = 0; type < 256; type++) {
      header(type, 4, 0, 4);
      flip.setHereisCount(packet, 1);
      expect(flip.check(packet, 44) == 0).toBe(type >= 1 && type <= 6);
    }
  });
});

describe("a HEREIS", () => {
  it("counts at least one endpoint and no more trusted ones than there are", () => {
    header(flip.FLIP_HEREIS, 4, 0, 4);
    expect(flip.check(packet, 44)).toBe(FRAME_MALFORMED);
    flip.setHereisCount(packet, 2);
    flip.setHereisTrusted(packet, 2);
    expect(flip.check(packet, 44)).toBe(0);
    flip.setHereisTrusted(packet, 3);
    expect(flip.check(packet, 44)).toBe(FRAME_MALFORMED);
    header(flip.FLIP_HEREIS, 3, 0, 4);
    flip.setHereisCount(packet, 1);
    expect(flip.check(packet, 44)).toBe(FRAME_MALFORMED);
  });

  it("of a big-endian machine has its counts turned round", () => {
    foreign(flip.FLIP_HEREIS, 4, 0, 4);
    store<u32>(packet + 40, 0x01000200); // bytes 00 02 00 01
    expect(flip.check(packet, 44)).toBe(0);
    expect(flip.hereisCount(packet)).toBe(2);
    expect(flip.hereisTrusted(packet)).toBe(1);
  });
});

describe("an Ethernet address", () => {
  it("is six bytes, and touches no more", () => {
    memory.fill(packet, 0x5a, 16);
    setMac(packet + 1, 0x060504030201);
    expect(load<u8>(packet)).toBe(0x5a);
    expect(load<u8>(packet, 1)).toBe(1);
    expect(load<u8>(packet, 6)).toBe(6);
    expect(load<u8>(packet, 7)).toBe(0x5a);
    expect(macOf(packet + 1)).toBe(0x060504030201);
  });

  it("of a group is 55:55 and bytes 2 to 5 of its FLIP address", () => {
    setMac(packet, multicastMac(0x8877665544332211));
    expect(load<u16>(packet)).toBe(0x5555);
    expect(load<u8>(packet, 2)).toBe(0x33);
    expect(load<u8>(packet, 5)).toBe(0x66);
    expect(isMulticast(multicastMac(0))).toBe(true);
    expect(isMulticast(MAC_BROADCAST)).toBe(true);
    expect(isMulticast(0x010203040502)).toBe(false);
  });

  it("comes with the type in network order", () => {
    setEtherType(packet, ETHERTYPE_FLIP);
    expect(load<u8>(packet, 12)).toBe(0x81);
    expect(etherType(packet)).toBe(ETHERTYPE_FLIP);
  });
});
