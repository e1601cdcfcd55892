// The media of a machine as the objects of its disk server: kept in a file (media-file.ts), each
// opened and watched (medium.ts).
//
// - Numbers rise and do not come back; a generation vouches for a medium's capabilities.
// - Media do not age: what is on them is somebody's disk.

import { STD_EXISTS, STD_NOSPACE } from "../../../core-wasm/status.js";
import { type Capability, capabilityHex, capabilityOf } from "../../capability/capability.js";
import type { OwnGeneration } from "../../capability/secrets.js";
import type { MediumDocument } from "../../interface/disk.js";
import { fromHex, toHex } from "../../kernel/bytes.js";
import { DiskError } from "../../server/disk/errors.js";
import type { MemberFound } from "../../server/disk/member/port.js";
import type { MemberRecord } from "../../server/disk/member/record.js";
import type { DiskMedium } from "../../server/disk/server.js";
import type { ObjectTable } from "../../stub/objects.js";
import { refuse } from "../../stub/refused.js";
import { type MediumEntry, noMedia, readMedia, writeMedia } from "./media-file.js";
import { Medium, type OpenDevice, type OpenMember } from "./medium.js";

export interface MediaOptions {
  /** Where the list of media is kept; null: nowhere. */
  readonly file: string | null;
  readonly random: (bytes: number) => Uint8Array;
  readonly own: OwnGeneration;
  /** Opens a file or partition, or a disk elsewhere when there is a capability of one. */
  readonly openDevice: (path: string, bytes: number, storage: Capability | undefined) => Promise<OpenDevice>;
  readonly openMember: (device: OpenDevice, path: string) => Promise<OpenMember>;
  /** The ages of a storage and of those below it. */
  readonly agesOf: (storage: Capability) => Promise<readonly Uint8Array[]>;
  /** Told when a record was found on a medium, or has come there. */
  readonly changed: () => void;
  /** Told of every request to a member. */
  readonly used: () => void;
  readonly failed: (error: unknown) => void;
}

const mediaMax = 64;

/** A medium of the table. */
interface Kept extends DiskMedium {
  readonly medium: Medium;
  entry: MediumEntry;
  record: MemberRecord | null;
}

/** A record on a medium of this machine. */
export interface LocalRecord {
  readonly object: number;
  readonly record: MemberRecord;
}

export class Media implements ObjectTable<DiskMedium> {
  lifetime = 255;
  readonly highest = 0xff_ff_ff;
  readonly #options: MediaOptions;
  readonly #kept = new Map<number, Kept>();
  #next: number;

  private constructor(options: MediaOptions, next: number) {
    this.#options = options;
    this.#next = next;
  }

  /** Opens all that the file names; those that cannot be are tried again. Throws DISK_MEDIA_FILE. */
  static async open(options: MediaOptions): Promise<Media> {
    const { file } = options;
    const state = file === null ? noMedia : readMedia(file);
    const media = new Media(options, state.next);
    const opened = state.media.map((entry) => {
      const kept = media.#make(entry);
      media.#kept.set(entry.object, kept);
      // What lies on another storage may have to wait for this machine's own start.
      const start = kept.medium.startPatiently();
      return entry.storage === undefined ? start : undefined;
    });
    await Promise.all(opened);
    return media;
  }

