// A member on a disk with power cuts, and what is known of it: which bytes each block may have, and
// what its record must say.
//
// - A block has the bytes that were last brought to the medium for sure, or any that were written
//   since; where writes were under way it may also be rotten, but then its extent's activity bit is
//   set, and the member that is out lacks the extent.

import { expect } from "vitest";
import { DiskError } from "../../control/server/disk/errors.js";
import { hasBit } from "../../control/server/disk/member/maps.js";
import { digestSeed, Member } from "../../control/server/disk/member/member.js";
import { type MemberRecord, mapBytesOf } from "../../control/server/disk/member/record.js";
import type { BlockDevice } from "../../drivers/block.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { digests } from "../unit/server/disk/kernel.js";
import { entryOf, recordOf } from "../unit/server/disk/member/parts.js";
import type { MemberKind } from "./disk-medium.js";

/** Disks' operations end in the order of their virtual times, one a turn of the event loop. */
export class VirtualTime {
  #now = 0;
  #isPumping = false;
  readonly #due: { at: number; action: () => void }[] = [];

  /** Milliseconds. */
  readonly now = (): number => this.#now / 1000;

  /** Microseconds: what disks ask for. */
  readonly disk = {
    after: (microseconds: number, action: () => void): void => {
      this.#add(microseconds, action);
    },
  };

  /** Milliseconds: what members ask for. */
  readonly after = (milliseconds: number, action: () => void): (() => void) => {
    let isOff = false;
    this.#add(milliseconds * 1000, () => {
      if (!isOff) action();
    });
    return () => {
      isOff = true;
    };
  };

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#add(milliseconds * 1000, resolve));
  }

  #add(microseconds: number, action: () => void): void {
    const at = this.#now + microseconds;
    const place = this.#due.findLastIndex((each) => each.at <= at) + 1;
    this.#due.splice(place, 0, { at, action });
    if (!this.#isPumping) setImmediate(() => this.#pump());
    this.#isPumping = true;
  }

  #pump(): void {
    const next = this.#due.shift();
    this.#isPumping = next !== undefined;
    if (next === undefined) return;
    this.#now = next.at;
    next.action();
    setImmediate(() => this.#pump());
  }
}

/** `isEmpty`: the disk was just made; an adoption has nothing to overwrite, which would take most of a test's time. */
export const openOn = (
  device: BlockDevice,
  time: VirtualTime,
  isEmpty = false,
  kind: MemberKind = Member,
): Promise<Member> => kind.open({ device, name: "m", digests, after: time.after, now: time.now, isEmpty });

const seed = digestSeed(recordOf(1).storage);
/** What a value stands for: 0 is a block of zeros. */
export const contentOf = (value: number): Uint8Array =>
  Uint8Array.from({ length: 4096 }, (_, at) => (value === 0 ? 0 : (value * 31 + (at >> 9) + 1) & 0xff));

/** The record of a storage whose second member is out. */
export function outRecord(blocks: number, changes: Partial<MemberRecord> = {}): MemberRecord {
  const empty = new Uint8Array(mapBytesOf(blocks));
  return recordOf(blocks, {
    members: [entryOf(1, blocks), entryOf(2, blocks, { state: "out", lacks: empty })],
    ...changes,
  });
}

interface Known {
  /** On the medium for sure. */
  sure: number;
  /** Written since, in this order; some of it may be there. */
  since: number[];
  /** The last write that has ended. */
  ended: number;
}

/** A storage's server with one member, and what it knows of it. */
export class Life {
  readonly #blocks = new Map<number, Known>();
  #sequence = 1;
  readonly #running = new Set<number>();
  #value = 0;
  #epoch = 1;
  /** Generations that the record may have. */
  #generations: bigint[];
  /** Extents that were written while the other member was out. */
  readonly #outExtents = new Set<number>();
  #grownFrom: number;
  done = 0;
  rotten = 0;

  constructor(
    readonly random: SeededRandom,
    readonly time: VirtualTime,
    /** How many blocks the storage has. */
    public blocks: number,
    readonly kind: MemberKind = Member,
  ) {
    this.#generations = [outRecord(blocks).generation];
    this.#grownFrom = blocks;
  }

  /** What a client does next with the blocks that are its own: number, modulo the clients. */
  async step(member: Member, client: number, clients: number): Promise<void> {
    const { random } = this;
    const kind = random.below(20);
    if (kind < 12) await this.write(member, client, clients, random.chance(0.5));
    else if (kind < 14) await this.#zero(member, client, clients);
    else if (kind < 16) await this.#flush(member);
    else if (kind < 17 && client === 0) await this.update(member, {});
    else if (kind < 18) await this.time.pause(random.below(9000));
    this.done++;
  }

