// If one of these fails, bytes that anyone can send stop a kernel or `proteus decode`.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import { encodeFrame } from "../../../control/kernel/encode.js";
import { dissect } from "../../../control/kernel/wire.js";
import { bytes, capturedFrames, kernel } from "./golden.js";

const ethernet = "ffffffffffff0200a00000018146";
/** A FLIP packet: type, flags, then length, offset and total, little-endian. */
function flip(
  type: number,
  flags: number,
  sizes: readonly [number, number, number],
  arrived: number,
): string {
  const packet = new Uint8Array(40 + arrived);
  packet.set([1, type, flags]);
  sizes.forEach((size, i) => {
    new DataView(packet.buffer).setUint32(28 + 4 * i, size, (flags & 1) === 0);
  });
  return toHex(packet);
}

describe("a malformed frame names the layer that is wrong", () => {
  const toUnicast = (packet: string): string =>
    packet.slice(0, 16) + "11".repeat(8) + "22".repeat(8) + packet.slice(48);
  const broken: [string, string, RegExp][] = [
    ["nothing", "", /^ethernet: 0 bytes/],
    ["another protocol", `ffffffffffff0200a00000010800${"00".repeat(46)}`, /^ethernet: type 0800/],
    ["no fragment control", ethernet, /^fragment: the frame ends/],
    ["unknown control type", `${ethernet}6300`, /^fragment: unknown type 99/],
    ["half a multicast request", `${ethernet}0300${"00".repeat(15)}`, /^fragment: 15 bytes/],
    ["half a FLIP header", `${ethernet}0000${"00".repeat(39)}`, /^flip: 39 bytes/],
    ["FLIP type 0", `${ethernet}0000${flip(0, 0, [0, 0, 0], 0)}`, /^flip: unknown type 0/],
    ["FLIP type 7", `${ethernet}0000${flip(7, 0, [0, 0, 0], 0)}`, /^flip: unknown type 7/],
    ["more length than bytes", `${ethernet}0000${flip(3, 0, [5, 0, 5], 4)}`, /^flip: length 5, but only 4/],
    ["the same, big-endian", `${ethernet}0000${flip(3, 1, [5, 0, 5], 4)}`, /^flip: length 5, but only 4/],
    [
      "an offset that wraps",
      `${ethernet}0000${flip(3, 0, [4, 0xfffffffe, 2], 4)}`,
      /^flip: offset 4294967294/,
    ],
    [
      "a total past 31 bits",
      `${ethernet}0000${flip(3, 0, [0, 0, 0x80000000], 0)}`,
      /^flip: total 2147483648/,
    ],
    ["a HEREIS without counts", `${ethernet}0000${flip(2, 0, [0, 0, 0], 0)}`, /^flip: a HEREIS carries 4/],
    ["a HEREIS of nobody", `${ethernet}0000${flip(2, 0, [4, 0, 4], 4)}`, /^flip: the counts/],
    [
      "a broadcast without its word",
      `${ethernet}0000${flip(4, 0, [3, 0, 3], 3)}`,
      /^flip: a broadcast without/,
    ],
    [
      "an unknown protocol",
      `${ethernet}0000${flip(4, 0, [4, 0, 4], 4)}`,
      /^flip: a broadcast for unknown protocol 0/,
    ],
    [
      "a short REQUEST",
      `${ethernet}0000${toUnicast(flip(3, 0, [24, 0, 24], 0))}${"77".repeat(14)}0300${"00".repeat(8)}`,
      /^rpc: 0 bytes behind the header are too few for REQUEST/,
    ],
  ];
  it.each(broken)("%s", (_, hex, error) => {
    expect(dissect(kernel, bytes(hex)).error).toMatch(error);
  });
});

describe("hostile bytes", () => {
  const anyBytes = fc.uint8Array({ maxLength: 400 });

  it("never stop the kernel's checks", () => {
    fc.assert(
      fc.property(anyBytes, fc.boolean(), (packet, broadcast) => {
        kernel.checkFlip(packet);
        kernel.checkRpc(packet, broadcast);
        kernel.checkGroup(packet, broadcast);
        kernel.parse("capability", String.fromCharCode(...packet.map((byte) => byte & 0x7f)));
      }),
      { numRuns: 2000 },
    );
  });

  it("always give layers, an error or both, also when a good frame was damaged", () => {
    const frames = capturedFrames.map(({ hex }) => bytes(hex));
    const damaged = fc
      .tuple(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(1600),
      )
      .map(([frame, changes, length]) => {
        const copy = frame.slice(0, length);
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(anyBytes, damaged), (frame) => {
        const layers = dissect(kernel, frame);
        expect(layers.ethernet ?? layers.error).toBeDefined();
        if (layers.error !== undefined) return;
        // What decodes also encodes, and means the same.
        expect(dissect(kernel, encodeFrame(kernel, layers))).toEqual(layers);
      }),
      { numRuns: 3000 },
    );
  });
});
