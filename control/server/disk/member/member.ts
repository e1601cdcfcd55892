// A member: a medium of this machine that has its part of a storage (port.ts says what for).
//
// - `open` reads what is on the medium and changes nothing. Then the medium is this object's alone.
// - After it was opened a member serves nobody before a server has fenced it, or has made it its own
//   (DISK_GONE until then): writes that were not flushed may be lost, and a server that went on as if
//   nothing had happened would not notice.
// - A server that has it, has it for LEASE_MS after its last request: also when the member was opened
//   anew meanwhile, unless the storage was closed in order.
// - A failed flush or record is the end (DISK_MEDIUM) until it is opened anew.
// - It does not close its device. `close` stops its timer and flushes.

import type { BlockDevice } from "../../../../drivers/block.js";
import type { After } from "../../../group/timer.js";
import { sameBytes, view } from "../../../kernel/bytes.js";
import type { Digests } from "../../../kernel/digests.js";
import { BLOCK_BYTES, TRANSFER_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { Activity } from "./activity.js";
import { makeBlank } from "./adoption.js";
import { Contents } from "./contents.js";
import { Cooler } from "./cooling.js";
import { fenced, foreign, mediumError, short } from "./errors.js";
import { capacityOf } from "./layout.js";
import { copyOf, lackingActivity, setBit } from "./maps.js";
import {
  type Claim,
  DIGEST_BYTES,
  LEASE_MS,
  type MemberFound,
  type MemberPort,
  type MemberWrite,
  type MemberZero,
  type Sequenced,
} from "./port.js";
import type { MemberEntry, MemberRecord, StorageFacts } from "./record.js";
import { Records } from "./records.js";
import { Sequences } from "./sequences.js";
import { Turns } from "./turns.js";

export interface MemberOptions {
  readonly device: BlockDevice;
  /** For messages: where the medium is. */
  readonly name: string;
  readonly digests: Digests;
  readonly after: After;
  /** Milliseconds, from any fixed point. */
  readonly now: () => number;
  /** The medium is known to hold only zeros: it was just made. */
  readonly isEmpty?: boolean;
}

/** What digests of a storage's blocks begin with: no two storages have the same. */
export const digestSeed = ({ age }: Pick<StorageFacts, "age">): bigint => view(age).getBigUint64(0, true);

/** What a member keeps while it is one. */
interface Serving {
  /** As on the medium, but for maps, which change here. */
  record: MemberRecord;
  /** Its own entry in it. */
  entry: MemberEntry;
  readonly activity: Activity;
  readonly contents: Contents;
  readonly sequences: Sequences;
  readonly cooler: Cooler;
}

export class Member implements MemberPort {
  readonly #options: MemberOptions;
  readonly #records: Records;
  #serving: Serving | null = null;
  #isBound = false;
  /** A server has fenced it since it was opened. */
  #isFenced = false;
  #isEmpty: boolean;
  #leaseUntil = Number.NEGATIVE_INFINITY;
  #failure: DiskError | null = null;
  #isClosed = false;
  /** Fences, adoptions and updates are done in turn. */
  readonly #turns = new Turns();

  private constructor(options: MemberOptions) {
    this.#options = options;
    this.#isEmpty = options.isEmpty ?? false;
    this.#records = new Records(options.device, () => {
      this.#checkMedium();
      return { record: this.#record(), isBound: this.#isBound };
    });
  }

  /** Looks at a medium. Rejects with DISK_MEDIUM when it cannot be read, DISK_SHORT without room. */
  static async open(options: MemberOptions): Promise<Member> {
    const { device, name } = options;
    if (device.blockBytes !== BLOCK_BYTES || capacityOf(device.blocks) < 0)
      throw new DiskError("DISK_SHORT", `${name}: no room for a member; use a larger medium`);
    const member = new Member(options);
    try {
      const stored = await member.#records.read();
      if (stored === null) return member;
      member.#isBound = stored.isBound;
      if (stored.isBound) member.#leaseUntil = options.now() + LEASE_MS;
      member.#serve(stored.record);
    } catch (error) {
      throw mediumError(name, error);
    }
    return member;
  }

  // ---- what it is ------------------------------------------------------------------

  async look(): Promise<MemberFound> {
    this.#checkAlive();
    const blocks = capacityOf(this.#options.device.blocks);
    if (this.#serving === null) return { kind: "blank", blocks, isEmpty: this.#isEmpty };
    return { kind: "member", blocks, record: this.#record() };
  }

  fence(claim: Claim): Promise<MemberRecord> {
    return this.#turns.take(() => this.#fence(claim));
  }

  async #fence({ age, epoch, server }: Claim): Promise<MemberRecord> {
    this.#checkAlive();
    const serving = this.#serving;
    if (serving === null || !sameBytes(serving.record.storage.age, age)) throw foreign(this.#options.name);
    const { record, sequences, activity } = serving;
    const isSame = epoch === record.epoch && server === record.server;
    if (!isSame && epoch <= record.epoch) throw fenced(this.#options.name, record.epoch, epoch);
    this.#checkLease(server);
    this.#heard();
    if (isSame && this.#isFenced) return this.#record();
    serving.record = { ...record, epoch, server };
    this.#isFenced = false;
    this.#isBound = true;
    // What the earlier server began ends before another one reads.
    await sequences.settle();
    sequences.restart();
    activity.age();
    await this.#save();
    this.#isFenced = true;
    return this.#record();
  }

  adopt(record: MemberRecord): Promise<void> {
    return this.#turns.take(() => this.#adopt(record));
  }

  async #adopt(record: MemberRecord): Promise<void> {
    this.#checkAlive();
    const { device, name } = this.#options;
    this.#checkRoom(this.#entryOf(record));
    const before = this.#serving;
    if (before !== null && sameBytes(before.record.storage.age, record.storage.age))
      if (before.record.epoch > record.epoch) throw fenced(name, before.record.epoch, record.epoch);
    this.#checkLease(record.server);
    this.#isFenced = false;
    try {
      await this.#settle();
      this.#serving = null;
      await makeBlank(device, this.#records, this.#isEmpty && before === null);
    } catch (error) {
      throw this.#fail(mediumError(name, error));
    }
    this.#isEmpty = false;
    this.#serve({ ...record, activity: new Uint8Array(0) });
    this.#isBound = true;
    await this.#save();
    this.#isFenced = true;
    this.#heard();
  }

  /** Nothing is on its way to the medium any more. */
  async #settle(): Promise<void> {
    if (this.#serving === null) return;
    this.#serving.cooler.stop();
    await this.#serving.sequences.settle();
    await this.#serving.contents.flush();
    await this.#records.settle();
  }

  update(record: MemberRecord): Promise<void> {
    return this.#turns.take(() => this.#update(record));
  }

  async #update(record: MemberRecord): Promise<void> {
    const { name } = this.#options;
    const serving = this.#enter(record.epoch);
    const { activity, cooler } = serving;
    const { epoch, server, member, storage } = serving.record;
    const entry = this.#entryOf({ ...record, member });
    if (!sameBytes(record.storage.age, storage.age)) throw foreign(name);
    this.#checkRoom(entry);
    if (entry.blocks < serving.entry.blocks || record.storage.blocks < storage.blocks)
      throw new DiskError("DISK_RANGE", `${name}: neither a storage nor a member becomes smaller`);
    if (record.isClean) await cooler.all();
    activity.settle(record.storage.blocks, record.activity);
    const given = copyOf({ ...record, epoch, server, member }, activity.map());
    const known = (id: Uint8Array) => serving.record.members.find((each) => sameBytes(each.id, id));
    const members = given.members.map((each) => lackingActivity(each, given.activity, known(each.id)));
    serving.record = { ...given, members };
    serving.entry = entry;
    this.#isBound = !record.isClean;
    await this.#save();
    activity.isSaved = !record.isClean;
    if (record.isClean) this.#leaseUntil = Number.NEGATIVE_INFINITY;
  }

  async renew(epoch: number, done: number): Promise<void> {
    this.#enter(epoch).sequences.advance(done);
  }

  // ---- what it stores --------------------------------------------------------------

  async read(epoch: number, block: number, buffer: Uint8Array, isRaw = false): Promise<Uint8Array> {
    const { contents } = this.#enterAt(epoch, block, buffer.length / BLOCK_BYTES);
    try {
      return await contents.read(block, buffer);
    } catch (error) {
      // The buffer is filled all the same, as far as it could be read.
      if (!isRaw || !(error instanceof DiskError) || error.code !== "DISK_ROT") throw error;
      return contents.digests(block, buffer.length / BLOCK_BYTES, false);
    }
  }

  async write(request: MemberWrite): Promise<void> {
    const { epoch, block, data, digests, durable } = request;
    const serving = this.#enterAt(epoch, block, data.length / BLOCK_BYTES);
    const check = (): void => this.#compare(serving, block, data, digests);
    const change = (): Promise<void> => serving.contents.write(block, data, digests, durable);
    return this.#execute(serving, request, block, data.length / BLOCK_BYTES, change, check);
  }

  async zero(request: MemberZero): Promise<void> {
    const { epoch, block, blocks, durable, punch } = request;
    const serving = this.#enterAt(epoch, block, blocks, Number.POSITIVE_INFINITY);
    return this.#execute(serving, request, block, blocks, () =>
      serving.contents.zero(block, blocks, durable, punch),
    );
  }

  async flush(epoch: number): Promise<void> {
    await this.#enter(epoch).contents.flush();
  }

  async digests(epoch: number, block: number, blocks: number, isRead: boolean): Promise<Uint8Array> {
    const { contents } = this.#enterAt(epoch, block, blocks, Number.POSITIVE_INFINITY);
    return contents.digests(block, blocks, isRead);
  }

  /** Nothing more is served. What was written is brought to the medium, unless it has failed. */
  async close(): Promise<void> {
    const serving = this.#serving;
    const isOver = this.#isClosed || this.#failure !== null || serving === null;
    this.#isClosed = true;
    serving?.cooler.stop();
    if (!isOver) await this.#settle();
  }

  /** Executes a change of blocks at most once, in extents whose bits are on the medium, if it passes its check. */
  #execute(
    serving: Serving,
    { sequence, done }: Sequenced,
    block: number,
    blocks: number,
    change: () => Promise<void>,
    check: () => void = () => {},
  ): Promise<void> {
    const { sequences, activity } = serving;
    sequences.advance(done);
    return sequences.once(sequence, async () => {
      check();
      const extents = activity.extentsOf(block, blocks);
      const cold = extents.filter((extent) => activity.begin(extent, sequence, this.#options.now()));
      serving.cooler.later();
      try {
        if (cold.length > 0) await activity.saved(cold, () => this.#mark(serving, cold));
        await change();
      } finally {
        for (const extent of extents) activity.end(extent, this.#options.now());
      }
    });
  }

  /** Puts the bits of extents on the medium, also in what members that are out lack. */
  #mark(serving: Serving, extents: readonly number[]): Promise<void> {
    this.#isBound = true;
    serving.record = { ...serving.record, isClean: false };
    for (const { state, lacks } of serving.record.members)
      if (state === "out" && lacks !== null) for (const extent of extents) setBit(lacks, extent);
    return this.#save();
  }

  /** Throws DISK_TRANSFER unless the digests are of the data. */
  #compare({ record }: Serving, block: number, data: Uint8Array, digests: Uint8Array): void {
    const isWhole = digests.length === (data.length / BLOCK_BYTES) * DIGEST_BYTES;
    const wrong = isWhole ? this.#options.digests.differing(data, digests, digestSeed(record.storage)) : [0];
    if (wrong.length === 0) return;
    const blocks = wrong.map((index) => block + index);
    throw new DiskError("DISK_TRANSFER", `${this.#options.name}: blocks changed on their way`, blocks);
  }

  // ---- who may -----------------------------------------------------------------------

  #serve(record: MemberRecord): void {
    const { device, name, digests, after, now } = this.#options;
    const own = copyOf(record, record.activity);
    const fail = (error: DiskError) => void this.#fail(error);
    const parts = {
      activity: new Activity(own.storage.blocks, own.activity),
      sequences: new Sequences(),
      contents: new Contents({ device, name, digests, seed: digestSeed(own.storage), fail }),
    };
    parts.activity.isSaved = !own.isClean;
    const cooler = new Cooler({ ...parts, after, now, save: () => this.#save() });
    this.#serving = { ...parts, cooler, record: own, entry: this.#entryOf(own) };
  }

  /** A copy of the record as it is now. */
  #record(): MemberRecord {
    if (this.#serving === null) throw foreign(this.#options.name);
    const { record, activity } = this.#serving;
    return copyOf(record, activity.map());
  }

  async #save(): Promise<void> {
    try {
      await this.#records.save();
    } catch (error) {
      throw this.#fail(mediumError(this.#options.name, error));
    }
  }

  /** It is of no use from now on; answers what is said about it. */
  #fail(error: DiskError): DiskError {
    this.#failure ??= new DiskError("DISK_MEDIUM", error.message, error.blocks, { cause: error });
    this.#serving?.cooler.stop();
    return this.#failure;
  }

  #checkAlive(): void {
    if (this.#isClosed) throw new DiskError("DISK_GONE", `${this.#options.name}: the member is closed`);
    this.#checkMedium();
  }

  #checkMedium(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** A request of the server that has it; anybody else's is refused. */
  #enter(epoch: number): Serving {
    this.#checkAlive();
    if (this.#serving === null) throw foreign(this.#options.name);
    const known = this.#serving.record.epoch;
    if (epoch < known) throw fenced(this.#options.name, known, epoch);
    if (epoch > known || !this.#isFenced)
      throw new DiskError("DISK_GONE", `${this.#options.name}: fence this member first, it was opened anew`);
    this.#heard();
    return this.#serving;
  }

  #enterAt(epoch: number, block: number, blocks: number, most = TRANSFER_BYTES / BLOCK_BYTES): Serving {
    const serving = this.#enter(epoch);
    const isWhole = Number.isInteger(block) && Number.isInteger(blocks) && block >= 0 && blocks > 0;
    if (isWhole && blocks <= most && block + blocks <= serving.entry.blocks) return serving;
    const { name } = this.#options;
    const message = `${name}: ${blocks} blocks from ${block} on, of ${serving.entry.blocks}`;
    throw new DiskError("DISK_RANGE", message);
  }

  #heard(): void {
    this.#leaseUntil = this.#options.now() + LEASE_MS;
  }

  #checkLease(server: bigint): void {
    const has = this.#serving?.record.server;
    if (has === undefined || has === server || this.#options.now() >= this.#leaseUntil) return;
    throw new DiskError("DISK_FENCED", `${this.#options.name}: another server has this member still`);
  }

  #entryOf({ member, members }: MemberRecord): MemberEntry {
    const entry = members.find(({ id }) => sameBytes(id, member));
    if (entry === undefined) throw foreign(this.#options.name);
    return entry.isWitness ? { ...entry, blocks: 0 } : entry;
  }

  #checkRoom({ blocks }: MemberEntry): void {
    const room = capacityOf(this.#options.device.blocks);
    if (blocks > room) throw short(this.#options.name, room, blocks);
  }
}
