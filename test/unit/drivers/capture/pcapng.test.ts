// If one of these fails, Wireshark refuses a capture, or shows a frame at the wrong time or on
// the wrong interface. The end-to-end tests have tshark read such files; this reads the blocks.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pcapHead, pcapRecord } from "../../../../drivers/capture/pcap.js";
import { pcapngHead, pcapngRecord, pcapngStatistics } from "../../../../drivers/capture/pcapng.js";

interface Block {
  readonly type: number;
  readonly body: DataView;
}

/** Cuts a file into its blocks; both lengths of each must agree, and be whole words. */
function blocksOf(file: Uint8Array): Block[] {
  const blocks: Block[] = [];
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = 0; at < file.length; ) {
    const length = view.getUint32(at + 4, true);
    expect(length % 4).toBe(0);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    blocks.push({
      type: view.getUint32(at, true),
      body: new DataView(file.buffer, file.byteOffset + at + 8, length - 12),
    });
    at += length;
  }
  return blocks;
}

/** The options from `at` on: code and value; the list must end with the end of the block. */
function optionsOf(body: DataView, at: number): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let next = at; ; ) {
    const [code, length] = [body.getUint16(next, true), body.getUint16(next + 2, true)];
    if (code === 0) {
      expect(next + 4).toBe(body.byteLength);
      return options;
    }
    options.set(code, new Uint8Array(body.buffer, body.byteOffset + next + 4, length));
    next += 4 + Math.ceil(length / 4) * 4;
  }
}

const bytesOf = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe("a pcapng file", () => {
  it("says who wrote it and which interfaces it has", () => {
    const blocks = blocksOf(bytesOf(...pcapngHead("proteus 1", ["eth0", "wlan12"])));
    expect(blocks.map(({ type }) => type)).toEqual([0x0a0d0d0a, 1, 1]);
    expect(blocks[0]?.body.getUint32(0, true)).toBe(0x1a2b3c4d);
    const names = blocks.slice(1).map(({ body }) => textOf(optionsOf(body, 8).get(2)));
    expect(names).toEqual(["eth0", "wlan12"]);
  });

  it("has every frame whole, with its interface, time and direction", () => {
    const frame = fc.record({
      place: fc.nat(3),
      timeUs: fc.integer({ min: 0, max: 2 ** 52 }),
      outgoing: fc.option(fc.boolean(), { nil: undefined }),
      bytes: fc.uint8Array({ maxLength: 70 }),
    });
    fc.assert(
      fc.property(frame, ({ place, timeUs, outgoing, bytes }) => {
        const [block] = blocksOf(bytesOf(pcapngRecord(place, timeUs, outgoing, bytes)));
        expect(block?.type).toBe(6);
        const body = block?.body ?? new DataView(new ArrayBuffer(0));
        expect(body.getUint32(0, true)).toBe(place);
        expect(body.getUint32(4, true) * 2 ** 32 + body.getUint32(8, true)).toBe(timeUs);
        expect([body.getUint32(12, true), body.getUint32(16, true)]).toEqual([bytes.length, bytes.length]);
        expect(new Uint8Array(body.buffer, body.byteOffset + 20, bytes.length)).toEqual(bytes);
        const flags = optionsOf(body, 20 + Math.ceil(bytes.length / 4) * 4).get(2);
        expect(flags?.[0]).toBe(outgoing === undefined ? undefined : outgoing ? 2 : 1);
      }),
    );
  });

  it("says at its end what was lost", () => {
    const file = bytesOf(pcapngStatistics(1, 1_700_000_000_000_000, { received: 12, dropped: 5 }));
    const [block] = blocksOf(file);
    expect(block?.type).toBe(5);
    const options = optionsOf(block?.body ?? new DataView(new ArrayBuffer(0)), 12);
    expect([options.get(4)?.[0], options.get(5)?.[0]]).toEqual([12, 5]);
  });
});

describe("a pcap file", () => {
  it("has a time of the day in seconds and microseconds", () => {
    const record = new DataView(pcapRecord(1_700_000_000_123_456, Uint8Array.of(1, 2, 3)).buffer);
    expect([0, 4, 8, 12].map((at) => record.getUint32(at, true))).toEqual([1_700_000_000, 123_456, 3, 3]);
    expect(new DataView(pcapHead().buffer).getUint32(0, true)).toBe(0xa1b2c3d4);
  });
});
