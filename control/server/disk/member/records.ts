// The record of a member on its medium: two copies, written in turn.
//
// - The copy that is newer, or the only good one, is never written over: whenever the power goes,
//   one of them is whole. Each is written in one step that ends on the medium.
// - `save` writes what `snapshot` says when the writing begins, for all who asked before.
// - An error of the device comes through as it is.

import { type BlockDevice, BlockError, writeThrough } from "../../../../drivers/block.js";
import { Batches } from "./batches.js";
import { COPIES, copyStart, RECORD_BYTES } from "./layout.js";
import type { MemberRecord } from "./record.js";
import { decodeRecord, encodeRecord, type StoredRecord } from "./record-codec.js";

/** What is to be on the medium. */
export interface Snapshot {
  readonly record: MemberRecord;
  readonly isBound: boolean;
}

export class Records {
  readonly #device: BlockDevice;
  readonly #saves: Batches;
  /** Of the newest copy. */
  #sequence = 0;
  #copy = COPIES - 1;

  constructor(device: BlockDevice, snapshot: () => Snapshot) {
    this.#device = device;
    this.#saves = new Batches(() => this.#write(snapshot()));
  }

  /** The newest good copy; null when there is none. */
  async read(): Promise<StoredRecord | null> {
    let newest: StoredRecord | null = null;
    for (let copy = 0; copy < COPIES; copy++) {
      const stored = decodeRecord(await this.#readCopy(copy));
      if (stored === null || (newest !== null && newest.sequence > stored.sequence)) continue;
      newest = stored;
      this.#copy = copy;
    }
    this.#sequence = newest?.sequence ?? 0;
    return newest;
  }

  async #readCopy(copy: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(RECORD_BYTES);
    try {
      await this.#device.read(copyStart(this.#device.blocks, copy), bytes);
      return bytes;
    } catch (error) {
      if (error instanceof BlockError && error.code === "BLOCK_UNREADABLE") return new Uint8Array(0);
      throw error;
    }
  }

  /** Ends when what `snapshot` says now, or later, is on the medium. */
  save(): Promise<void> {
    return this.#saves.join();
  }

  async #write({ record, isBound }: Snapshot): Promise<void> {
    const [copy, sequence] = [(this.#copy + 1) % COPIES, this.#sequence + 1];
    const bytes = encodeRecord({ record, isBound, sequence });
    await writeThrough(this.#device, copyStart(this.#device.blocks, copy), bytes);
    [this.#copy, this.#sequence] = [copy, sequence];
  }

  /** Ends when nothing is being saved. */
  async settle(): Promise<void> {
    if (this.#saves.isRunning) await this.#saves.join().catch(() => undefined);
  }

  /** No copy is left: a blank medium. Nothing is being saved meanwhile. */
  async erase(): Promise<void> {
    const blank = new Uint8Array(COPIES * RECORD_BYTES);
    await writeThrough(this.#device, copyStart(this.#device.blocks, 0), blank);
  }
}
