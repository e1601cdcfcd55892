// If one of these fails, a member forgets what it is, or takes rubbish for a record.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cursor, Unfit } from "../../../../../control/interface/types.js";
import { RECORD_BYTES } from "../../../../../control/server/disk/member/layout.js";
import {
  EXTENTS_MAX,
  HISTORY_MAX,
  MEMBERS_MAX,
  type MemberRecord,
  mapBytesOf,
} from "../../../../../control/server/disk/member/record.js";
import {
  decodeRecord,
  encodeRecord,
  memberRecord,
  NAME_BYTES_MAX,
  NODE_BYTES_MAX,
  PATH_BYTES_MAX,
} from "../../../../../control/server/disk/member/record-codec.js";
import { newUpkeep } from "../../../../../control/server/disk/storage/upkeep.js";

const raw = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const word = (bytesMax: number) => fc.string({ maxLength: bytesMax }).filter((text) => !text.includes("\0"));
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const records: fc.Arbitrary<MemberRecord> = fc.integer({ min: 0, max: 2 ** 30 }).chain((blocks) => {
  const map = raw(mapBytesOf(blocks));
  const member = fc.record({
    ...{ id: raw(16), node: word(20), path: word(40), isWitness: fc.boolean(), since: u64 },
    capability: fc.record({ port: raw(6), private: raw(10) }),
    blocks: fc.nat({ max: blocks }),
    state: fc.constantFrom("in-sync" as const, "syncing" as const, "out" as const),
    lacks: fc.option(map),
  });
  const count = fc.maxSafeNat();
  const upkeep = fc.record({
    ...{ memberTimeoutMs: count, resyncRest: count, resyncBytesPerSecond: count, scrubEveryMs: count },
    scrubBytesPerSecond: count,
    scrub: fc.record({
      ...{ beganAt: count, block: count, mended: count, bytesPerSecond: count },
      ...{ endedAt: count, lastMended: count, dueAt: count },
    }),
  });
  const storage = fc.record({
    ...{ age: raw(16), secret: raw(32), name: word(30), algorithm: word(20), blocks: fc.constant(blocks) },
    ack: fc.constantFrom("all" as const, "quorum" as const, "one" as const),
    serve: fc.constantFrom("majority" as const, "any" as const),
    onSplit: fc.constantFrom("keep" as const, "ask" as const),
  });
  return fc.record({
    ...{ storage, member: raw(16), members: fc.array(member, { maxLength: MEMBERS_MAX }), server: u64 },
    ...{ epoch: fc.maxSafeNat(), generation: u64, history: fc.array(u64, { maxLength: HISTORY_MAX }) },
    ...{ isClean: fc.boolean(), activity: map },
    upkeep: fc.option(upkeep, { nil: undefined }),
  });
});

const stored = fc.record({ record: records, sequence: fc.maxSafeNat(), isBound: fc.boolean() });

/** Everything as long as it may be. */
function largest(): MemberRecord {
  const blocks = EXTENTS_MAX * 1024;
  const map = new Uint8Array(mapBytesOf(blocks)).fill(0xff);
  const capability = { port: new Uint8Array(6), private: new Uint8Array(10) };
  const member = {
    ...{
      id: new Uint8Array(16),
      node: "n".repeat(NODE_BYTES_MAX),
      path: "p".repeat(PATH_BYTES_MAX),
      capability,
    },
    ...{ isWitness: false, blocks, state: "out" as const, since: 2n ** 64n - 1n, lacks: map },
  };
  const name = "s".repeat(NAME_BYTES_MAX);
  const kinds = { algorithm: "a".repeat(32), ack: "all", serve: "any", onSplit: "keep" } as const;
  return {
    storage: { age: new Uint8Array(16), secret: new Uint8Array(32), name, blocks, ...kinds },
    ...{ member: new Uint8Array(16), members: Array.from({ length: MEMBERS_MAX }, () => member) },
    ...{ epoch: 1, server: 1n, generation: 1n, isClean: false, activity: map },
    history: Array.from({ length: HISTORY_MAX }, () => 2n ** 64n - 1n),
    upkeep: newUpkeep(),
  };
}

describe("a record", () => {
  it("is read as it was written, on the medium and on the wire", () => {
    const property = fc.property(stored, (each) => {
      expect(decodeRecord(encodeRecord(each))).toEqual(each);
      const bytes = new Uint8Array(memberRecord.size(each.record));
      memberRecord.write(new Cursor(bytes), each.record);
      expect(memberRecord.read(new Cursor(bytes))).toEqual(each.record);
    });
    fc.assert(property, { numRuns: 15, seed: 5 });
  });

  it("of before there was upkeep is read as one without", () => {
    const { upkeep: _, ...record } = largest();
    const bytes = encodeRecord({ record, sequence: 1, isBound: false });
    expect(decodeRecord(bytes)?.record.upkeep).toBe(undefined);
    expect(decodeRecord(bytes)?.record).toEqual({ ...record, upkeep: undefined });
  });

  it("fits, however much there is to say", () => {
    const record = largest();
    expect(decodeRecord(encodeRecord({ record, sequence: 1, isBound: true }))?.record).toEqual(record);
  });

  it("that cannot be is refused before it is written", () => {
    const record = largest();
    const wrong: Partial<MemberRecord>[] = [
      { member: new Uint8Array(15) },
      { epoch: -1 },
      { epoch: 0.5 },
      { activity: new Uint8Array(1025) },
      { storage: { ...record.storage, name: "s".repeat(256) } },
      { history: Array.from({ length: HISTORY_MAX + 1 }, () => 1n) },
    ];
    for (const changes of wrong)
      expect(() => encodeRecord({ record: { ...record, ...changes }, sequence: 1, isBound: false })).toThrow(
        Unfit,
      );
  });

  it("is not there in rubbish, or when any byte of it changed", () => {
    const bytes = encodeRecord({ record: largest(), sequence: 7, isBound: true });
    for (let at = 0; at < RECORD_BYTES; at += at < 600 ? 1 : 97) {
      const other = bytes.slice();
      other[at] = (other[at] ?? 0) ^ 0x10;
      expect(decodeRecord(other)).toBeNull();
    }
    const rubbish = fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat({ max: 30 }), (noise, at) => {
      const other = bytes.slice();
      other.set(noise, at);
      if (Buffer.compare(other, bytes) !== 0) expect(decodeRecord(other)).toBeNull();
      expect(decodeRecord(noise)).toBeNull();
    });
    fc.assert(rubbish, { numRuns: 100, seed: 6 });
    expect(decodeRecord(new Uint8Array(RECORD_BYTES))).toBeNull();
  });

  it("with maps of another size than the storage's is none", () => {
    const record = { ...largest(), activity: new Uint8Array(3) };
    expect(decodeRecord(encodeRecord({ record, sequence: 7, isBound: true }))).toBeNull();
  });
});
