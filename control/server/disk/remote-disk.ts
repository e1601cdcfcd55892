// A storage that another machine serves, as a Disk.
//
// - While the serving machine changes, requests wait and are sent again as they were, for a limit of
//   time; each is done once (storage-server.ts). Then DISK_SILENT, or what the last answer was.
// - Writes that overlap go one after the other, in the order in which they began: what was sent
//   again never comes over what began later.
// - `blocks` is as large as the storage was when it was last asked: refresh().

import type { Capability } from "../../capability/capability.js";
import { type After, pause } from "../../group/timer.js";
import { DISK_DURABLE, DISK_PUNCH, EXTENT_DIRTY, EXTENT_HOLE } from "../../interface/disk.js";
import {
  type Described,
  describedSchema,
  STORAGE_PIECE_BYTES,
  storageTable,
} from "../../interface/storage.js";
import type { CallOptions, Transact } from "../../kernel/calls.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type Stub, stub } from "../../stub/client.js";
import { AtOnce } from "./at-once.js";
import { BLOCK_BYTES, type Disk, type DiskExtent, type WriteOptions, type ZeroOptions } from "./disk.js";
import { DiskError } from "./errors.js";
import { Ranges } from "./ranges.js";
import { isPassing, overRpc } from "./statuses.js";

export interface RemoteDiskOptions {
  readonly via: Kernel | Transact;
  readonly capability: Capability;
  readonly random: (bytes: number) => Uint8Array;
  readonly after: After;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** How long a request is sent again; default 30,000 ms. */
  readonly waitMs?: number;
  readonly call?: CallOptions;
}

const callDefaults: CallOptions = { locateTimeoutMs: 1000, pollMs: 250, deadMs: 1000 };
const [firstPauseMs, longestPauseMs] = [50, 500];
/** Calls under way at the same time; a server has threads for a few more. */
const atOnceMax = 14;
/** A zero asks for no more at once: each has an end in sight. */
const zeroBlocks = 262_144;

export class RemoteDisk implements Disk {
  blocks = 0;
  isReadOnly = false;
  readonly #calls: Stub<typeof storageTable.operations>;
  readonly #options: RemoteDiskOptions;
  readonly #session: bigint;
  readonly #writes = new Ranges();
  readonly #open = new Set<bigint>();
  readonly #atOnce = new AtOnce(atOnceMax);
  #next = 1n;
  #closed = false;