  #make(entry: MediumEntry): Kept {
    const { openDevice, openMember, agesOf, changed, used, failed } = this.#options;
    const storage = storageOf(entry);
    const found = (what: MemberFound) => {
      kept.record = what.kind === "member" ? what.record : null;
      changed();
    };
    const medium = new Medium({
      ...{ path: entry.path, found, used, failed },
      openMember: (device) => openMember(device, entry.path),
      openDevice: () => openDevice(kept.entry.path, kept.entry.bytes, storage),
    });
    const kept: Kept = {
      ...{ medium, entry, path: entry.path, record: null, member: () => medium },
      ages: async () => (storage === undefined ? [] : agesOf(storage)),
    };
    return kept;
  }

  #save(media: readonly MediumEntry[]): void {
    const { file } = this.#options;
    if (file !== null) writeMedia(file, { schema: 1, next: this.#next, media: [...media] });
  }

  get #entries(): readonly MediumEntry[] {
    return [...this.#kept.values()].map(({ entry }) => entry);
  }

  /** Attaches a medium and opens it; answers its number. Rejects with what keeps it from being opened. */
  async attach(path: string, bytes: number, storage: Capability | undefined): Promise<number> {
    if (this.#entries.some((each) => each.path === path)) refuse(STD_EXISTS);
    if (this.#kept.size >= mediaMax) refuse(STD_NOSPACE);
    const entry: MediumEntry = {
      ...{ object: this.#next++, path, bytes, generation: toHex(this.#options.random(8)) },
      ...(storage === undefined ? {} : { storage: capabilityHex(storage) }),
    };
    const kept = this.#make(entry);
    this.#kept.set(entry.object, kept); // so that nobody else attaches it meanwhile
    try {
      await kept.medium.start();
      this.#save(this.#entries);
    } catch (error) {
      this.#kept.delete(entry.object);
      await kept.medium.close();
      throw error;
    }
    return entry.object;
  }

  async detach(object: number): Promise<void> {
    const kept = this.#kept.get(object);
    if (kept === undefined) throw new DiskError("DISK_GONE", "there is no such medium");
    this.#save(this.#entries.filter((each) => each.object !== object));
    this.#kept.delete(object);
    await kept.medium.close();
    this.#options.changed();
  }

  /** Makes a medium's file longer; its member is opened anew. */
  async extend(object: number, bytes: number): Promise<void> {
    const kept = this.#kept.get(object);
    if (kept === undefined) throw new DiskError("DISK_GONE", "there is no such medium");
    if (kept.entry.bytes >= bytes) return;
    kept.entry = { ...kept.entry, bytes };
    this.#save(this.#entries);
    await kept.medium.reopen();
  }

  list(): readonly MediumDocument[] {
    return [...this.#kept].map(([object, { entry, medium, record }]) => ({
      ...{ object, path: entry.path, bytes: entry.bytes, state: medium.isOpen ? "open" : "closed" },
      ...(medium.isOpen ? {} : { why: medium.why }),
      ...(record === null ? {} : { age: toHex(record.storage.age) }),
    }));
  }

  /** The records of all storages on media that are open. */
  records(): readonly LocalRecord[] {
    return [...this.#kept].flatMap(([object, { record, medium }]) =>
      record === null || !medium.isOpen ? [] : [{ object, record }],
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ medium }) => medium.close()));
  }

  // ---- the table of objects ----------------------------------------------------------------

  get count(): number {
    return this.#kept.size;
  }

  get(object: number): DiskMedium | undefined {
    return this.#kept.get(object);
  }

  generation(object: number): Uint8Array | undefined {
    if (object === 0) return this.#options.own.generation;
    const kept = this.#kept.get(object);
    return kept === undefined ? undefined : fromHex(kept.entry.generation);
  }

  /** All capabilities to a medium end: whoever serves its storage has it no more. */
  renew(object: number): void {
    if (object === 0) {
      this.#options.own.renew();
      return;
    }
    const kept = this.#kept.get(object);
    if (kept === undefined) return;
    const entry = { ...kept.entry, generation: toHex(this.#options.random(8)) };
    this.#save(this.#entries.map((each) => (each.object === object ? entry : each)));
    kept.entry = entry;
  }

  touch(): void {}

  age(): undefined {}

  grow(): number[] {
    return [];
  }

  async remove(object: number): Promise<DiskMedium | undefined> {
    const kept = this.#kept.get(object);
    if (kept !== undefined) await this.detach(object);
    return kept;
  }
}

function storageOf({ storage }: MediumEntry): Capability | undefined {
  const bytes = storage === undefined ? undefined : fromHex(storage);
  return bytes === undefined ? undefined : capabilityOf(bytes);
}
