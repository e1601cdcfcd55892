// Segments longer than a call can carry: if one of these fails, bytes of a file are lost or end
// up in the wrong place, or memory grows with the segment.

import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { SEGMENT_PIECE_BYTES } from "../../../control/interface/segment.js";
import { readSegment, writeSegment } from "../../../control/stub/segments.js";
import { Pool } from "./pool.js";

const mebibyte = 1024 * 1024;
let pool: Pool;
let segment: Capability;
const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 13) + salt) & 0xff);

async function made(bytes: number): Promise<Capability> {
  const server = pool.segments();
  return (await pool.end(pool.segmentStub(server.capability()).create({ bytes }))).segment;
}

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const piece of pieces) found.push(piece);
  return found;
}

/** Cuts data at these places. */
function* chunks(data: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (const length of lengths) {
    yield data.subarray(at, at + length);
    at += length;
  }
  yield data.subarray(at);
}

beforeEach(async () => {
  pool = new Pool();
  segment = await made(3 * mebibyte + 5);
});

describe("a long segment", () => {
  it("is written from chunks of any length and read in pieces of at most 1 MiB", async () => {
    const data = of(2.5 * mebibyte);
    const cut = chunks(data, [0, 1, 70_000, 1.5 * mebibyte, 0, 17]);
    const told: number[] = [];
    const written = (bytes: number) => void told.push(bytes);
    const write = writeSegment(pool.near, segment, cut, { position: 9, length: data.length, written });
    expect(await pool.end(write)).toBe(data.length);
    expect(told).toEqual([mebibyte, 2 * mebibyte, 2.5 * mebibyte]);
    const read = await pool.end(all(readSegment(pool.near, segment)));
    expect(read.map(({ length }) => length)).toEqual([mebibyte, mebibyte, mebibyte, 5]);
    const bytes = Buffer.concat(read);
    expect(Buffer.compare(bytes.subarray(9, 9 + data.length), data)).toBe(0);
    expect(bytes.subarray(0, 9).every((byte) => byte === 0)).toBe(true);
    const part = await pool.end(all(readSegment(pool.near, segment, { position: 10, length: 1_258_291 })));
    expect(Buffer.compare(Buffer.concat(part), data.subarray(1, 1 + 1_258_291))).toBe(0);
    expect(pool.failures).toEqual([]);
  });

  it("gives what there is when more is wanted, and nothing beyond its end", async () => {
    const rest = await pool.end(all(readSegment(pool.near, segment, { position: 3 * mebibyte, length: 99 })));
    expect(rest.map(({ length }) => length)).toEqual([5]);
    const end = readSegment(pool.near, segment, { position: 3 * mebibyte + 5 });
    expect(await pool.end(all(end))).toEqual([]);
    const beyond = readSegment(pool.near, segment, { position: 3 * mebibyte + 6 });
    expect(await pool.refused(all(beyond))).toBe("STD_ARGBAD");
  });

  it("takes nothing of what cannot fit, when its length is known", async () => {
    const data = of(2 * mebibyte);
    const options = { position: 1.5 * mebibyte, length: data.length };
    let asked = 0;
    function* source() {
      asked++;
      yield data;
    }
    expect(await pool.refused(writeSegment(pool.near, segment, source(), options))).toBe("STD_ARGBAD");
    expect(asked).toBe(0);
    for (const piece of await pool.end(all(readSegment(pool.near, segment))))
      expect(piece.some((byte) => byte !== 0)).toBe(false);
  });

  it("says how far a write came that failed on its way", async () => {
    const write = writeSegment(pool.near, segment, [of(mebibyte), of(mebibyte), of(2 * mebibyte)]);
    await expect(pool.end(write)).rejects.toMatchObject({
      code: "STD_ARGBAD",
      unchanged: `${3 * mebibyte} bytes are written; what lies behind them is as it was, or part of the next piece`,
    });
    async function* broken() {
      yield of(mebibyte + 1);
      throw new Error("the file cannot be read");
    }
    await expect(pool.end(writeSegment(pool.near, segment, broken()))).rejects.toThrow("cannot be read");
  });

  it("holds one piece at a time, however long it is", async () => {
    let ahead = 0;
    function* source() {
      for (let piece = 0; piece < 3; piece++) {
        ahead++;
        yield of(mebibyte, piece);
      }
    }
    const most: number[] = [];
    const written = (bytes: number) => void most.push(ahead - bytes / mebibyte);
    await pool.end(writeSegment(pool.near, segment, source(), { written }));
    expect(most).toEqual([0, 0, 0]);
  });

  it("is the same whatever chunks it came in", async () => {
    const lengths = fc.array(fc.integer({ min: 0, max: SEGMENT_PIECE_BYTES }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 0, max: 5 }), async (cut, position) => {
        const data = of(
          Math.min(
            3 * mebibyte,
            cut.reduce((sum, length) => sum + length, 100),
          ),
          position,
        );
        await pool.end(writeSegment(pool.near, segment, chunks(data, cut), { position }));
        const read = readSegment(pool.near, segment, { position, length: data.length });
        expect(Buffer.compare(Buffer.concat(await pool.end(all(read))), data)).toBe(0);
      }),
      { numRuns: 12 },
    );
  });
});
