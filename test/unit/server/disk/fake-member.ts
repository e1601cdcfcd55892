// A member in memory that fails as it is told.
//
// - It keeps to the contract of port.ts: epochs, leases, sequences, digests, activity, what others lack.
// - `crash` loses what was not flushed, block by block and digest by digest; `start` opens it anew.
// - The ways of servers to it: fake-link.ts.

import { sameBytes } from "../../../../control/kernel/bytes.js";
import { BLOCK_BYTES } from "../../../../control/server/disk/disk.js";
import { DiskError, type DiskErrorCode } from "../../../../control/server/disk/errors.js";
import {
  type Claim,
  DIGEST_BYTES,
  LEASE_MS,
  type MemberFound,
  type MemberPort,
  type MemberWrite,
  type MemberZero,
  type Sequenced,
} from "../../../../control/server/disk/member/port.js";
import {
  extentBlocksOf,
  type MemberEntry,
  type MemberRecord,
} from "../../../../control/server/disk/member/record.js";
import { emptyMap, mark, union } from "../../../../control/server/disk/storage/extents.js";
import type { SeededRandom } from "../../../../drivers/fault/random.js";
import { type FakeLink, Reachable } from "./fake-link.js";
import type { VirtualTime } from "./virtual-time.js";

const hole = new Uint8Array(DIGEST_BYTES);
const zeros = new Uint8Array(BLOCK_BYTES);

/** Digests of whole blocks: FNV-1a over words, never 0. */
export function fakeDigests(data: Uint8Array): Uint8Array {
  const digests = new Uint8Array((data.length / BLOCK_BYTES) * DIGEST_BYTES);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const out = new DataView(digests.buffer);
  for (let block = 0; block * BLOCK_BYTES < data.length; block++) {
    let hash = 0x811c9dc5;
    for (let at = 0; at < BLOCK_BYTES; at += 4)
      hash = Math.imul(hash ^ view.getUint32(block * BLOCK_BYTES + at, true), 0x01000193);
    out.setUint32(block * DIGEST_BYTES, hash | 1, true);
    out.setUint32(block * DIGEST_BYTES + 4, hash >>> 3, true);
  }
  return digests;
}

interface Stored {
  readonly data: Uint8Array;
  readonly digest: Uint8Array;
}

const fail = (code: DiskErrorCode, message: string, blocks: readonly number[] = []): never => {
  throw new DiskError(code, message, blocks);
};