  private constructor(options: RemoteDiskOptions) {
    const { via, capability, random, call } = options;
    this.#options = options;
    this.#calls = stub(via, storageTable, capability, { ...callDefaults, ...call });
    this.#session = random(8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  }

  /** The disk, when its storage answers within the limit. Rejects with DiskError. */
  static async open(options: RemoteDiskOptions): Promise<RemoteDisk> {
    const disk = new RemoteDisk(options);
    await disk.refresh();
    return disk;
  }

  /** Asks how large it is now. */
  async refresh(): Promise<void> {
    const { blocks, flags } = await this.#asking(() => this.#calls.geometry());
    this.blocks = blocks;
    this.isReadOnly = (flags & 1) !== 0;
  }

  async read(block: number, buffer: Uint8Array): Promise<void> {
    this.#check(block, buffer.length / BLOCK_BYTES);
    await this.#inPieces(block, buffer, async (from, room) => {
      const { data } = await this.#asking(() =>
        this.#calls.read({ block: from, blocks: room.length / BLOCK_BYTES }),
      );
      if (data.length !== room.length)
        throw new DiskError("DISK_TRANSFER", "the storage sent another number of blocks");
      room.set(data);
    });
  }

  async write(block: number, data: Uint8Array, { durable }: WriteOptions): Promise<void> {
    const blocks = data.length / BLOCK_BYTES;
    this.#check(block, blocks);
    const flags = durable ? DISK_DURABLE : 0;
    await this.#inOrder(block, blocks, () =>
      this.#inPieces(block, data, (from, piece) =>
        this.#once((given) => this.#calls.write({ ...given, block: from, flags, data: piece })),
      ),
    );
  }

  /** Does something with all pieces of a range at the same time; ends when all have ended. */
  async #inPieces(
    block: number,
    bytes: Uint8Array,
    work: (from: number, piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const pieces: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += STORAGE_PIECE_BYTES)
      pieces.push(work(block + at / BLOCK_BYTES, bytes.subarray(at, at + STORAGE_PIECE_BYTES)));
    const ended = await Promise.allSettled(pieces);
    const failed = ended.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async zero(block: number, blocks: number, { durable, punch }: ZeroOptions): Promise<void> {
    this.#check(block, blocks);
    const flags = (durable ? DISK_DURABLE : 0) | (punch ? DISK_PUNCH : 0);
    await this.#inOrder(block, blocks, async () => {
      for (let at = 0; at < blocks; at += zeroBlocks) {
        const count = Math.min(zeroBlocks, blocks - at);
        await this.#once((given) => this.#calls.zero({ ...given, block: block + at, flags, blocks: count }));
      }
    });
  }

  async flush(): Promise<void> {
    await this.#asking(() => this.#calls.flush());
  }

  async extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    this.#check(block, blocks);
    const runs: DiskExtent[] = [];
    for (let at = 0; at < blocks; ) {
      const from = at;
      const { extents } = await this.#asking(() =>
        this.#calls.extents({ block: block + from, blocks: blocks - from }),
      );
      for (const { blocks: count, flags } of extents) {
        runs.push({
          ...{ blocks: count, isHole: (flags & EXTENT_HOLE) !== 0, isDirty: (flags & EXTENT_DIRTY) !== 0 },
        });
        at += count;
      }
      if (at === from) throw new DiskError("DISK_TRANSFER", "the storage says nothing of these blocks");
    }
    return runs;
  }

  async describe(): Promise<Described> {
    const { storage } = await this.#asking(() => this.#calls.describe());
    return describedSchema.parse(storage);
  }

  /** Requests that wait end with DISK_GONE. */
  close(): void {
    this.#closed = true;
  }

  #check(block: number, blocks: number): void {
    const whole = Number.isInteger(block) && block >= 0 && Number.isInteger(blocks) && blocks >= 0;
    if (whole && block + blocks <= this.blocks) return;
    throw new DiskError(
      "DISK_RANGE",
      `${blocks} blocks from ${block} on are not on a disk of ${this.blocks}`,
    );
  }

  /** Does a write when those that overlap it and began earlier have ended. */
  async #inOrder(block: number, blocks: number, work: () => Promise<void>): Promise<void> {
    const release = await this.#writes.acquire(block, blocks, true);
    try {
      await work();
    } finally {
      release();
    }
  }

  /** A request that is done once however often it is sent. */
  async #once(
    send: (given: { session: bigint; sequence: bigint; done: bigint }) => Promise<unknown>,
  ): Promise<void> {
    const sequence = this.#next++;
    this.#open.add(sequence);
    try {
      await this.#asking(() => {
        const [oldest = sequence] = this.#open; // in the order in which they were added
        return send({ session: this.#session, sequence, done: oldest });
      });
    } finally {
      this.#open.delete(sequence);
    }
  }

  /** Asks when not too many others are under way: a server without a free thread makes a call wait longer. */
  #asking<Result>(ask: () => Promise<Result>): Promise<Result> {
    return this.#atOnce.take(() => this.#patiently(ask));
  }

  async #patiently<Result>(ask: () => Promise<Result>): Promise<Result> {
    const { after, now, waitMs = 30_000 } = this.#options;
    const end = now() + waitMs;
    for (let wait = firstPauseMs; ; wait = Math.min(2 * wait, longestPauseMs)) {
      if (this.#closed) throw new DiskError("DISK_GONE", "the disk was closed");
      try {
        return await overRpc(ask);
      } catch (error) {
        if (!isPassing(error) || now() + wait >= end) throw error;
      }
      await pause(after, wait);
    }
  }
}
