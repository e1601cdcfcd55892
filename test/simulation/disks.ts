// A storage under faults, and a client that knows what it must read: what was acknowledged, or, where a
// write was not acknowledged, either of two.
//
// - The client has one request a block under way. A read settles which of the possible values it is:
//   it must not change back. What was acknowledged and not flushed may be lost when members lose power.
// - Faults are such that some copy of everything is left: a medium is changed for a blank one, or a copy
//   rots, only while all the others are in sync, and nothing else is damaged until it is whole again.

import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { type Algorithm, algorithmOf } from "../../control/server/disk/storage/algorithm.js";
import { SECTOR_BYTES } from "../../drivers/block.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import type { Reachable } from "../unit/server/disk/fake-link.js";
import { goodLink } from "../unit/server/disk/fake-link.js";
import { type FakeOptions, type FakeServer, FakeWorld } from "../unit/server/disk/fake-storage.js";
import { contentOf, numberIn } from "./disk-content.js";
import { classic, type Fault } from "./disk-faults.js";
import { RealMember } from "./disk-medium.js";
import { TreeMember } from "./disk-tree.js";

interface Known {
  /** What a read may answer. */
  allowed: Set<number>;
  /** What may be on the media. */
  stored: Set<number>;
  isBusy: boolean;
}

/** How clients use the disk. */
export interface Habits {
  /** The part of writes that are zeros. */
  readonly zeros?: number;
  /** The part of writes that have to be on the media: each brings down all before it. */
  readonly durable?: number;
  /** Blocks that are used: of few, each is written anew soon. */
  readonly places?: number;
}

export class DiskLife {
  readonly world: FakeWorld<Reachable>;
  readonly random: SeededRandom;
  readonly servers: FakeServer[] = [];
  readonly counts = {
    ...{ writes: 0, reads: 0, failed: 0, faults: 0, takeovers: 0 },
    /** Faults of media; moments at which members lost power; servers, sources or targets that fell in a resync. */
    ...{ media: 0, cuts: 0, inResync: 0, together: 0 },
  };
  readonly trace: string[] = [];
  readonly #known = new Map<number, Known>();
  readonly #places: number[];
  readonly #zeros: number;
  readonly #durable: number;
  /** What torn writes have left, by the numbers that they got. */
  readonly #torn = new Map<number, Uint8Array>();
  #value = 0;
  #isDamaged = false;
  /** Some block has one good copy less: nothing else fails until it was repaired. */
  #isAlone = false;
  /** Faults under way. */
  #active = 0;
  #isOver = false;
  #failure: unknown = null;

  readonly #faults: readonly Fault[];

