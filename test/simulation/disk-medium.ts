// Real members in virtual time, with the faults that a storage's life has for members in memory.
//
// - A crash ends the member where it stands; of a disk's cache anything is kept, dropped or torn, block
//   by block. `start` opens the member anew from what is on the medium.
// - A member whose medium has failed is opened anew after a while, as its machine would.
// - What it lies on is the subclass's matter: a virtual disk here, another storage in disk-tree.ts.

import { DiskError } from "../../control/server/disk/errors.js";
import { copyStart, mediumBlocks } from "../../control/server/disk/member/layout.js";
import { digestSeed, Member } from "../../control/server/disk/member/member.js";
import type { MemberPort } from "../../control/server/disk/member/port.js";
import type { MemberRecord } from "../../control/server/disk/member/record.js";
import { type BlockDevice, BlockError } from "../../drivers/block.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { type DiskCounts, noDiskCounts } from "../../simulation/disk/faults.js";
import { type FakeLink, Reachable } from "../unit/server/disk/fake-link.js";
import { recordOf } from "../unit/server/disk/fake-storage.js";
import { digests } from "../unit/server/disk/kernel.js";
import type { VirtualTime } from "../unit/server/disk/virtual-time.js";

const seed = digestSeed(recordOf().storage);
const reopenMs = 500;

/** Digests as the members compute them. */
export const realDigests = (data: Uint8Array): Uint8Array => digests.of(data, seed);

/** Members of another kind: those with a bug planted. */
export type MemberKind = Pick<typeof Member, "open">;

/** A member on some block device. */
export abstract class MediumMember extends Reachable {
  record: MemberRecord | null = null;
  protected flushFails = false;
  #member: Promise<Member> = Promise.reject(new DiskError("DISK_GONE", "not opened yet"));

  constructor(
    time: VirtualTime,
    random: SeededRandom,
    readonly Kind: MemberKind = Member,
  ) {
    super(time, random);
    this.#member.catch(() => undefined);
  }

  /** What the member is on now; rejects when it cannot be opened. */
  protected abstract device(): Promise<BlockDevice>;

  /** A machine that has gone off asks its disk for nothing more. */
  protected open(): void {
    const { time, life } = this;
    const asked = <T>(work: () => Promise<T>): Promise<T> =>
      life === this.life ? work() : new Promise(() => undefined);
    const after = (milliseconds: number, action: () => void): (() => void) =>
      time.after(milliseconds, () => {
        if (life === this.life) action();
      });
    const opening = async (): Promise<Member> => {
      const device = await this.device();
      const asking: BlockDevice = {
        ...{ blockBytes: device.blockBytes, blocks: device.blocks },
        read: (block, buffer) => asked(() => device.read(block, buffer)),
        write: (block, data) => asked(() => device.write(block, data)),
        flush: () => asked(() => (this.#takesFlush() ? device.flush() : failed())),
      };
      return this.Kind.open({ device: asking, name: "m", digests, after, now: time.clock });
    };
    this.#member = opening();
    this.#member.catch(() => this.#reopen(life));
  }

  #takesFlush(): boolean {
    const { flushFails } = this;
    this.flushFails = false;
    return !flushFails;
  }

  failFlush(): void {
    this.flushFails = true;
  }

  /** Opens it once more after a while, unless it lost its power meanwhile. */
  #reopen(life: number): void {
    if (life !== this.life) return;
    this.life++;
    const now = this.life;
    this.#member = Promise.reject(new DiskError("DISK_GONE", "its medium has failed"));
    this.#member.catch(() => undefined);
    this.time.after(reopenMs, () => {
      if (now === this.life) this.open();
    });
  }

  crash(): void {
    this.life++;
    this.isOn = false;
    this.flushFails = false;
  }

  start(): void {
    if (this.isOn) return;
    this.isOn = true;
    this.open();
  }

  port(link: FakeLink): MemberPort {
    const call = <T>(work: (member: Member) => Promise<T>, isCopied = false): Promise<T> =>
      this.call(link, () => this.#on(work), isCopied);
    return {
      look: () => call((member) => member.look()),
      fence: (claim) => call((member) => member.fence(claim)),
      adopt: (record) => call((member) => member.adopt(record)),
      update: (record) => call((member) => member.update(record)),
      renew: (epoch, done) => call((member) => member.renew(epoch, done)),
      read: (epoch, block, buffer, isRaw) => {
        const into = new Uint8Array(buffer.length);
        return call((member) => member.read(epoch, block, into, isRaw)).then((found) => {
          buffer.set(into);
          return found;
        });
      },
      write: (request) => {
        const sent = { ...request, data: request.data.slice(), digests: request.digests.slice() };
        return call((member) => member.write(sent), true);
      },
      zero: (request) => call((member) => member.zero(request), true),
      flush: (epoch) => call((member) => member.flush(epoch)),
      digests: (epoch, block, blocks, isRead) =>
        call((member) => member.digests(epoch, block, blocks, isRead)),
    };
  }

  async #on<T>(work: (member: Member) => Promise<T>): Promise<T> {
    const { life } = this;
    const member = await this.#member;
    if (life !== this.life) throw new DiskError("DISK_SILENT", "it has gone");
    try {
      return await work(member);
    } catch (error) {
      if (error instanceof DiskError && error.code === "DISK_MEDIUM") this.#reopen(life);
      throw error;
    }
  }
}

