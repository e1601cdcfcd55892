// The socket filter decides what a process hears: too little and calls hang, too much and
// two kernels answer for one another. Run here by a small interpreter of classic BPF.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FILTER_GROUPS_MAX, frameFilter, tapFilter } from "../../../../drivers/ethernet/filter.js";
import { BROADCAST, frame, payload } from "../host.js";

const VLAN_TAG_PRESENT = 0xfffff000 + 48;

/** Whether the program passes the frame. */
function passes(program: Uint8Array, bytes: Uint8Array, vlan = 0): boolean {
  const code = new DataView(program.buffer);
  const data = new DataView(bytes.buffer, bytes.byteOffset);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const k = code.getUint32(at * 8 + 4, true);
    const jump = (taken: boolean): void => {
      at += code.getUint8(at * 8 + (taken ? 2 : 3));
    };
    switch (code.getUint16(at * 8, true)) {
      case 0x20:
        accumulator = k === VLAN_TAG_PRESENT ? vlan : data.getUint32(k);
        break;
      case 0x28:
        accumulator = data.getUint16(k);
        break;
      case 0x30:
        accumulator = data.getUint8(k);
        break;
      case 0x15:
        jump(accumulator === k);
        break;
      case 0x45:
        jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return k !== 0;
      default:
        throw new Error("no such instruction");
    }
  }
  throw new Error("ran off the end");
}

const address = (lastByte: number, first = 2) => Uint8Array.of(first, 0, 0, 0, 1, lastByte);
const own = address(1);
const peer = address(2);

describe("the socket filter", () => {
  const program = frameFilter(own, [address(7, 3), address(8, 3)]);
  const to = (destination: Uint8Array, source = peer, ethertype = 0x8146) =>
    passes(program, frame(destination, source, payload(1), ethertype));

  it("passes what is for this process, for everyone, and for its groups", () => {
    expect([own, BROADCAST, address(7, 3), address(8, 3)].map((one) => to(one))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("stops other addresses, other groups, other protocols and VLANs", () => {
    expect(to(peer, address(3))).toBe(false);
    expect(to(address(9, 3))).toBe(false);
    expect(to(own, peer, 0x0800)).toBe(false);
    expect(passes(program, frame(own, peer, payload(1)), 1)).toBe(false);
  });

  it("never passes a frame that this process sent itself, wherever it goes", () => {
    expect([own, BROADCAST, address(7, 3)].map((one) => to(one, own))).toEqual([false, false, false]);
  });

  it("tells addresses apart that differ in one bit", () => {
    fc.assert(
      fc.property(fc.nat(47), (bit) => {
        const near = own.slice();
        near[bit >> 3] = (near[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(to(near)).toBe(false);
        expect(to(own, near)).toBe(true);
      }),
    );
  });

  it("passes all multicast, and no more than that, past its limit of groups", () => {
    const groups = Array.from({ length: FILTER_GROUPS_MAX + 1 }, (_, i) =>
      Uint8Array.of(3, 0, 0, 0, i >> 8, i & 255),
    );
    const full = frameFilter(own, groups);
    expect(passes(full, frame(address(99, 3), peer, payload(1)))).toBe(true);
    expect(passes(full, frame(address(99), peer, payload(1)))).toBe(false);
    const last = groups[FILTER_GROUPS_MAX - 1] ?? own;
    expect(passes(frameFilter(own, groups.slice(0, -1)), frame(last, peer, payload(1)))).toBe(true);
  });
});

describe("the filter of a tap", () => {
  it("passes FLIP frames of anyone to anyone, and nothing else", () => {
    const seen = (ethertype: number, vlan = 0) =>
      passes(tapFilter(), frame(peer, own, payload(1), ethertype), vlan);
    expect([seen(0x8146), seen(0x0800), seen(0x8146, 1)]).toEqual([true, false, false]);
  });
});