  constructor(
    options: FakeOptions,
    faults: readonly Fault[] = classic,
    { zeros = 0.1, durable = 0.6, places = 24 }: Habits = {},
  ) {
    this.world = new FakeWorld(options);
    this.#faults = faults;
    this.random = this.world.random;
    const { blocks } = this.world.record.storage;
    this.#zeros = zeros;
    this.#durable = durable;
    this.#places = Array.from({ length: places }, (_, at) => (at * 173 + (at % 3)) % blocks);
    for (const place of this.#places)
      this.#known.set(place, { allowed: new Set([0]), stored: new Set([0]), isBusy: false });
  }

  /** The server that serves, or the last that was started. */
  get current(): FakeServer {
    const isServing = ({ storage }: FakeServer) => !storage.hasEnded && storage.status().state !== "failed";
    const server = this.servers.findLast(isServing) ?? this.servers.at(-1);
    if (server === undefined) throw new Error("no server");
    return server;
  }

  say(what: string): void {
    this.trace.push(`${this.world.time.now.toFixed(0)} ${what}`);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)] as T;
  }

  /** What the media say, a line each. */
  media(): string[] {
    return this.world.members.map(({ record, isOn }, place) => {
      if (record === null) return `medium ${place}: blank`;
      const { epoch, generation, history, members } = record;
      const short = (id: bigint): string => (id & 0xffffn).toString(16);
      const states = members.map(({ state, since }) => `${state}(${short(since)})`).join(" ");
      const before = history.map(short).join(",");
      return `medium ${place}: ${isOn} epoch ${epoch} ${short(generation)} after ${before}: ${states}`;
    });
  }

  // ---- the client ------------------------------------------------------------------------

  async client(): Promise<void> {
    try {
      while (!this.#isOver) {
        await this.world.time.pause(1 + this.random.below(150));
        const place = this.pick(this.#places);
        const known = this.#known.get(place);
        if (known === undefined || known.isBusy) continue;
        known.isBusy = true;
        const kind = this.random.below(10);
        if (kind < 5) await this.#write(place, known, kind < 5 * this.#durable);
        else if (kind < 9) await this.read(place, known);
        else await this.#flush();
        known.isBusy = false;
      }
    } catch (error) {
      this.#failure ??= error;
    }
  }

  async #write(place: number, known: Known, durable: boolean): Promise<void> {
    const value = this.random.chance(this.#zeros) ? 0 : ++this.#value;
    known.allowed.add(value);
    known.stored.add(value);
    const { storage } = this.current;
    try {
      if (value === 0) await storage.zero(place, 1, { durable, punch: true });
      else await storage.write(place, contentOf(value), { durable });
    } catch (error) {
      return this.#failed(error);
    }
    this.counts.writes++;
    known.allowed = new Set([value]);
    if (durable) known.stored = new Set([value]);
  }

  async read(place: number, known: Known): Promise<void> {
    const buffer = new Uint8Array(BLOCK_BYTES);
    const server = this.current;
    try {
      await server.storage.read(place, buffer);
    } catch (error) {
      return this.#failed(error);
    }
    this.counts.reads++;
    known.allowed = new Set([this.#judged(place, buffer, known)]);
  }

  /** Which value a block has that was read; of a torn write it is a new one, of sectors of those allowed. */
  #judged(place: number, buffer: Uint8Array, { allowed }: Known): number {
    const isWhole = (value: number): boolean => Buffer.compare(buffer, this.#content(value)) === 0;
    const value = [...allowed].find(isWhole);
    if (value !== undefined) return value;
    const isOf = (from: number, each: number): boolean =>
      Buffer.compare(
        buffer.subarray(from, from + SECTOR_BYTES),
        this.#content(each).subarray(from, from + SECTOR_BYTES),
      ) === 0;
    const isMixed = Array.from({ length: BLOCK_BYTES / SECTOR_BYTES }, (_, sector) =>
      [...allowed].some((each) => isOf(sector * SECTOR_BYTES, each)),
    ).every((is) => is);
    if (!isMixed || allowed.size < 2)
      throw new Error(
        `block ${place} reads ${numberIn(buffer)}, which is none of ${[...allowed].join(", ")}`,
      );
    this.#torn.set(++this.#value, buffer.slice());
    return this.#value;
  }

  #content(value: number): Uint8Array {
    return this.#torn.get(value) ?? contentOf(value);
  }

  async #flush(): Promise<void> {
    const ended = [...this.#known.values()].filter(({ isBusy }) => !isBusy);
    const values = ended.map(({ allowed }) => allowed);
    try {
      await this.current.storage.flush();
    } catch (error) {
      // The only copy has lost its power, and what was not flushed: the user hears of it.
      if (error instanceof DiskError && error.code === "DISK_MEDIUM") return;
      return this.#failed(error);
    }
    ended.forEach((known, at) => {
      const then = values[at];
      if (then !== undefined && then === known.allowed && then.size === 1) known.stored = new Set(then);
    });
  }

  #failed(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    this.counts.failed++;
    this.say(`request failed: ${error.code}`);
    if (error.code === "DISK_ROT" || error.code === "DISK_MEDIUM" || error.code === "DISK_RANGE") throw error;
  }

  // ---- faults (disk-faults.ts) --------------------------------------------------------------

  serve(): void {
    this.servers.push(this.world.serve(this.world.members.map(() => this.#link())));
    this.counts.takeovers++;
    this.say(`server ${this.servers.length} starts`);
  }

  #link() {
    return { ...goodLink(), loss: 0.01, copies: 0.02, maxMs: 3 };
  }

  pause(milliseconds: number): Promise<void> {
    return this.world.time.pause(milliseconds);
  }

  /** What was acknowledged and not flushed may be lost. */
  widen(): void {
    for (const known of this.#known.values()) for (const value of known.stored) known.allowed.add(value);
  }

  crash(member: Reachable): void {
    member.crash();
    this.counts.cuts++;
    this.widen();
  }

  /** One fault, and after a while its end. */
  async fault(): Promise<void> {
    if (this.#isAlone) return;
    this.counts.faults++;
    const { members } = this.world;
    const place = this.random.below(members.length);
    const member = members[place] as Reachable;
    const server = this.current;
    const fault = this.pick(this.#faults);
    const lasting = this.pick([100, 800, 2500, 6000]);
    this.#active++;
    await fault({ life: this, place, member, server, lasting });
    this.#active--;
  }

  /** Damages a medium: only while all is in sync, or no other is damaged, and nothing else until it is again. */
  async damage(place: number, what: string, work: () => Promise<void>, isAnytime = false): Promise<void> {
    const isOk = this.current.storage.status().state === "ok";
    if (this.#isDamaged || !(isOk || isAnytime)) return;
    this.#isDamaged = true;
    this.say(`medium ${place} ${what}`);
    await work();
    await this.#whole();
    this.#isDamaged = false;
  }

  /** Damages a medium while nothing else is the matter, and nothing else happens until it is repaired. */
  async quietly(place: number, what: string, work: () => Promise<void>): Promise<void> {
    if (!this.isQuiet || this.#active > 1) return;
    await this.damage(place, what, async () => {
      this.#isAlone = true;
      await work();
      await this.#whole();
      this.#isAlone = false;
    });
  }

  /** All members have power and their links. */
  get isQuiet(): boolean {
    const { members } = this.world;
    return members.every(({ isOn }) => isOn) && this.current.links.every(({ isCut }) => !isCut);
  }

  async #whole(): Promise<void> {
    while (this.current.storage.status().state !== "ok" && !this.#isOver) {
      await this.world.time.pause(100);
      if (this.servers.every(({ storage }) => storage.hasEnded)) this.serve();
    }
  }

  /** A blank medium in the place of a member's, of so many blocks; none: of as many as before. */
  async exchange(member: Reachable, lasting: number, blocks?: number): Promise<void> {
    this.crash(member);
    member.blank(blocks);
    this.counts.media++;
    await this.world.time.pause(lasting);
    member.start();
    await this.world.time.pause(3000); // until somebody has noticed: then it is not `ok` before it is whole
  }

  /** Some blocks of a member rot; nothing else fails until they were repaired. */
  async rotAndScrub(member: Reachable): Promise<void> {
    const isInner = this.#isAlone;
    this.#isAlone = true;
    for (const place of this.#places.slice(0, 3)) {
      member.rot(place);
      this.counts.media++;
    }
    for (const place of this.#places.slice(0, 3)) {
      const known = this.#known.get(place);
      if (known === undefined || known.isBusy) continue;
      known.isBusy = true;
      await this.read(place, known);
      known.isBusy = false;
    }
    await this.scrub();
    this.#isAlone = isInner;
  }

  async scrub(): Promise<void> {
    await this.current.storage.scrub({ bytesPerSecond: 1e9 }).catch((error) => this.#failed(error));
    await this.world.time.pause(1000);
  }

  // ---- a run -----------------------------------------------------------------------------

  async run(faults: number): Promise<void> {
    const { time } = this.world;
    await this.world.format();
    this.serve();
    await time.during(this.current.storage.ready());
    const clients = [1, 2, 3].map(() => this.client());
    const damage: Promise<void>[] = [];
    for (let at = 0; at < faults; at++) {
      damage.push(
        this.fault().catch((error) => {
          this.#failure ??= error;
        }),
      );
      await time.run(this.random.below(4000));
      if (this.#failure !== null) throw this.#failure;
    }
    for (let over = false; !over; ) {
      void Promise.all(damage).then(() => {
        over = true;
      });
      await time.run(500);
      if (this.#failure !== null) throw this.#failure;
      if (time.now > 600_000) throw new Error("a fault does not end");
    }
    await this.#heal();
    this.#isOver = true;
    await time.during(Promise.all(clients));
    if (this.#failure !== null) throw this.#failure;
    await this.#check();
  }

  async #heal(): Promise<void> {
    for (const member of this.world.members) {
      if (member instanceof TreeMember) member.heal();
      member.start();
    }
    const last = this.current;
    for (const server of this.servers) if (server !== last) server.storage.stop();
    for (const { links } of this.servers) for (const link of links) Object.assign(link, goodLink());
    if (this.current.storage.hasEnded) this.serve();
    await this.world.time.until(() => {
      if (this.#failure !== null) throw this.#failure;
      if (this.current.storage.hasEnded) this.serve();
      const isWhole = (each: Reachable) => !(each instanceof TreeMember) || each.state === "ok";
      return this.current.storage.status().state === "ok" && this.world.members.every(isWhole);
    }, 180_000);
  }

  async #check(): Promise<void> {
    const { time, members, record } = this.world;
    await time.during(this.#flush()); // hears of writes that the only copy may have lost, once
    await time.run(3000); // those that need not have it before it is acknowledged get it too
    await time.during(this.current.storage.flush());
    await time.run(1000);
    const { parts } = algorithmOf(record.storage.algorithm) as Algorithm;
    for (const [place, known] of this.#known) {
      await time.during(this.read(place, known));
      const [value = 0] = known.allowed;
      for (const { memberBlock, members: places } of parts(record.members, place, 1))
        for (const at of places) {
          const data = members[at]?.stored(memberBlock).data;
          if (data !== undefined && Buffer.compare(data, this.#content(value)) !== 0)
            throw new Error(`block ${place} of member ${at} is ${numberIn(data)}, not ${value}`);
        }
    }
    for (const member of members)
      if (member instanceof RealMember) {
        const { torn, lostWrite, misdirectedWrite, badBlock } = member.counts();
        this.counts.media += torn + lostWrite + misdirectedWrite + badBlock;
      }
  }
}
