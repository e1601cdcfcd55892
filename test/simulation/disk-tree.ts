// A member that lies on another storage, as on machines where a disk is attached to one: a tree of two
// storages, whose inner one has members, a server and faults of its own.
//
// - A crash ends the inner server with the member. Its members go on, or lose their power by themselves.
// - Time and chance are those of the outer world, so that both resynchronise at the same time.

import { DiskDevice } from "../../control/server/disk/device.js";
import { mediumBlocks } from "../../control/server/disk/member/layout.js";
import type { BlockDevice } from "../../drivers/block.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { goodLink, type Reachable } from "../unit/server/disk/fake-link.js";
import { type FakeServer, FakeWorld } from "../unit/server/disk/fake-storage.js";
import type { VirtualTime } from "../unit/server/disk/virtual-time.js";
import { MediumMember } from "./disk-medium.js";

const policy = { retryMaxMs: 1000, requestLimitMs: 6000 };

export class TreeMember extends MediumMember {
  readonly inner: FakeWorld<Reachable>;
  server: FakeServer | null = null;
  #formatted: Promise<void> | null = null;

  constructor(time: VirtualTime, random: SeededRandom, blocks: number) {
    super(time, random);
    const size = Math.ceil(mediumBlocks(blocks) / 8) * 8;
    this.inner = new FakeWorld<Reachable>({ members: 3, blocks: size, policy, within: { time, random } });
    this.open();
  }

  get parts(): readonly Reachable[] {
    return this.inner.members;
  }

  get state(): string {
    return this.server?.storage.status().state ?? "failed";
  }

  /** Faults of a link inside. */
  cut(place: number, isCut: boolean): void {
    const link = this.server?.links[place];
    if (link !== undefined) link.isCut = isCut;
  }

  /** The inner storage is opened anew, as by another machine; the one before ends. */
  serve(): FakeServer {
    this.server?.storage.stop();
    this.server = this.inner.serve(
      this.inner.members.map(() => ({ ...goodLink(), loss: 0.01, copies: 0.02 })),
    );
    return this.server;
  }

  protected async device(): Promise<BlockDevice> {
    this.#formatted ??= this.#format();
    try {
      await this.#formatted;
    } catch (error) {
      this.#formatted = null; // some were off: all of it once more
      throw error;
    }
    const { storage } = this.server === null || this.server.storage.hasEnded ? this.serve() : this.server;
    await storage.ready();
    return new DiskDevice(storage);
  }

  /** Not as the world does it, which would take the time into its own hands. */
  async #format(): Promise<void> {
    const { record, members } = this.inner;
    await Promise.all(
      record.members.map(async ({ id }, place) => {
        const port = members[place]?.port(goodLink());
        await port?.adopt({ ...record, member: id });
        await port?.update({ ...record, member: id });
      }),
    );
  }

  /** All below it is well again. */
  heal(): void {
    for (const each of this.inner.members) each.start();
    for (const link of this.server?.links ?? []) Object.assign(link, goodLink());
  }

  override crash(): void {
    super.crash();
    this.server?.storage.stop();
  }

  blank(): void {
    for (const each of this.inner.members) each.blank();
    this.#formatted = null;
  }

  /** Of one of the inner copies: the inner storage has to mend it before the outer one sees it. */
  rot(block: number): void {
    this.inner.members[this.random.below(this.inner.members.length)]?.rot(block);
  }

  stored(block: number): { readonly data: Uint8Array } {
    const first = this.inner.members.find(({ isOn }) => isOn) ?? this.inner.members[0];
    if (first === undefined) throw new Error("a tree without leaves");
    return first.stored(block);
  }
}