  /** Few of them, in all extents, so that they are written again and again. */
  #place(client: number, clients: number): number {
    const place = this.random.below(16) * Math.floor(this.blocks / 16) + this.random.below(3);
    return Math.min(this.blocks - clients, place - (place % clients)) + client;
  }

  known(block: number): Known {
    const known = this.#blocks.get(block) ?? { sure: 0, since: [], ended: 0 };
    this.#blocks.set(block, known);
    return known;
  }

  #begin(): { sequence: number; done: number; epoch: number } {
    const sequence = this.#sequence++;
    this.#running.add(sequence);
    return { sequence, done: Math.min(sequence, ...this.#running), epoch: this.#epoch };
  }

  async write(member: Member, client: number, clients: number, durable: boolean): Promise<void> {
    const block = this.#place(client, clients);
    const known = this.known(block);
    const value = ++this.#value;
    known.since.push(value);
    const numbers = this.#begin();
    const data = contentOf(value);
    await member.write({ ...numbers, block, data, digests: digests.of(data, seed), durable });
    this.#ended(numbers.sequence, block, value);
    if (durable) this.#isSure(known, value);
  }

  async #zero(member: Member, client: number, clients: number): Promise<void> {
    const block = this.#place(client, clients);
    const known = this.known(block);
    known.since.push(0);
    const numbers = this.#begin();
    await member.zero({ ...numbers, block, blocks: 1, durable: true, punch: true });
    this.#ended(numbers.sequence, block, 0);
    this.#isSure(known, 0);
  }

  #ended(sequence: number, block: number, value: number): void {
    this.known(block).ended = value;
    this.#running.delete(sequence);
    this.#outExtents.add(Math.floor(block / 1024));
  }

  #isSure(known: Known, value: number): void {
    known.sure = value;
    known.since = known.since.slice(known.since.lastIndexOf(value) + 1);
  }

  async #flush(member: Member): Promise<void> {
    // Those whose writes have ended: of a client's own, and of others those that nobody waits for.
    const ended = [...this.#blocks.values()].map((known) => ({ known, value: known.since.at(-1) }));
    const wereRunning = this.#running.size > 0;
    await member.flush(this.#epoch);
    if (wereRunning) return;
    for (const { known, value } of ended)
      if (value !== undefined && known.since.includes(value)) this.#isSure(known, value);
  }

  async update(member: Member, changes: Partial<MemberRecord>): Promise<void> {
    const generation = BigInt(this.random.next());
    this.#generations.push(generation);
    await member.update(outRecord(this.blocks, { generation, epoch: this.#epoch, ...changes }));
    this.#generations = [generation];
  }

  /** The storage becomes larger, or stays as it is. */
  async grow(member: Member, blocks: number): Promise<void> {
    const before = this.blocks;
    this.blocks = blocks;
    this.#grownFrom = before;
    await this.update(member, {});
    this.#grownFrom = blocks;
  }

  /** What the storage has now that it had not before reads as zeros. */
  async judgeNew(member: Member): Promise<void> {
    const held = new Uint8Array(4096);
    for (let block = 0; block < this.blocks; block += 53) {
      if (this.#blocks.has(block)) continue;
      await member.read(this.#epoch, block, held);
      expect(
        held.every((byte) => byte === 0),
        `block ${block}`,
      ).toBe(true);
    }
  }

  /** Opens what is left and compares it with what is known; then it is known for sure. */
  async judge(device: BlockDevice): Promise<Member> {
    const member = await openOn(device, this.time, false, this.kind);
    const { storage } = outRecord(this.blocks);
    const record = await member.fence({ epoch: ++this.#epoch, server: 11n, age: storage.age });
    expect(this.#generations).toContain(record.generation);
    // A growth that was not acknowledged may have happened.
    expect([this.blocks, this.#grownFrom]).toContain(record.storage.blocks);
    this.blocks = record.storage.blocks;
    this.#grownFrom = this.blocks;
    this.#generations = [record.generation];
    this.#running.clear();
    for (const [block, known] of this.#blocks) await this.#compare(member, record, block, known);
    for (const extent of this.#outExtents)
      expect(hasBit(record.members[1]?.lacks ?? new Uint8Array(0), extent), `lacks ${extent}`).toBe(true);
    return member;
  }

  async #compare(member: Member, record: MemberRecord, block: number, known: Known): Promise<void> {
    const buffer = new Uint8Array(4096);
    const values = [known.sure, ...known.since];
    const isActive = hasBit(record.activity, Math.floor(block / 1024));
    try {
      await member.read(this.#epoch, block, buffer);
      const value = values.find((each) => Buffer.compare(contentOf(each), buffer) === 0);
      expect(value, `block ${block} is one of ${values}`).toBeDefined();
      // Where no bit is, what has ended is flushed, and nothing else has begun.
      if (!isActive) expect(value, `block ${block}, which is not active`).toBe(known.ended);
      // It is read, so it has happened; and it stays, which the server sees to.
      await this.#settle(member, block, known, value ?? 0);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "DISK_ROT") throw error;
      expect(known.since.length, `block ${block} is rotten`).toBeGreaterThan(0);
      expect(isActive, `activity of block ${block}`).toBe(true);
      this.rotten++;
      await this.#settle(member, block, known, known.sure);
    }
  }

  async #settle(member: Member, block: number, known: Known, value: number): Promise<void> {
    if (known.since.length === 0) return;
    const data = contentOf(value);
    const numbers = this.#begin();
    await member.write({ ...numbers, block, data, digests: digests.of(data, seed), durable: true });
    this.#running.delete(numbers.sequence);
    Object.assign(known, { sure: value, since: [], ended: value });
  }
}
