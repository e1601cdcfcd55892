// A storage as a Disk for somebody on a machine that may serve it itself: asked directly while this
// machine serves it, over RPC while another one does.
//
// - What the storage here did not do because it ended goes to the next server, as it was, under the
//   same range: writes that overlap go in the order in which they began, whichever way each took.
// - Nothing of a request that was given up touches the caller's bytes: the storage here has copies.

import { BLOCK_BYTES, type Disk, type DiskExtent, type WriteOptions, type ZeroOptions } from "./disk.js";
import { Ranges } from "./ranges.js";
import type { RemoteDisk } from "./remote-disk.js";
import { isPassing } from "./statuses.js";

/** Buffers of one size that are kept, at most. */
const keptMax = 8;

export class NearDisk implements Disk {
  readonly #near: () => Disk | null;
  readonly #far: RemoteDisk;
  readonly #writes = new Ranges();
  /** Of reads that have ended. */
  readonly #buffers = new Map<number, Uint8Array[]>();

  /** @param near the storage, while this machine serves it */
  constructor(near: () => Disk | null, far: RemoteDisk) {
    this.#near = near;
    this.#far = far;
  }

  get blocks(): number {
    return this.#near()?.blocks ?? this.#far.blocks;
  }

  get isReadOnly(): boolean {
    return this.#near()?.isReadOnly ?? this.#far.isReadOnly;
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#ask(
      async (near) => {
        const filled = this.#buffer(buffer.length);
        await near.read(block, filled);
        buffer.set(filled);
        this.#keep(filled);
      },
      () => this.#far.read(block, buffer),
    );
  }

  write(block: number, data: Uint8Array, options: WriteOptions): Promise<void> {
    return this.#inOrder(block, data.length / BLOCK_BYTES, () =>
      this.#ask(
        (near) => near.write(block, new Uint8Array(data), options),
        () => this.#far.write(block, data, options),
      ),
    );
  }

  zero(block: number, blocks: number, options: ZeroOptions): Promise<void> {
    return this.#inOrder(block, blocks, () =>
      this.#ask(
        (near) => near.zero(block, blocks, options),
        () => this.#far.zero(block, blocks, options),
      ),
    );
  }

  flush(): Promise<void> {
    return this.#ask(
      (near) => near.flush(),
      () => this.#far.flush(),
    );
  }

  extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    return this.#ask(
      (near) => near.extents(block, blocks),
      () => this.#far.extents(block, blocks),
    );
  }

  async #ask<Result>(near: (disk: Disk) => Promise<Result>, far: () => Promise<Result>): Promise<Result> {
    const disk = this.#near();
    if (disk === null) return far();
    try {
      return await near(disk);
    } catch (error) {
      if (isPassing(error)) return far();
      throw error;
    }
  }

  async #inOrder(block: number, blocks: number, work: () => Promise<void>): Promise<void> {
    const { ready, release } = this.#writes.take(block, blocks, true);
    if (ready !== null) await ready;
    try {
      await work();
    } finally {
      release();
    }
  }

  #buffer(bytes: number): Uint8Array {
    return this.#buffers.get(bytes)?.pop() ?? new Uint8Array(bytes);
  }

  #keep(buffer: Uint8Array): void {
    const kept = this.#buffers.get(buffer.length) ?? [];
    this.#buffers.set(buffer.length, kept);
    if (kept.length < keptMax) kept.push(buffer);
  }
}
