// A storage: a disk on several members, served by one machine at a time, that heals itself.
//
// - `Storage.open` begins at once and tries for ever; `ready` ends when it is served. Requests may be made
//   before: they wait within a limit (policy.ts), then reject with DISK_NO_QUORUM, DISK_NO_COPY or
//   DISK_SPLIT, whatever is the matter.
// - Members that fail are gone on without, come back by themselves, and are resynchronised.
// - A server that finds another one in its place has ended: all rejects with DISK_FENCED, and `ended`
//   resolves. Open another one then.
// - The parts: opening.ts, lease.ts, writes.ts, reads.ts, returning.ts, resync.ts, records.ts, scrub.ts,
//   operations.ts; what they share is core.ts; what is decided is decision.ts.

import type { Disk, DiskExtent, WriteOptions, ZeroOptions } from "../disk.js";
import { DiskError } from "../errors.js";
import type { MemberPort } from "../member/port.js";
import type { MemberEntry, MemberRecord, Upkeep } from "../member/record.js";
import { Core, type StorageOptions } from "./core.js";
import { keepLeases } from "./lease.js";
import { open } from "./opening.js";
import * as operations from "./operations.js";
import { extents, read } from "./reads.js";
import { type ScrubReport, scrub } from "./scrub.js";
import type { ScrubRequest } from "./scrubbing.js";
import { type SplitStatus, type StorageStatus, splitOf, statusOf } from "./status.js";
import type { Settings } from "./upkeep.js";
import { flush, write, zero } from "./writes.js";

/**
 * Makes the members of a storage out of media, whatever was on them. All are in sync: all zeros. Before each
 * of them is a member none says that it is in sync: nobody serves a storage that is still being made.
 */
export async function format(
  record: MemberRecord,
  connect: (entry: MemberEntry) => MemberPort,
): Promise<void> {
  const made = record.members.map((entry) => ({ port: connect(entry), member: entry.id }));
  const members = record.members.map(
    (entry): MemberEntry => (entry.isWitness ? entry : { ...entry, state: "syncing" }),
  );
  await Promise.all(made.map(({ port, member }) => port.adopt({ ...record, members, member })));
  await Promise.all(made.map(({ port, member }) => port.update({ ...record, member })));
}

export class Storage implements Disk {
  /** Resolves when this server has ended for good: closed, or another one has the storage. */
  readonly ended: Promise<DiskError>;
  protected readonly core: Core;
  readonly #opened: Promise<void>;
  #end: (error: DiskError) => void = () => undefined;

  private constructor(options: StorageOptions, winner?: Uint8Array) {
    this.core = new Core(options);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    keepLeases(this.core);
    this.#opened = open(this.core, winner);
    this.#opened.catch(() => undefined); // `ready` says it
    void this.#watch();
  }

  /** `winner`: a member whose history counts, when there are two (heal). */
  static open(options: StorageOptions, winner?: Uint8Array): Storage {
    return new Storage(options, winner);
  }

  /** Ends when it is served; rejects when this server never will. */
  async ready(): Promise<void> {
    await this.#opened;
    await this.core.gate();
  }

  get blocks(): number {
    return this.core.facts.blocks;
  }

  get isReadOnly(): boolean {
    return false;
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#try(() => read(this.core, block, buffer));
  }

  write(block: number, data: Uint8Array, options: WriteOptions): Promise<void> {
    return this.#try(() => write(this.core, block, data, options));
  }

  zero(block: number, blocks: number, options: ZeroOptions): Promise<void> {
    return this.#try(() => zero(this.core, block, blocks, options));
  }

  flush(): Promise<void> {
    return this.#try(() => flush(this.core));
  }

  extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    return this.#try(() => extents(this.core, block, blocks));
  }

  /** This server has ended for good. */
  get hasEnded(): boolean {
    return this.core.ended !== null;
  }

  status(): StorageStatus {
    return statusOf(this.core);
  }

  /** The record of now, as its members have it: to be kept where the storage is to be found again. */
  record(): MemberRecord {
    const first = this.core.members[0];
    return first === undefined ? this.core.options.record : this.core.records.recordFor(first.entry);
  }

  /** Who went which way, where there is more than one history. */
  split(): SplitStatus {
    return splitOf(this.core);
  }

  /** Ends when something may have changed that `status` tells. */
  changed(): Promise<void> {
    return this.core.changed.wait();
  }

  /** Flushes, says on the members that nothing is under way, and ends this server. */
  async close(): Promise<void> {
    const { core } = this;
    if (core.isServing) {
      try {
        await flush(core);
        core.isClean = true;
        if (core.isServing) await core.records.commit();
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
      }
    }
    core.end(new DiskError("DISK_GONE", `${core.facts.name} was closed; open it again`));
  }

  /** Ends this server at once, as its machine's end would. */
  stop(): void {
    this.core.end(new DiskError("DISK_GONE", `${this.core.facts.name} was stopped; open it again`));
  }

  // ---- operations (operations.ts says what each means) -----------------------------------

  add(entry: Pick<MemberEntry, "id" | "node" | "path" | "capability" | "isWitness">): Promise<void> {
    return this.#try(() => operations.addMember(this.core, entry));
  }

  remove(member: Uint8Array): Promise<void> {
    return this.#try(() => operations.removeMember(this.core, member));
  }

  detach(member: Uint8Array): Promise<void> {
    return this.#try(() => operations.detachMember(this.core, member));
  }

  replace(member: Uint8Array, by: Pick<MemberEntry, "id" | "node" | "path" | "capability">): Promise<void> {
    return this.#try(() => operations.replaceMember(this.core, member, by));
  }

  grow(blocks: number): Promise<void> {
    return this.#try(() => operations.grow(this.core, blocks));
  }

  markDirty(member: Uint8Array): Promise<void> {
    return this.#try(() => operations.markDirty(this.core, member));
  }

  markClean(member: Uint8Array): Promise<void> {
    return this.#try(() => operations.markClean(this.core, member));
  }

  /** The member's own history is saved as a branch, and this one counts. */
  heal(member: Uint8Array): Promise<void> {
    return this.#try(async () => operations.healMember(this.core, member));
  }

  /** Looks at every block of every copy, and repairs what is bad (scrubbing.ts). */
  scrub(request: ScrubRequest = {}): Promise<ScrubReport> {
    return this.#try(() => this.core.scrubbing.run(request));
  }

  /** As scrub, without changing anything. */
  verify({ bytesPerSecond, progress }: ScrubRequest = {}): Promise<ScrubReport> {
    return this.#try(() =>
      scrub(this.core, {
        repairs: false,
        bytesPerSecond: () => bytesPerSecond || this.core.upkeep.scrubBytesPerSecond,
        progress: ({ blocks }) => progress?.(blocks),
      }),
    );
  }

  /** How patient it is, and what goes on in its background. */
  upkeep(): Upkeep {
    return this.core.upkeep;
  }

  /** Changes some of it; ends when the members' records say so. */
  settings(settings: Partial<Settings>): Promise<void> {
    return this.#try(() => operations.changeSettings(this.core, settings));
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    if (this.core.ended !== null) throw this.core.ended;
    return work();
  }

  async #watch(): Promise<void> {
    while (this.core.ended === null) await this.core.changed.wait();
    this.#end(this.core.ended);
  }
}