const failed = (): Promise<never> => Promise.reject(new BlockError("BLOCK_GONE", "the flush has failed", 0));

/** What a medium does to its next write or read. */
export type Lie = "lost" | "misdirected" | "unreadable";
type LieCount = "lostWrite" | "misdirectedWrite" | "badBlock";

/** A member on a virtual disk. */
export class RealMember extends MediumMember {
  disk: VirtualDisk;
  /** What happened to the disks before this one. */
  readonly #past: DiskCounts[] = [];
  readonly #bad = new Set<number>();
  #lie: Lie | null = null;

  constructor(time: VirtualTime, random: SeededRandom, blocks: number, Kind?: MemberKind) {
    super(time, random, Kind);
    this.disk = this.#disk(mediumBlocks(blocks));
    this.open();
  }

  #disk(blocks: number): VirtualDisk {
    const { time, random } = this;
    const clock = {
      after: (microseconds: number, action: () => void) => void time.after(microseconds / 1000, action),
    };
    return new VirtualDisk({ blocks, random, clock });
  }

  /** The next write or read does not do as it says; null: no more of that. */
  lie(lie: Lie | null): void {
    this.#lie = lie;
  }

  protected device(): Promise<BlockDevice> {
    const { disk } = this;
    return Promise.resolve({
      ...{ blockBytes: disk.blockBytes, blocks: disk.blocks },
      read: (block, buffer) => this.#read(disk, block, buffer),
      write: (block, data) => this.#write(disk, block, data),
      flush: () => disk.flush(),
    });
  }

  async #read(disk: VirtualDisk, block: number, buffer: Uint8Array): Promise<void> {
    if (this.#takes("unreadable", disk, block)) this.#bad.add(block);
    const isBad = (each: number): boolean => each >= block && each < block + buffer.length / disk.blockBytes;
    const bad = [...this.#bad].find(isBad);
    if (bad !== undefined) throw new BlockError("BLOCK_UNREADABLE", `block ${bad} cannot be read`, bad);
    return disk.read(block, buffer);
  }

  /** Records are another test's matter (disk-member-faults.test.ts). */
  async #write(disk: VirtualDisk, block: number, data: Uint8Array): Promise<void> {
    for (let at = 0; at * disk.blockBytes < data.length; at++) this.#bad.delete(block + at);
    if (this.#takes("lost", disk, block)) return;
    if (!this.#takes("misdirected", disk, block)) return disk.write(block, data);
    const room = copyStart(disk.blocks, 0) - data.length / disk.blockBytes;
    return disk.write((block + 1 + this.random.below(room - 1)) % room, data);
  }

  #takes(lie: Lie, { counts, blocks }: VirtualDisk, block: number): boolean {
    if (this.#lie !== lie || block >= copyStart(blocks, 0)) return false;
    this.#lie = null;
    counts[{ lost: "lostWrite", misdirected: "misdirectedWrite", unreadable: "badBlock" }[lie] as LieCount]++;
    return true;
  }

  override crash(): void {
    super.crash();
    this.disk.cut();
  }

  override start(): void {
    if (!this.isOn) this.disk.restore();
    super.start();
  }

  blank(blocks?: number): void {
    this.#bad.clear();
    if (blocks === undefined) {
      this.disk.replace();
      return;
    }
    this.#past.push({ ...this.disk.counts, replaced: this.disk.counts.replaced + 1 });
    this.disk = this.#disk(mediumBlocks(blocks));
    if (!this.isOn) this.disk.cut();
  }

  rot(block: number): void {
    const data = this.disk.onMedium(block);
    data[17] = (data[17] ?? 0) ^ 0x40;
    this.disk.counts.bitRot++;
    void this.disk.write(block, data).then(() => this.disk.flush());
  }

  stored(block: number): { readonly data: Uint8Array } {
    return { data: this.disk.onMedium(block) };
  }

  /** Faults of its media, and power cuts. */
  counts(): DiskCounts {
    const sum = noDiskCounts();
    for (const each of [...this.#past, this.disk.counts])
      for (const kind of Object.keys(sum) as (keyof DiskCounts)[]) sum[kind] += each[kind];
    return sum;
  }
}
