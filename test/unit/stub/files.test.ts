// Files longer than a call can carry, as streams. If one of these fails, bytes of a file are lost
// or out of order, half of a file is taken for all of it, or memory grows with the file.

import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { BULLET_PIECE_BYTES, BULLET_TRANSFER_BYTES } from "../../../control/interface/bullet.js";
import type { BulletServer } from "../../../control/server/bullet/server.js";
import {
  type CreateOptions,
  createFile,
  type FileReadOptions,
  fileBytes,
  readFile,
  wholeFile,
} from "../../../control/stub/files.js";
import type { MemoryFiles } from "../server/bullet/memory-files.js";
import { Shelf } from "../server/bullet/shelf.js";

const mebibyte = 1024 * 1024;
let shelf: Shelf;
let server: BulletServer;
let files: MemoryFiles;
const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 13) + salt) & 0xff);

beforeEach(() => {
  shelf = new Shelf();
  ({ server, files } = shelf.bullet());
});

const create = (content: Parameters<typeof createFile>[2], options: CreateOptions = {}) =>
  shelf.end(createFile(shelf.near, server.capability(), content, options));

async function pieces(file: Capability, options: FileReadOptions = {}): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  const read = async () => {
    for await (const piece of readFile(shelf.near, file, options)) found.push(piece);
  };
  await shelf.end(read());
  return found;
}

const same = (found: readonly Uint8Array[], data: Uint8Array): boolean =>
  Buffer.compare(Buffer.concat(found), data) === 0;

describe("a file of any length", () => {
  it("goes in and comes out in pieces, whatever chunks it came in", async () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 8 });
    const piece = fc.integer({ min: 1, max: 4000 });
    await fc.assert(
      fc.asyncProperty(lengths, piece, piece, async (cut, into, out) => {
        const whole = of(
          cut.reduce((sum, length) => sum + length, 0),
          cut.length,
        );
        const ends = cut.map((_, index) => cut.slice(0, index + 1).reduce((sum, length) => sum + length, 0));
        const chunks = cut.map((length, index) => whole.subarray((ends[index] ?? 0) - length, ends[index]));
        const file = await create(chunks, { pieceBytes: Math.max(into, whole.length >> 4) || 1 });
        expect(await shelf.end(fileBytes(shelf.near, file))).toBe(whole.length);
        const read = await pieces(file, { pieceBytes: Math.max(out, whole.length >> 4) || 1 });
        expect(same(read, whole)).toBe(true);
      }),
      { numRuns: 15 },
    );
    expect(files.usage().drafts).toBe(0);
    expect(shelf.failures).toEqual([]);
  });

  it("of a few MiB takes calls of 1 MiB, and any part of it can be had", async () => {
    const data = of(3 * mebibyte + 5);
    const file = await create(data);
    expect((await pieces(file)).map(({ length }) => length)).toEqual([mebibyte, mebibyte, mebibyte, 5]);
    const part = await pieces(file, { position: 10, length: 1_258_291 });
    expect(same(part, data.subarray(10, 10 + 1_258_291))).toBe(true);
    expect(await pieces(file, { position: data.length })).toEqual([]);
    expect(await shelf.refused(pieces(file, { position: data.length + 1 }))).toBe("STD_ARGBAD");
    expect(await pieces(file, { length: 0 })).toEqual([]);
    expect(same([await shelf.end(wholeFile(shelf.near, file))], data)).toBe(true);
    expect(await shelf.refused(wholeFile(shelf.near, file, { bytesMax: mebibyte }))).toBe("FILE_TOO_LARGE");
  });

  it("takes one call when it fits into one, and nothing but the original's when that is asked", async () => {
    const seen = () => shelf.far.counters();
    const before = seen();
    await create(of(1000));
    expect(seen().requestsIn - before.requestsIn).toBe(1);
    const data = of(3 * BULLET_TRANSFER_BYTES + 1);
    const file = await create([data], { pieceBytes: BULLET_TRANSFER_BYTES });
    expect(same(await pieces(file, { pieceBytes: BULLET_TRANSFER_BYTES }), data)).toBe(true);
  });

  it("is lent piece by piece, and every piece is given back, whenever the reader stops", async () => {
    const pieceBytes = 256 * 1024;
    const data = of(3 * pieceBytes + 5);
    const file = await create(data);
    const whole = Buffer.alloc(data.length);
    const read = async (stopAt: number) => {
      let at = 0;
      for await (const piece of readFile(shelf.near, file, { pieceBytes, lent: true })) {
        whole.set(piece, at);
        at += piece.length;
        if (at >= stopAt) break;
      }
    };
    await shelf.end(read(Number.POSITIVE_INFINITY));
    expect(whole.equals(data)).toBe(true);
    const { taken } = shelf.near.buffers;
    for (const stopAt of [1, pieceBytes + 1, data.length, 1, 1]) await shelf.end(read(stopAt));
    await shelf.end(fileBytes(shelf.near, file)); // pieces that were read ahead have come
    expect(shelf.near.buffers.taken).toBe(taken);
  });

  it("arrives whole over a network that loses frames", async () => {
    const far = shelf.faulty({ loss: 0.01, reorder: 0.05 });
    const { server: lossy } = shelf.bullet(far);
    const data = of(mebibyte + 99);
    const options = { pieceBytes: 65_536, window: 8 };
    const file = await shelf.end(createFile(shelf.near, lossy.capability(), data, options));
    expect(same(await pieces(file, options), data)).toBe(true);
    expect(shelf.failures).toEqual([]);
  });

  it("arrives with pieces that overtake each other, few of which are sent twice", async () => {
    const lossy = shelf.faulty({ loss: 0.02 });
    const before = shelf.far.counters().requestsIn;
    const data = of(13 * 30_000 - 5);
    const options = { pieceBytes: 30_000, window: 4 };
    const file = await shelf.end(createFile(lossy, server.capability(), data, options));
    expect(same(await pieces(file, { pieceBytes: 300_000 }), data)).toBe(true);
    expect(shelf.far.counters().requestsIn - before).toBeLessThan(30);
    expect(shelf.alarms.count).toBe(1); // the sweep's
  });

  it("that the server has is that file, when it is asked for on it", async () => {
    const data = of(200_000);
    const file = await create(data);
    const options = { pieceBytes: 65_536 };
    expect(await shelf.end(createFile(shelf.near, file, data, options))).toEqual(file);
    expect(await shelf.end(createFile(shelf.near, file, of(200_000, 2), options))).not.toEqual(file);
    expect([...files.files()]).toHaveLength(2);
  });

  it("can be left open for changes", async () => {
    const file = await create(of(100_000), { commit: false, pieceBytes: 65_536 });
    expect(await shelf.refused(fileBytes(shelf.near, file))).toBe("STD_CAPBAD");
    const end = { position: 0, data: of(1, 9), flags: 1 };
    await shelf.end(shelf.calls(file).modify(end));
    expect(await shelf.end(fileBytes(shelf.near, file))).toBe(100_000);
  });
});

