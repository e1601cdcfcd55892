// What tests of members share: a storage's record, a clock that is turned by hand, a member on a
// device, and requests with the right digests.

import { digestSeed, Member, type MemberOptions } from "../../../../../control/server/disk/member/member.js";
import type { MemberWrite } from "../../../../../control/server/disk/member/port.js";
import {
  type MemberEntry,
  type MemberRecord,
  mapBytesOf,
} from "../../../../../control/server/disk/member/record.js";
import { MemoryBlockDevice } from "../../../../../drivers/memory/block.js";
import { digests } from "../kernel.js";

export const idOf = (number: number): Uint8Array => new Uint8Array(16).fill(number);

export function entryOf(number: number, blocks: number, changes: Partial<MemberEntry> = {}): MemberEntry {
  return {
    id: idOf(number),
    node: `node${number}`,
    path: `/disk${number}`,
    capability: { port: new Uint8Array(6).fill(number), private: new Uint8Array(10).fill(number) },
    ...{ isWitness: false, blocks, state: "in-sync", since: 1n, lacks: null },
    ...changes,
  };
}

/** A storage of so many blocks with two members; the record of the first. */
export function recordOf(blocks: number, changes: Partial<MemberRecord> = {}): MemberRecord {
  return {
    storage: {
      ...{ age: new Uint8Array(16).fill(7), secret: new Uint8Array(32).fill(8), name: "d", blocks },
      ...{ algorithm: "mirror", ack: "all", serve: "majority", onSplit: "keep" },
    },
    ...{ member: idOf(1), members: [entryOf(1, blocks), entryOf(2, blocks)] },
    ...{ epoch: 1, server: 11n, generation: 5n, history: [4n, 3n], isClean: false },
    activity: new Uint8Array(mapBytesOf(blocks)),
    ...changes,
  };
}

/** A clock that tests turn by hand. */
export class HandClock {
  now = 0;
  #due: { at: number; action: () => void }[] = [];

  readonly after = (milliseconds: number, action: () => void): (() => void) => {
    const entry = { at: this.now + milliseconds, action };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((each) => each !== entry);
    };
  };

  get waiting(): number {
    return this.#due.length;
  }

  /** So much later; what is due is done, and what follows from it at once. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((each) => each !== next);
      this.now = next.at;
      next.action();
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    }
    this.now = end;
  }
}

/** A device in memory that counts, and may be told to fail. */
export class CountingDevice extends MemoryBlockDevice {
  writes = 0;
  flushes = 0;
  fails: ((what: "read" | "write" | "flush", block: number) => Error | null) | null = null;

  override async read(block: number, buffer: Uint8Array): Promise<void> {
    this.#failing("read", block);
    return super.read(block, buffer);
  }

  override async write(block: number, data: Uint8Array): Promise<void> {
    this.writes++;
    this.#failing("write", block);
    return super.write(block, data);
  }

  override async flush(): Promise<void> {
    this.flushes++;
    this.#failing("flush", 0);
    return super.flush();
  }

  #failing(what: "read" | "write" | "flush", block: number): void {
    const error = this.fails?.(what, block);
    if (error) throw error;
  }
}

export const openMember = (
  options: Pick<MemberOptions, "device"> & Partial<MemberOptions>,
  clock: HandClock,
) => Member.open({ name: "m", digests, after: clock.after, now: () => clock.now, ...options });

/** Blocks of one byte each. */
export const blocksOf = (...values: number[]): Uint8Array =>
  Uint8Array.from({ length: values.length * 4096 }, (_, at) => values[at >> 12] ?? 0);

export const seed = digestSeed(recordOf(1).storage);

/** A write with the right digests. */
export function writeOf(
  sequence: number,
  block: number,
  data: Uint8Array,
  changes: Partial<MemberWrite> = {},
): MemberWrite {
  return {
    epoch: 1,
    sequence,
    done: 0,
    block,
    data,
    digests: digests.of(data, seed),
    durable: true,
    ...changes,
  };
}
