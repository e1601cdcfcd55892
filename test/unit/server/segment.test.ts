// Segments over the wire: what one writes another reads, rights hold, and no more memory is
// given than there is.

import { beforeEach, describe, expect, it } from "vitest";
import { SEGMENT_PIECE_BYTES } from "../../../control/interface/segment.js";
import type { SegmentServer } from "../../../control/server/segment/segment.js";
import { Refused } from "../../../control/stub/refused.js";
import { Pool } from "../stub/pool.js";

let pool: Pool;
let server: SegmentServer;
const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + salt) & 0xff);

beforeEach(() => {
  pool = new Pool();
  server = pool.segments();
});

async function made(bytes: number) {
  const { segment } = await pool.end(pool.segmentStub(server.capability()).create({ bytes }));
  return { segment, calls: pool.segmentStub(segment) };
}

describe("a segment", () => {
  it("is zeros when it is new, and gives back what was written", async () => {
    const { calls } = await made(5000);
    expect((await pool.end(calls.read({ position: 0, count: 5000 }))).data).toEqual(new Uint8Array(5000));
    await pool.end(calls.write({ position: 100, data: of(3000) }));
    expect((await pool.end(calls.read({ position: 100, length: 3000 }))).data).toEqual(of(3000));
    expect((await pool.end(calls.size())).bytes).toBe(5000);
    expect(pool.failures).toEqual([]);
  });

  it("is read and written in pieces of up to 1 MiB", async () => {
    const { calls } = await made(2 * SEGMENT_PIECE_BYTES);
    const data = of(SEGMENT_PIECE_BYTES);
    await pool.end(calls.write({ position: SEGMENT_PIECE_BYTES, data }));
    const read = await pool.end(calls.read({ position: SEGMENT_PIECE_BYTES, length: SEGMENT_PIECE_BYTES }));
    expect(Buffer.compare(read.data, data)).toBe(0);
    expect((await pool.end(calls.read({ position: 0, count: 65535 }))).data.length).toBe(65535);
  });

  it("ends where it ends", async () => {
    const { calls } = await made(100);
    expect((await pool.end(calls.read({ position: 90, count: 20 }))).data.length).toBe(10);
    expect((await pool.end(calls.read({ position: 100, count: 20 }))).data.length).toBe(0);
    expect(await pool.refused(calls.read({ position: 101, count: 1 }))).toBe("STD_ARGBAD");
    expect(await pool.refused(calls.write({ position: 99, data: of(2) }))).toBe("STD_ARGBAD");
    expect(await pool.refused(calls.read({ position: 0, length: SEGMENT_PIECE_BYTES + 1 }))).toBe(
      "STD_ARGBAD",
    );
  });

  it("is not made on a machine that is being emptied, which says so, and those there stay usable", async () => {
    const { segment, calls } = await made(100);
    const all = pool.segmentStub(server.capability());
    pool.draining = true;
    expect(await pool.refused(all.create({ bytes: 10 }))).toBe("STD_NOTNOW");
    expect(await pool.refused(all.create({ bytes: 10, source: segment }))).toBe("STD_NOTNOW");
    expect(await pool.refused(all.copy({ source: segment }))).toBe("STD_NOTNOW");
    expect((await pool.end(all.status())).text).toContain("being emptied");
    await pool.end(calls.write({ position: 0, data: of(100) }));
    await pool.end(calls.grow({ bytes: 200 }));
    expect((await pool.end(calls.read({ position: 0, count: 100 }))).data).toEqual(of(100));
    pool.draining = false;
    await pool.end(all.create({ bytes: 10 }));
    expect(pool.failures).toEqual([]);
  });

  it("keeps its bytes when it grows, also when it must move", async () => {
    const { calls } = await made(1000);
    await made(1000); // stands behind it
    await pool.end(calls.write({ position: 0, data: of(1000) }));
    await pool.end(calls.grow({ bytes: 100_000 }));
    const { data } = await pool.end(calls.read({ position: 0, length: 2000 }));
    expect(data.subarray(0, 1000)).toEqual(of(1000));
    expect(data.subarray(1000)).toEqual(new Uint8Array(1000));
    expect((await pool.end(calls.size())).bytes).toBe(100_000);
    expect(await pool.refused(calls.grow({ bytes: 10 }))).toBe("STD_ARGBAD");
    expect(pool.far.segments.stat().count).toBe(2);
  });

  it("is not accepted any more when it was destroyed, and its memory is free again", async () => {
    const before = pool.far.segments.stat().takenBytes;
    const { calls } = await made(5000);
    await pool.end(calls.destroy());
    expect(await pool.refused(calls.size())).toBe("STD_CAPBAD");
    expect(pool.far.segments.stat().takenBytes).toBe(before);
  });

  it("is copied from this machine and from another one", async () => {
    const other = pool.segments(pool.near);
    for (const [source, target] of [
      [server, other],
      [other, server],
      [server, server],
    ] as const) {
      const create = pool.segmentStub(source.capability()).create({ bytes: 70_000 });
      const { segment } = await pool.end(create);
      await pool.end(pool.segmentStub(segment).write({ position: 0, data: of(70_000, 5) }));
      const { copy } = await pool.end(pool.segmentStub(target.capability()).copy({ source: segment }));
      const { data } = await pool.end(pool.segmentStub(copy).read({ position: 0, length: 70_000 }));
      expect(Buffer.compare(data, of(70_000, 5))).toBe(0);
      const longer = pool.segmentStub(target.capability()).create({ bytes: 70_010, source: segment });
      const clone = pool.segmentStub((await pool.end(longer)).segment);
      expect((await pool.end(clone.read({ position: 69_999, count: 100 }))).data).toEqual(
        Uint8Array.of(of(70_000, 5)[69_999] ?? 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      );
    }
    const gone = pool.segments(pool.near);
    const { segment } = await pool.end(pool.segmentStub(gone.capability()).create({ bytes: 1 }));
    gone.close();
    const orphan = pool.segmentStub(server.capability()).copy({ source: segment });
    expect(await pool.refused(orphan)).toBe("STD_NOTFOUND");
  });

  it("is shared by those who map it, and stays as long as they do", async () => {
    const { segment, calls } = await made(64);
    const mapped = server.map(segment);
    mapped.bytes[3] = 99;
    expect((await pool.end(calls.read({ position: 3, count: 1 }))).data).toEqual(Uint8Array.of(99));
    await pool.end(calls.write({ position: 0, data: Uint8Array.of(1, 2) }));
    expect([...mapped.bytes.subarray(0, 2)]).toEqual([1, 2]);
    expect(await pool.refused(calls.destroy())).toBe("STD_NOTNOW");
    mapped.release();
    mapped.release();
    await pool.end(calls.destroy());
    expect(() => server.map(segment)).toThrow(Refused);
  });

  it("gives no more than it has rights for", async () => {
    const { segment, calls } = await made(64);
    const { capability } = await pool.end(calls.restrict({ mask: 0x01 }));
    const reader = pool.segmentStub(capability);
    expect((await pool.end(reader.read({ position: 0, count: 1 }))).data.length).toBe(1);
    expect(await pool.refused(reader.write({ position: 0, data: of(1) }))).toBe("STD_DENIED");
    expect(await pool.refused(reader.destroy())).toBe("STD_DENIED");
    expect(() => server.map(capability)).toThrow(Refused);
    const forged = { port: segment.port, private: segment.private.slice() };
    forged.private[9] = (forged.private[9] ?? 0) ^ 1;
    expect(await pool.refused(pool.segmentStub(forged).size())).toBe("STD_CAPBAD");
    expect(await pool.refused(calls.create({ bytes: 1 }))).toBe("STD_COMBAD");
    expect(await pool.refused(pool.segmentStub(server.capability()).size())).toBe("STD_COMBAD");
  });
});

describe("the segment server", () => {
  it("says clearly that it is full, and goes on", async () => {
    const create = (bytes: number) => pool.segmentStub(server.capability()).create({ bytes });
    expect(await pool.refused(create(5 * 1024 * 1024))).toBe("STD_NOSPACE");
    expect(await pool.refused(create(-1))).toBe("STD_ARGBAD");
    const held = [];
    for (let i = 0; i < 64; i++) held.push((await pool.end(create(10))).segment);
    expect(await pool.refused(create(10))).toBe("STD_NOSPACE");
    const [first] = held;
    if (first === undefined) throw new Error("none was made");
    await pool.end(pool.segmentStub(first).destroy());
    await pool.end(create(10));
    expect((await pool.end(pool.segmentStub(server.capability()).status())).text).toMatch(
      /^segments 64 of 64\n/,
    );
    expect(pool.failures).toEqual([]);
  });
});