describe("a transfer", () => {
  it("holds a few pieces at a time, however long the file is", async () => {
    let [taken, sent, most] = [0, 0, 0];
    async function* source() {
      for (let piece = 0; piece < 20; piece++) {
        most = Math.max(most, taken - sent);
        taken++;
        yield of(10_000, piece);
      }
    }
    const before = shelf.far.counters().requestsIn;
    const watch = {
      piece: () => {
        sent = shelf.far.counters().requestsIn - before;
      },
    };
    await create(source(), { pieceBytes: 10_000, window: 3, watch });
    expect(most).toBeLessThanOrEqual(6);
  });

  it("shows every byte in order to who watches, and the length at its end", async () => {
    const data = of(250_000);
    const seen: Uint8Array[] = [];
    const ends: number[] = [];
    const watch = {
      piece(piece: Uint8Array, position: number) {
        expect(position).toBe(seen.reduce((sum, { length }) => sum + length, 0));
        seen.push(piece.slice());
      },
      end: (bytes: number) => void ends.push(bytes),
    };
    const file = await create(data, { pieceBytes: 65_536, watch });
    expect(same(seen.splice(0), data)).toBe(true);
    await pieces(file, { pieceBytes: 65_536, watch, position: 3 });
    expect(same(seen, data.subarray(3))).toBe(true);
    expect(ends).toEqual([250_000, 249_997]);
  });

  it("makes no file when its source fails, or who watches says no", async () => {
    async function* broken() {
      yield of(100_000);
      throw new Error("the disk cannot be read");
    }
    await expect(create(broken(), { pieceBytes: 10_000 })).rejects.toThrow("cannot be read");
    const end = () => {
      throw new Error("the sum is wrong");
    };
    await expect(create(of(100_000), { pieceBytes: 10_000, watch: { end } })).rejects.toThrow("sum is wrong");
    await expect(create(of(10), { watch: { end } })).rejects.toThrow("sum is wrong");
    expect(files.usage()).toMatchObject({ files: 0, drafts: 0 });
  });

  it("makes no file when the server is full on its way", async () => {
    const small = shelf.bullet(shelf.far, { capacity: 50_000 });
    const options = { pieceBytes: 10_000 };
    const making = createFile(shelf.near, small.server.capability(), of(60_000), options);
    expect(await shelf.refused(making)).toBe("STD_NOSPACE");
    expect(small.files.usage()).toMatchObject({ files: 0, drafts: 0 });
  });

  it("ends when the reader has seen enough, or the file went on its way", async () => {
    const file = await create(of(100_000));
    const some = async () => {
      for await (const piece of readFile(shelf.near, file, { pieceBytes: 1000 })) return piece.length;
      return 0;
    };
    expect(await shelf.end(some())).toBe(1000);
    const until = async () => {
      let count = 0;
      for await (const _ of readFile(shelf.near, file, { pieceBytes: 1000, window: 2 }))
        if (++count === 3) await shelf.calls(file).destroy();
    };
    expect(await shelf.refused(until())).toBe("STD_CAPBAD");
  });

  it("is not begun with pieces that no call can carry", async () => {
    for (const pieceBytes of [0, -1, 1.5, BULLET_PIECE_BYTES + 1])
      await expect(create(of(1), { pieceBytes })).rejects.toThrow(RangeError);
  });
});
