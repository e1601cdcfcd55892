// A storage as its clients see it (control/server/disk/storage-server.ts), made of a Storage of this
// machine: what it says of itself, and what can be done to it.
//
// - `describe` adds who serves it, the picture of its dirty map, and the ages of the storages below.
// - A medium that lies on this storage, or on one that lies on it, is no member for it: DISK_LOOP.

import { STD_NOTNOW } from "../../../core-wasm/status.js";
import type { Described, StorageChange } from "../../interface/storage.js";
import { sameBytes, toHex } from "../../kernel/bytes.js";
import type { DiskExtent, WriteOptions, ZeroOptions } from "../../server/disk/disk.js";
import { DiskError } from "../../server/disk/errors.js";
import type { MemberEntry } from "../../server/disk/member/record.js";
import type { Storage } from "../../server/disk/storage/storage.js";
import type { ServedStorage } from "../../server/disk/storage-server.js";
import { refuse } from "../../stub/refused.js";

export interface ServedOptions {
  /** This machine's name. */
  readonly node: string;
  /** The ages of the storages that a member's medium lies on. */
  readonly agesOf: (entry: MemberEntry) => Promise<readonly Uint8Array[]>;
}

/** Places of the picture of the dirty map. */
const pictureParts = 256;

export class Served implements ServedStorage {
  readonly storage: Storage;
  readonly #options: ServedOptions;

  constructor(storage: Storage, options: ServedOptions) {
    this.storage = storage;
    this.#options = options;
  }

  get blocks(): number {
    return this.storage.blocks;
  }

  get isReadOnly(): boolean {
    return this.storage.isReadOnly;
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.storage.read(block, buffer);
  }

  write(block: number, data: Uint8Array, options: WriteOptions): Promise<void> {
    return this.storage.write(block, data, options);
  }

  zero(block: number, blocks: number, options: ZeroOptions): Promise<void> {
    return this.storage.zero(block, blocks, options);
  }

  flush(): Promise<void> {
    return this.storage.flush();
  }

  extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    return this.storage.extents(block, blocks);
  }

  async describe(): Promise<Described> {
    const record = this.storage.record();
    const document = this.storage.status();
    const isDirty = document.members.some(({ dirtyBytes }) => dirtyBytes > 0);
    return {
      ...{
        storage: document,
        algorithm: record.storage.algorithm,
        node: this.#options.node,
        epoch: record.epoch,
      },
      witnesses: record.members.flatMap(({ isWitness, node, path }) => (isWitness ? [{ node, path }] : [])),
      ages: (await this.#ages(record.members)).map(toHex),
      dirtyMap: isDirty ? await this.#picture() : "",
      remarks: [],
    };
  }

  /** Its own age and those below; of members that do not answer nothing is known. */
  async #ages(members: readonly MemberEntry[]): Promise<Uint8Array[]> {
    const own = this.storage.record().storage.age;
    const onDisks = members.filter(({ path }) => path.startsWith("disk:"));
    const below = await Promise.all(
      onDisks.map((entry) => this.#options.agesOf(entry).catch(() => [] as readonly Uint8Array[])),
    );
    return [own, ...below.flat()];
  }

  /** How much of each part of the disk some member lacks: `.` nothing, 1 to 9. */
  async #picture(): Promise<string> {
    const { blocks } = this;
    const each = Math.max(1, Math.ceil(blocks / pictureParts));
    const dirty = new Array<number>(Math.ceil(blocks / each)).fill(0);
    let at = 0;
    for (const run of await this.storage.extents(0, blocks)) {
      const end = at + run.blocks;
      while (at < end) {
        const part = Math.floor(at / each);
        const next = Math.min(end, (part + 1) * each);
        if (run.isDirty) dirty[part] = (dirty[part] ?? 0) + next - at;
        at = next;
      }
    }
    return dirty
      .map((count) => (count === 0 ? "." : String(Math.max(1, Math.floor((9 * count) / each)))))
      .join("");
  }

  /** Throws DISK_LOOP when a new member's medium lies on this storage. */
  protected async checkLoop(entry: MemberEntry): Promise<void> {
    const own = this.storage.record().storage;
    const ages = await this.#options.agesOf(entry);
    if (!ages.some((age) => sameBytes(age, own.age))) return;
    throw new DiskError("DISK_LOOP", `${entry.node}:${entry.path} lies on ${own.name} itself`);
  }

  async change({ operation }: StorageChange): Promise<object> {
    switch (operation) {
      default:
        return refuse(STD_NOTNOW);
    }
  }
}
