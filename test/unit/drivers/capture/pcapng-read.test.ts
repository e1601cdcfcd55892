// A pcapng stream that is read back in pieces. If one of these fails, a capture on another machine
// shows other frames than passed there.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pcapngHead, pcapngRecord, pcapngStatistics } from "../../../../drivers/capture/pcapng.js";
import { type PcapngBlock, PcapngReader } from "../../../../drivers/capture/pcapng-read.js";

const frame = fc.record({
  place: fc.nat(3),
  timeUs: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  outgoing: fc.constantFrom(true, false, undefined),
  bytes: fc.uint8Array({ maxLength: 200 }),
});
const names = ["eth0", "a-rather-long-1", "ä", "e"];

function stream(frames: readonly (typeof frame extends fc.Arbitrary<infer One> ? One : never)[]): Buffer {
  return Buffer.concat([
    ...pcapngHead("proteus", names),
    ...frames.map(({ place, timeUs, outgoing, bytes }) => pcapngRecord(place, timeUs, outgoing, bytes)),
    pcapngStatistics(2, 17, { received: 10, dropped: 7 }),
  ]);
}

/** Reads a stream that comes in pieces of these sizes, over and over. */
function read(bytes: Buffer, sizes: readonly number[]): PcapngBlock[] {
  const reader = new PcapngReader();
  const blocks: PcapngBlock[] = [];
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const size = sizes[piece % sizes.length] ?? 1;
    blocks.push(...reader.push(bytes.subarray(at, at + size)));
    at += size;
  }
  return blocks;
}

describe("a pcapng stream", () => {
  it("is read as it was written, whatever its pieces", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, pieces) => {
        expect(
          read(stream(frames), pieces).map((block) =>
            block.kind === "frame" ? { ...block, bytes: Uint8Array.from(block.bytes) } : block,
          ),
        ).toEqual([
          ...names.map((name) => ({ kind: "interface", name })),
          ...frames.map((each) => ({ kind: "frame", ...each })),
          { kind: "statistics", place: 2, dropped: 7 },
        ]);
      }),
    );
  });

  it("that is damaged is refused, or read as something else, within its bounds", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 3 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (frames, at, bits) => {
          const bytes = stream(frames);
          const place = at % bytes.length;
          bytes.writeUInt8(bytes.readUInt8(place) ^ bits, place);
          try {
            for (const block of read(bytes, [64]))
              if (block.kind === "frame") expect(block.bytes.length).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(String(error)).toContain("this is no capture");
          }
        },
      ),
    );
  });

  it.each([
    ["words", Buffer.from("Welcome to h1!\n"), "begins with something else"],
    ["a block without end", Buffer.from("0a0d0d0affffffff", "hex"), "a block of"],
    ["another byte order", Buffer.concat(pcapngHead("x", [])).swap32(), "a block of"],
  ])("is not %s", (_, bytes, why) => {
    expect(() => new PcapngReader().push(bytes)).toThrow(why);
  });
});
