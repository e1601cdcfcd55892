// Segments that other processes map: where they move, who is told, and when that ends. The pages
// are a fake's here; the real ones are in test/unit/drivers/shared-memory.test.ts.

import { beforeEach, describe, expect, it } from "vitest";
import type { SegmentServer } from "../../../control/server/segment/segment.js";
import { Refused } from "../../../control/stub/refused.js";
import type { SharedMemory, SharedPages } from "../../../drivers/shared-memory.js";
import { Pool } from "../stub/pool.js";

const pageBytes = 4096;
const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + salt) & 0xff);

/** Pages that remember what was asked of them. */
class FakeMemory implements SharedMemory {
  readonly pageBytes = pageBytes;
  /** What is shared now, by tag. */
  readonly ranges = new Map<string, { readonly range: Uint8Array; readonly sealed: boolean }>();
  full = false;
  stuck = false;
  #made = 0;

  share(range: Uint8Array, sealed: boolean): SharedPages | undefined {
    expect([range.byteOffset % pageBytes, range.length % pageBytes]).toEqual([0, 0]);
    range.fill(0);
    if (this.full) return undefined;
    const tag = `tag-${++this.#made}`;
    this.ranges.set(tag, { range, sealed });
    const withdraw = () => {
      if (this.stuck) return false;
      range.fill(0);
      return this.ranges.delete(tag);
    };
    return { path: `/proc/1/fd/${this.#made}`, tag, boot: "this boot", withdraw };
  }

  of(tag: string) {
    const found = this.ranges.get(tag);
    if (found === undefined) throw new Error(`${tag} is not shared`);
    return found;
  }
}

let pool: Pool;
let fake: FakeMemory;
let server: SegmentServer;

beforeEach(() => {
  pool = new Pool();
  fake = new FakeMemory();
  server = pool.segments(pool.far, fake);
});

async function made(bytes: number) {
  const { segment } = await pool.end(pool.segmentStub(server.capability()).create({ bytes }));
  const calls = pool.segmentStub(segment);
  if (bytes > 0) await pool.end(calls.write({ data: of(bytes) }));
  const reader = pool.segmentStub((await pool.end(calls.restrict({ mask: 0x01 }))).capability);
  return { segment, calls, reader };
}

const taken = () => pool.far.segments.stat().takenBytes;

