// A real member on a disk in virtual time, with the faults that a storage's life has for members in memory.
//
// - A crash is a power cut of the disk: its cache is kept, dropped or torn, block by block.
// - `start` opens the member anew from what is on the medium.

import { DiskError } from "../../control/server/disk/errors.js";
import { mediumBlocks } from "../../control/server/disk/member/layout.js";
import { digestSeed, Member } from "../../control/server/disk/member/member.js";
import type { MemberPort } from "../../control/server/disk/member/port.js";
import type { MemberRecord } from "../../control/server/disk/member/record.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { type FakeLink, Reachable } from "../unit/server/disk/fake-link.js";
import { recordOf } from "../unit/server/disk/fake-storage.js";
import { digests } from "../unit/server/disk/kernel.js";
import type { VirtualTime } from "../unit/server/disk/virtual-time.js";

const seed = digestSeed(recordOf().storage);

/** Digests as the members compute them. */
export const realDigests = (data: Uint8Array): Uint8Array => digests.of(data, seed);

export class RealMember extends Reachable {
  readonly disk: VirtualDisk;
  record: MemberRecord | null = null;
  #member: Promise<Member>;

  constructor(time: VirtualTime, random: SeededRandom, blocks: number) {
    super(time, random);
    const clock = {
      after: (microseconds: number, action: () => void) => void time.after(microseconds / 1000, action),
    };
    this.disk = new VirtualDisk({ blocks: mediumBlocks(blocks), random, clock });
    this.#member = this.#open();
  }

  /** A machine that has gone off asks its disk for nothing more. */
  #open(): Promise<Member> {
    const { disk, time, life } = this;
    const asked = <T>(work: () => Promise<T>): Promise<T> =>
      life === this.life ? work() : new Promise(() => undefined);
    const device = {
      ...{ blockBytes: disk.blockBytes, blocks: disk.blocks },
      read: (block: number, buffer: Uint8Array) => asked(() => disk.read(block, buffer)),
      write: (block: number, data: Uint8Array) => asked(() => disk.write(block, data)),
      flush: () => asked(() => disk.flush()),
    };
    const after = (milliseconds: number, action: () => void): (() => void) =>
      time.after(milliseconds, () => {
        if (life === this.life) action();
      });
    const opened = Member.open({ device, name: "m", digests, after, now: time.clock });
    opened.catch(() => undefined);
    return opened;
  }

  crash(): void {
    this.life++;
    this.isOn = false;
    this.disk.cut();
  }

  start(): void {
    if (this.isOn) return;
    this.disk.restore();
    this.isOn = true;
    this.#member = this.#open();
  }

  blank(): void {
    this.disk.replace();
  }

  rot(block: number): void {
    const data = this.disk.onMedium(block);
    data[17] = (data[17] ?? 0) ^ 0x40;
    void this.disk.write(block, data).then(() => this.disk.flush());
  }

  stored(block: number): { readonly data: Uint8Array } {
    return { data: this.disk.onMedium(block) };
  }

  port(link: FakeLink): MemberPort {
    const call = <T>(work: (member: Member) => Promise<T>, isCopied = false): Promise<T> =>
      this.call(
        link,
        async () => {
          const { life } = this;
          const member = await this.#member;
          if (life !== this.life) throw new DiskError("DISK_SILENT", "it has gone");
          return work(member);
        },
        isCopied,
      );
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
}