export class FakeMember extends Reachable {
  flushFails = false;
  readonly unreadable = new Set<number>();
  counts = { reads: 0, writes: 0, zeros: 0, flushes: 0, updates: 0 };
  record: MemberRecord | null = null;
  /** What is on the medium, and what is only in the cache. */
  readonly #medium = new Map<number, Stored>();
  readonly #cache = new Map<number, Stored>();
  readonly #sequences = new Map<number, Promise<void>>();
  readonly #touched = new Map<number, { sequence: number; at: number }>();
  #done = 0;
  #isBound = false;
  #isBroken = false;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(
    time: VirtualTime,
    random: SeededRandom,
    public blocks: number,
  ) {
    super(time, random);
  }

  // ---- faults ----------------------------------------------------------------------------

  /** Its power goes: of what was not flushed anything may be kept, data and digests each by themselves. */
  crash(): void {
    this.life++;
    for (const [block, { data, digest }] of this.#cache) {
      const old = this.#medium.get(block);
      const [keepsData, keepsDigest] = [this.random.chance(0.5), this.random.chance(0.5)];
      this.#medium.set(block, {
        data: keepsData ? data : (old?.data ?? zeros),
        digest: keepsDigest ? digest : (old?.digest ?? hole),
      });
    }
    this.#forget();
    this.isOn = false;
  }

  start(): void {
    this.isOn = true;
  }

  /** Its medium is changed for an empty one. */
  blank(blocks = this.blocks): void {
    this.life++;
    this.blocks = blocks;
    this.#forget();
    this.#medium.clear();
    this.record = null;
  }

  failFlush(): void {
    this.flushFails = true;
  }

  rot(block: number): void {
    const old = this.stored(block);
    const data = old.data.slice();
    data[17] = (data[17] ?? 0) ^ 0x40;
    this.#medium.set(block, { data, digest: old.digest });
    this.#cache.delete(block);
  }

  stored(block: number): Stored {
    return this.#cache.get(block) ?? this.#medium.get(block) ?? { data: zeros, digest: hole };
  }

  #forget(): void {
    this.#cache.clear();
    this.#sequences.clear();
    this.#done = 0;
    this.#touched.clear();
    this.#isBound = false;
    this.#isBroken = false;
    this.flushFails = false;
    this.#heardAt = Number.NEGATIVE_INFINITY;
  }

  // ---- the way to it ---------------------------------------------------------------------

  port(link: FakeLink): MemberPort {
    const call = <T>(work: () => T | Promise<T>, isCopied = false): Promise<T> =>
      this.call(link, work, isCopied);
    return {
      look: () => call(() => this.#look()),
      fence: (claim) => call(() => this.#fence(claim)),
      adopt: (record) => call(() => this.#adopt(record)),
      update: (record) => call(() => this.#update(record)),
      renew: (epoch, done) => call(() => this.#renew(epoch, done)),
      read: (epoch, block, buffer, isRaw) => {
        const into = new Uint8Array(buffer.length);
        return call(() => this.#read(epoch, block, into, isRaw === true)).then((digests) => {
          buffer.set(into);
          return digests;
        });
      },
      write: (request) => {
        const sent = { ...request, data: request.data.slice(), digests: request.digests.slice() };
        return call(() => this.#once(sent, () => this.#write(sent)), true);
      },
      zero: (request) => call(() => this.#once(request, () => this.#zero(request)), true),
      flush: (epoch) => call(() => this.#flush(epoch)),
      digests: (epoch, block, blocks, isRead) => call(() => this.#digests(epoch, block, blocks, isRead)),
    };
  }

  // ---- the member ------------------------------------------------------------------------

  #look(): MemberFound {
    const { record, blocks } = this;
    return record === null ? { kind: "blank", blocks, isEmpty: true } : { kind: "member", blocks, record };
  }

  #bound(epoch: number): MemberRecord {
    const { record } = this;
    if (record === null) return fail("DISK_FOREIGN", "blank");
    if (epoch < record.epoch) return fail("DISK_FENCED", `epoch ${epoch}, ${record.epoch} is known`);
    if (!this.#isBound || epoch > record.epoch) return fail("DISK_GONE", "opened anew");
    if (this.#isBroken) return fail("DISK_MEDIUM", "a flush has failed");
    this.#heardAt = this.time.now;
    return record;
  }

  #fence({ epoch, server, age }: Claim): MemberRecord {
    const { record } = this;
    if (record === null || !sameBytes(record.storage.age, age))
      return fail("DISK_FOREIGN", "not of this storage");
    const isSame = record.epoch === epoch && record.server === server;
    if (epoch <= record.epoch && !isSame) return fail("DISK_FENCED", `epoch ${record.epoch} is known`);
    if (record.server !== server && this.time.now - this.#heardAt < LEASE_MS)
      return fail("DISK_FENCED", "it has a server");
    if (!isSame) {
      this.#sequences.clear();
      this.#done = 0;
    }
    this.#isBound = true;
    this.#isBroken = false;
    this.#heardAt = this.time.now;
    this.record = { ...record, epoch, server };
    return this.record;
  }

  #adopt(record: MemberRecord): void {
    const known = this.record;
    if (known !== null && sameBytes(known.storage.age, record.storage.age) && record.epoch < known.epoch)
      fail("DISK_FENCED", "a later epoch is known");
    this.#forget();
    this.#medium.clear();
    this.#isBound = true;
    this.#heardAt = this.time.now;
    this.record = { ...record, activity: emptyMap(record.storage.blocks) };
  }

  #update(record: MemberRecord): void {
    const before = this.#bound(record.epoch).activity;
    const { blocks } = record.storage;
    // Bits of an earlier life stay as the server says; those of this one are the member's own.
    const activity = before.map((byte, at) => {
      const hot = [...this.#touched.keys()].filter((extent) => extent >> 3 === at);
      return hot.reduce((bits, extent) => bits | (1 << (extent & 7)), byte & (record.activity[at] ?? 0));
    });
    const members = record.members.map(
      (entry): MemberEntry =>
        entry.state === "out" ? { ...entry, lacks: union(blocks, entry.lacks, activity) } : entry,
    );
    this.record = { ...record, members, activity: union(blocks, activity) };
    this.counts.updates++;
    if (record.isClean) this.#heardAt = Number.NEGATIVE_INFINITY;
  }

  #renew(epoch: number, done: number): void {
    const record = this.#bound(epoch);
    this.#done = Math.max(this.#done, done);
    if (this.#cache.size > 0) return;
    const activity = record.activity.slice();
    for (const [extent, { sequence, at }] of this.#touched) {
      if (sequence >= done || this.time.now - at < 2000) continue;
      this.#touched.delete(extent);
      activity[extent >> 3] = (activity[extent >> 3] ?? 0) & ~(1 << (extent & 7));
    }
    this.record = { ...record, activity };
  }

  #read(epoch: number, block: number, buffer: Uint8Array, isRaw: boolean): Uint8Array {
    this.#bound(epoch);
    this.counts.reads++;
    const blocks = buffer.length / BLOCK_BYTES;
    const digests = new Uint8Array(blocks * DIGEST_BYTES);
    const rotten: number[] = [];
    for (let at = 0; at < blocks; at++) {
      if (this.unreadable.has(block + at)) fail("DISK_MEDIUM", "unreadable", [block + at]);
      const { data, digest } = this.stored(block + at);
      buffer.set(data, at * BLOCK_BYTES);
      digests.set(digest, at * DIGEST_BYTES);
      if (!isRaw && !sameBytes(digestOf({ data, digest }), digest)) rotten.push(block + at);
    }
    if (rotten.length > 0) fail("DISK_ROT", "rotten", rotten);
    return digests;
  }

  #once({ epoch, sequence, done }: Sequenced, work: () => void): Promise<void> {
    this.#bound(epoch);
    this.#done = Math.max(this.#done, done);
    if (sequence < this.#done) return Promise.resolve();
    const known = this.#sequences.get(sequence);
    if (known !== undefined) return known;
    const run = (async () => work())();
    run.catch(() => undefined);
    this.#sequences.set(sequence, run);
    return run;
  }

  #write({ block, data, digests, durable, sequence }: MemberWrite): void {
    if (!sameBytes(fakeDigests(data), digests)) fail("DISK_TRANSFER", "other bytes came");
    this.counts.writes++;
    this.#activate(block, data.length / BLOCK_BYTES, sequence);
    for (let at = 0; at * BLOCK_BYTES < data.length; at++) {
      this.unreadable.delete(block + at);
      this.#cache.set(block + at, {
        data: data.slice(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES),
        digest: digests.slice(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES),
      });
    }
    if (durable) this.#toMedium();
  }

  #zero({ block, blocks, durable, sequence }: MemberZero): void {
    this.counts.zeros++;
    this.#activate(block, blocks, sequence);
    for (let at = 0; at < blocks; at++) this.#cache.set(block + at, { data: zeros, digest: hole });
    if (durable) this.#toMedium();
  }

  #activate(block: number, blocks: number, sequence: number): void {
    const { record } = this;
    if (record === null) return;
    const { blocks: size } = record.storage;
    const activity = record.activity.slice();
    mark(activity, size, block, blocks);
    const members = record.members.map((entry): MemberEntry => {
      if (entry.state !== "out") return entry;
      const lacks = union(size, entry.lacks);
      mark(lacks, size, block, blocks);
      return { ...entry, lacks };
    });
    this.record = { ...record, activity, members };
    const extent = extentBlocksOf(size);
    for (let at = Math.floor(block / extent); at * extent < block + blocks; at++)
      this.#touched.set(at, {
        sequence: Math.max(sequence, this.#touched.get(at)?.sequence ?? 0),
        at: this.time.now,
      });
  }

  #flush(epoch: number): void {
    this.#bound(epoch);
    this.counts.flushes++;
    this.#toMedium();
  }

  #toMedium(): void {
    if (this.flushFails) {
      this.#isBroken = true;
      this.#cache.clear();
      fail("DISK_MEDIUM", "the flush has failed");
    }
    for (const [block, stored] of this.#cache) this.#medium.set(block, stored);
    this.#cache.clear();
  }

  #digests(epoch: number, block: number, blocks: number, isRead: boolean): Uint8Array {
    this.#bound(epoch);
    const digests = new Uint8Array(blocks * DIGEST_BYTES);
    for (let at = 0; at < blocks; at++) {
      const stored = this.stored(block + at);
      digests.set(isRead ? digestOf(stored) : stored.digest, at * DIGEST_BYTES);
    }
    return digests;
  }
}

/** Computed from the bytes; a hole with zeros in it stays one. */
function digestOf({ data, digest }: Stored): Uint8Array {
  if (data === zeros && digest === hole) return hole;
  if (digest.every((byte) => byte === 0) && data.every((byte) => byte === 0)) return hole;
  return fakeDigests(data);
}