describe("a segment that is mapped", () => {
  it.each([1, 100, pageBytes - 1, pageBytes, pageBytes + 1, 70_000])(
    "of %i bytes moves onto whole pages of its own, and is the same",
    async (bytes) => {
      await made(48); // others need not lie on pages
      const { calls } = await made(bytes);
      await made(48);
      const place = await pool.end(calls.map({ write: true }));
      expect(place).toEqual({ bytes, path: "/proc/1/fd/1", tag: "tag-1", boot: "this boot" });
      const { range, sealed } = fake.of("tag-1");
      expect(sealed).toBe(false);
      expect(range.length).toBe(Math.ceil(bytes / pageBytes) * pageBytes);
      expect(Buffer.compare(range.subarray(0, bytes), of(bytes))).toBe(0);
      expect(range.subarray(bytes).every((byte) => byte === 0)).toBe(true);
      range[0] = 200;
      expect((await pool.end(calls.read({ count: 1 }))).data).toEqual(Uint8Array.of(200));
      await pool.end(calls.write({ data: Uint8Array.of(201) }));
      expect(range[0]).toBe(201);
      expect((await pool.end(calls.size())).bytes).toBe(bytes);
      expect(await pool.refused(calls.write({ position: bytes, data: of(1) }))).toBe("STD_ARGBAD");
      expect(pool.far.segments.stat().count).toBe(3);
      expect(pool.failures).toEqual([]);
    },
  );

  it("is mapped once, however often it is asked for", async () => {
    const { calls, reader } = await made(100);
    const first = await pool.end(reader.map());
    expect(await pool.end(calls.map({ write: false }))).toEqual(first);
    expect(fake.of(first.tag).sealed).toBe(true);
    expect(fake.ranges.size).toBe(1);
  });

  it("can be written only by who has the right to", async () => {
    const { calls, reader } = await made(100);
    expect(await pool.refused(reader.map({ write: true }))).toBe("STD_DENIED");
    const blind = pool.segmentStub((await pool.end(calls.restrict({ mask: 0x02 }))).capability);
    expect(await pool.refused(blind.map({ write: true }))).toBe("STD_DENIED");
    expect(fake.ranges.size).toBe(0);
    await pool.end(reader.map());
    expect(await pool.refused(calls.map({ write: true }))).toBe("STD_NOTNOW"); // it is sealed
    const { calls: open, reader: reads } = await made(100);
    const place = await pool.end(open.map({ write: true }));
    expect(await pool.end(open.map())).toEqual(place); // he may write anyway
    expect(await pool.refused(reads.map())).toBe("STD_NOTNOW"); // he could write
  });

  it("is withdrawn before it is destroyed, or stays when it cannot be", async () => {
    const before = taken();
    const { calls } = await made(5000);
    const { tag } = await pool.end(calls.map());
    const { range } = fake.of(tag);
    fake.stuck = true;
    expect(await pool.refused(calls.destroy())).toBe("STD_NOTNOW");
    expect(await pool.refused(calls.grow({ bytes: 6000 }))).toBe("STD_NOTNOW");
    expect(Buffer.compare((await pool.end(calls.read({ count: 5000 }))).data, of(5000))).toBe(0);
    fake.stuck = false;
    await pool.end(calls.destroy());
    expect(fake.ranges.size).toBe(0);
    expect(range.every((byte) => byte === 0)).toBe(true);
    expect(taken()).toBe(before);
  });

  it("keeps its bytes when it grows, and is not mapped any more", async () => {
    const { calls } = await made(5000);
    const { tag } = await pool.end(calls.map());
    const { range } = fake.of(tag);
    range[0] = 77;
    await pool.end(calls.grow({ bytes: 9000 }));
    expect(fake.ranges.size).toBe(0);
    const { data } = await pool.end(calls.read({ length: 9000 }));
    const due = new Uint8Array(9000);
    due.set(of(5000));
    due[0] = 77;
    expect(Buffer.compare(data, due)).toBe(0);
    expect((await pool.end(calls.map({ write: true }))).tag).not.toBe(tag);
    expect(pool.far.segments.stat().count).toBe(1);
    expect(pool.failures).toEqual([]);
  });

  it("and one that programs on the kernel map do not get in each other's way", async () => {
    const { segment, calls } = await made(100);
    const own = server.map(segment);
    expect(await pool.refused(calls.map())).toBe("STD_NOTNOW"); // it would move
    own.release();
    const { tag } = await pool.end(calls.map());
    const later = server.map(segment);
    later.bytes[1] = 88;
    expect(fake.of(tag).range[1]).toBe(88);
    expect(await pool.refused(calls.destroy())).toBe("STD_NOTNOW");
    expect(await pool.refused(calls.grow({ bytes: 200 }))).toBe("STD_NOTNOW");
    expect(fake.ranges.size).toBe(1);
    later.release();
    await pool.end(calls.destroy());
    expect(() => server.map(segment)).toThrow(Refused);
  });

  it("is withdrawn when its server ends", async () => {
    const before = taken();
    const held = [await made(10), await made(10)];
    for (const { calls } of held) await pool.end(calls.map());
    server.close();
    expect(fake.ranges.size).toBe(0);
    expect(taken()).toBe(before);
    const last = pool.segments(pool.far, fake);
    const { segment } = await pool.end(pool.segmentStub(last.capability()).create({ bytes: 10 }));
    await pool.end(pool.segmentStub(segment).map());
    fake.stuck = true;
    last.close();
    expect(taken()).toBeGreaterThan(before); // its pages are never given to others
  });
});

describe("mapping", () => {
  it("has a limit, which can be set", async () => {
    const all = pool.segmentStub(server.capability());
    await pool.end(all.setparams({ count: 1, settings: [{ name: "maps", value: "2" }] }));
    const held = [await made(10), await made(10), await made(10)];
    const [first, second, third] = held.map(({ calls }) => calls);
    if (first === undefined || second === undefined || third === undefined) throw new Error("none");
    await pool.end(first.map());
    await pool.end(second.map());
    expect(await pool.refused(third.map())).toBe("STD_NOSPACE");
    expect((await pool.end(all.status())).text).toContain("mapped by processes 2 of 2");
    await pool.end(first.destroy());
    await pool.end(third.map());
    for (const value of ["4097", "-1", "x", ""])
      expect(await pool.refused(all.setparams({ count: 1, settings: [{ name: "maps", value }] }))).toBe(
        "STD_ARGBAD",
      );
  });

  it("that fails changes nothing", async () => {
    const { calls } = await made(100);
    const before = taken();
    fake.full = true;
    expect(await pool.refused(calls.map())).toBe("STD_NOMEM");
    expect(taken()).toBe(before);
    expect((await pool.end(calls.read({ count: 100 }))).data).toEqual(of(100));
    fake.full = false;
    const { calls: large } = await made(3 * 1024 * 1024); // of 4 MiB: it cannot move
    expect(await pool.refused(large.map())).toBe("STD_NOSPACE");
    const { calls: empty } = await made(0);
    expect(await pool.refused(empty.map())).toBe("STD_ARGBAD");
    expect(fake.ranges.size).toBe(0);
    expect(pool.failures).toEqual([]);
  });

  it("is refused where memory cannot be shared", async () => {
    const without = pool.segments(pool.near);
    const { segment } = await pool.end(pool.segmentStub(without.capability()).create({ bytes: 10 }));
    expect(await pool.refused(pool.segmentStub(segment).map())).toBe("STD_COMBAD");
  });
});
