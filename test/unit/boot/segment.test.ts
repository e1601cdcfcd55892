// Segments on a metal machine are those of a Linux machine to whoever uses them: the same stub, the same
// answers, rights that hold, and no more memory than there is.

import { beforeEach, describe, expect, it } from "vitest";
import { type Capability, capabilityOf } from "../../../control/capability/capability.js";
import {
  SEGMENT_OBJECT_BASE,
  SEGMENT_PIECE_BYTES,
  segmentTable,
} from "../../../control/interface/segment.js";
import { fromHex } from "../../../control/kernel/bytes.js";
import { stub } from "../../../control/stub/client.js";
import { readSegment, writeSegment } from "../../../control/stub/segments.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { type Made, made, until } from "./metal-room.js";

const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + salt) & 0xff);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

let there: Made;
let server: Capability;

function boot(memoryMebibytes: number): void {
  there = made({ version: 2 }, { memoryMebibytes });
  server = capabilityOf(fromHex(there.machine.served().capabilities.segment) ?? new Uint8Array(16));
}

const calls = (capability: Capability) => stub(there.client, segmentTable, capability);
const end = <Value>(promise: Promise<Value>): Promise<Value> => until(there, promise, 20_000);
async function refused(promise: Promise<unknown>): Promise<string> {
  try {
    await end(promise);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "it was granted";
}
const create = async (bytes: number) => (await end(calls(server).create({ bytes }))).segment;

describe("a segment of a metal machine", () => {
  beforeEach(() => boot(30));

  it("is zeros when it is new, and gives back what was written, in pieces of any size", async () => {
    const segment = await create(3 * SEGMENT_PIECE_BYTES);
    expect((await end(calls(segment).read({ position: 5, count: 1000 }))).data).toEqual(new Uint8Array(1000));
    const data = of(2 * SEGMENT_PIECE_BYTES + 12_345);
    await end(writeSegment(there.client, segment, [data], { position: 77 }));
    const read = async (): Promise<Uint8Array> => {
      const got: Uint8Array[] = [];
      for await (const piece of readSegment(there.client, segment, { position: 77, length: data.length }))
        got.push(piece.slice());
      return Buffer.concat(got);
    };
    expect(same(await end(read()), data)).toBe(true);
    expect((await end(calls(segment).size())).bytes).toBe(3 * SEGMENT_PIECE_BYTES);
  });

  it("ends where it ends", async () => {
    const segment = calls(await create(100));
    expect((await end(segment.read({ position: 90, count: 20 }))).data.length).toBe(10);
    expect((await end(segment.read({ position: 100, count: 20 }))).data.length).toBe(0);
    expect(await refused(segment.read({ position: 101, count: 1 }))).toBe("STD_ARGBAD");
    expect(await refused(segment.read({ position: 0xffff_ffff, count: 10 }))).toBe("STD_ARGBAD");
    expect(await refused(segment.write({ position: 99, data: of(2) }))).toBe("STD_ARGBAD");
    expect(await refused(segment.write({ position: 0xffff_ffff, data: of(200) }))).toBe("STD_ARGBAD");
    expect(await refused(segment.read({ position: 0, length: SEGMENT_PIECE_BYTES + 1 }))).toBe("STD_ARGBAD");
    expect(await refused(segment.grow({ bytes: 99 }))).toBe("STD_ARGBAD");
    expect(await refused(calls(server).create({ bytes: -1 }))).toBe("STD_ARGBAD");
  });

  it("keeps its bytes when it grows, where it lies or elsewhere, and what is new is zeros", async () => {
    const first = await create(1000);
    await create(1000); // stands behind it
    await end(calls(first).write({ position: 0, data: of(1000) }));
    await end(calls(first).grow({ bytes: 50_000 }));
    const { data } = await end(calls(first).read({ position: 0, length: 3000 }));
    expect(same(data, Buffer.concat([of(1000), new Uint8Array(2000)]))).toBe(true);
  });

  it("can begin as another one's bytes, of a capability that may be read", async () => {
    const segment = await create(500);
    await end(calls(segment).write({ position: 0, data: of(500) }));
    const longer = (await end(calls(server).create({ bytes: 600, source: segment }))).segment;
    const { data } = await end(calls(longer).read({ position: 0, count: 600 }));
    expect(same(data, Buffer.concat([of(500), new Uint8Array(100)]))).toBe(true);
    const { copy } = await end(calls(server).copy({ source: segment }));
    expect((await end(calls(copy).size())).bytes).toBe(500);
    const blind = (await end(calls(segment).restrict({ mask: 0x02 }))).capability;
    expect(await refused(calls(server).copy({ source: blind }))).toBe("STD_DENIED");
    const elsewhere = { ...segment, port: of(6) };
    expect(await refused(calls(server).copy({ source: elsewhere }))).toBe("STD_NOTFOUND");
  });

  it("gives its memory back, and no more than there is", async () => {
    expect(await refused(create(64 * 1024 * 1024))).toBe("STD_NOSPACE");
    for (let i = 0; i < 40; i++) {
      const segment = await create(4 * 1024 * 1024);
      await end(calls(segment).destroy());
      expect(await refused(calls(segment).size())).toBe("STD_CAPBAD");
    }
    expect((await end(calls(server).status())).text).toMatch(/segments 0 of 256\nbytes taken 0 of 7340032/);
  });

  it("cannot be mapped: nobody else is there", async () => {
    expect(await refused(calls(await create(10)).map({}))).toBe("STD_COMBAD");
  });
});

describe("capabilities of a metal machine's segments", () => {
  beforeEach(() => boot(30));

  it("give what they say, restricted or not, and nothing after a revocation", async () => {
    const segment = await create(10);
    const reader = (await end(calls(segment).restrict({ mask: 0x01 }))).capability;
    await end(calls(reader).read({ position: 0, count: 10 }));
    expect(await refused(calls(reader).write({ position: 0, data: of(1) }))).toBe("STD_DENIED");
    expect(await refused(calls(reader).destroy())).toBe("STD_DENIED");
    const forged = {
      ...reader,
      private: Uint8Array.from(reader.private, (byte, i) => (i === 3 ? 0xff : byte)),
    };
    expect(await refused(calls(forged).write({ position: 0, data: of(1) }))).toBe("STD_CAPBAD");
    const { capability } = await end(calls(segment).revoke());
    for (const old of [segment, reader]) expect(await refused(calls(old).size())).toBe("STD_CAPBAD");
    await end(calls(capability).size());
  });

  it("are of the server or of a segment, and each has its operations", async () => {
    const segment = await create(10);
    expect(await refused(calls(segment).create({ bytes: 1 }))).toBe("STD_COMBAD");
    expect(await refused(calls(server).size())).toBe("STD_COMBAD");
    expect(await refused(calls(server).destroy())).toBe("STD_COMBAD");
    expect((await end(calls(segment).info({}))).text).toBe("segment of 10 bytes");
    expect((await end(calls(server).info({ most: 7 }))).text).toBe("segment");
    expect(segment.private[2]).toBe(SEGMENT_OBJECT_BASE >> 16);
  });

  it("are guessed at a bounded rate, which does not lock out who is at work", async () => {
    const segment = await create(10);
    await end(calls(segment).size());
    const reader = (await end(calls(segment).restrict({ mask: 0x01 }))).capability; // not used yet
    const random = new SeededRandom(5);
    const guesses = Array.from({ length: 600 }, () =>
      Uint8Array.from(segment.private, (byte, at) => (at < 4 ? byte : random.next() >>> 24)),
    );
    expect(await refused(calls(server).ntouch({ objects: Buffer.concat(guesses) }))).toBe("STD_NOTNOW");
    expect(await refused(calls(reader).size())).toBe("STD_NOTNOW");
    expect((await end(calls(segment).size())).bytes).toBe(10);
    there.room.clock.advance(1_000_000);
    await end(calls(reader).size());
  });
});

describe("segments that nobody touches", () => {
  beforeEach(() => boot(30));

  it("are destroyed by AGE after their lifetime; TOUCH and NTOUCH keep others", async () => {
    const [gone, touched, many] = [await create(1), await create(2), await create(3)];
    await end(calls(server).setparams({ settings: [{ name: "lifetime", value: "2" }] }));
    const objects = Buffer.concat([many.private, touched.private]);
    for (let i = 0; i < 3; i++) {
      await end(calls(touched).touch());
      expect((await end(calls(server).ntouch({ objects }))).touched).toBe(2);
      await end(calls(server).age());
    }
    expect(await refused(calls(gone).size())).toBe("STD_CAPBAD");
    await end(calls(touched).size());
    const ages = await end(calls(server).ages({}));
    expect(ages).toMatchObject({ next: 0, lifetime: 2 });
    expect(ages.objects.map(({ age }) => age)).toEqual([1, 1]);
    expect((await end(calls(server).getparams())).parameters).toMatchObject([
      { name: "lifetime", value: "2" },
    ]);
  });

  it.each(["0", "256", "many", "", "2x"])("do not live %j AGEs", async (value) => {
    expect(await refused(calls(server).setparams({ settings: [{ name: "lifetime", value }] }))).toBe(
      "STD_ARGBAD",
    );
    const named = calls(server).setparams({ settings: [{ name: "colour", value: "2" }] });
    expect(await refused(named)).toBe("STD_NOTFOUND");
  });
});

describe("a small metal machine", () => {
  it("has segments too, in shorter pieces", async () => {
    boot(6);
    const segment = await create(100_000);
    await end(calls(segment).write({ position: 1000, data: of(60_000) }));
    const { data } = await end(calls(segment).read({ position: 1000, count: 60_000 }));
    expect(same(data, of(60_000))).toBe(true);
    expect(await refused(calls(segment).read({ position: 0, length: 90_000 }))).toBe("STD_OVERFLOW");
  });
});
