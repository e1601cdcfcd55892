// Storages as pool machines have them: disk servers on media that lose their power or are changed for blank
// ones, machines that stand by to serve, and clients that use the disk over RPC.
//
// - Each client writes blocks of its own, some of them durable, reads and flushes. What was acknowledged is
//   there, whoever serves; a disk that was not flushed may lose what only caches had (checkers/blocks.ts).
// - Now and then a medium is changed for a blank one, while all members are in sync.
// - In the time of peace the storage has to become `ok` by itself, and every block is read.

import { ProteusError } from "../../control/kernel/errors.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { storageCapability } from "../../control/server/disk/identity.js";
import type { MemberEntry, MemberRecord } from "../../control/server/disk/member/record.js";
import { RemoteDisk } from "../../control/server/disk/remote-disk.js";
import { BlockBook, blockBytes, contentOf } from "../checkers/blocks.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { DiskHost, type PlantedBug } from "./disk-hosts.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const memoryBytes = 64 * 1024 * 1024;
const blocks = 1536;
const hostsMost = 3;
const blocksEach = 6;
const pauseMost = 250 * MILLISECOND;
const exchangeEvery = 25 * SECOND;
const allRights = 0xff;
const waitMs = 20_000;

/** The workload. */
export function disksWorkload(bug: PlantedBug = {}): Workload {
  return {
    name: "disks",
    summary: "a mirrored storage on disk servers that crash, are cut off, and get blank media",
    plan: () => ({ machine: () => ({ limits: { memoryBytes, threads: 96, ports: 256 } }) }),
    start: (cluster) => new DisksRun(cluster, bug),
  };
}

/** What is not said by the disk, but by the way to it, or for want of members. */
const passing = new Set(["DISK_SILENT", "DISK_NO_QUORUM", "DISK_GONE", "DISK_FENCED", "DISK_TRANSFER"]);

class DisksRun implements Activity {
  readonly #cluster: Cluster;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #hosts: readonly DiskHost[];
  readonly #clients: readonly Machine[];
  readonly #record: MemberRecord;
  readonly #book = new BlockBook();
  readonly #busy = new Set<number>();
  /** Blocks that a client's machine had under way. */
  readonly #underWay = new Map<Machine, number>();
  /** Clients that have not yet read all that is theirs. */
  readonly #waiting = new Set<Machine>();
  readonly #places = new Map<Machine, number[]>();
  #next = 0;
  #isOver = false;

  constructor(cluster: Cluster, bug: PlantedBug) {
    this.#cluster = cluster;
    this.#random = bytesOf(cluster.random);
    const { machines } = cluster;
    const count = Math.max(1, Math.min(hostsMost, machines.length - 1));
    this.#hosts = machines
      .slice(0, count)
      .map((machine) => new DiskHost(cluster, machine, blocks, this.#failed, bug));
    this.#clients = machines.slice(count);
    for (const host of this.#hosts) {
      cluster.program(host.machine, () => host.boot());
      cluster.onCrash(host.machine, () => {
        host.crashed();
        this.#book.lost();
      });
    }
    this.#record = this.#newRecord();
    for (const host of this.#hosts) cluster.program(host.machine, () => this.#host(host));
    for (const machine of this.#clients) {
      this.#places.set(
        machine,
        Array.from({ length: blocksEach }, () => this.#place()),
      );
      cluster.program(machine, () => void this.#client(machine).catch(this.#failed));
      cluster.onCrash(machine, () => this.#clientCrashed(machine));
    }
    this.#exchanges();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  #wrong(checker: string, what: string): void {
    this.#cluster.fail(checker, what);
  }

  readonly #failed = (error: unknown): void => {
    const code = error instanceof DiskError || error instanceof ProteusError ? error.code : null;
    if (code !== null) this.#cluster.happened(`disks ${code}`);
    else this.#wrong("program", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  /** A block that no client has had yet; all over the disk. */
  #place(): number {
    return (this.#next++ * 173) % blocks;
  }

  #newRecord(): MemberRecord {
    const members = this.#hosts.map(({ machine, capability }, place): MemberEntry => {
      if (capability === null) throw new Error(`${machine.name} has no disk server`);
      const id = new Uint8Array(16).fill(place + 1);
      return {
        ...{ id, node: machine.name, path: "/disk", capability, isWitness: false, blocks },
        ...{ state: "in-sync", since: 1n, lacks: null },
      };
    });
    const [age, secret] = [this.#random(16), this.#random(32)];
    const facts = { age, secret, name: "d", blocks, algorithm: "mirror" };
    const { id = age } = members[0] ?? {};
    return {
      storage: { ...facts, ack: "all", serve: "majority", onSplit: "keep" },
      ...{ member: id, members, epoch: 0, server: 0n, generation: 1n, history: [] },
      ...{ isClean: true, activity: new Uint8Array(1) },
    };
  }

  // ---- hosts ---------------------------------------------------------------------

  /** Stands by once every medium has been made a member. */
  #host(host: DiskHost): void {
    const { machine } = host;
    const place = this.#hosts.indexOf(host);
    const begin = (): void => {
      const id = this.#record.members[place]?.id ?? new Uint8Array(16);
      host.format(this.#record, id).then(() => {
        if (this.#hosts.every(({ isFormatted }) => isFormatted)) host.serve(this.#record).catch(this.#failed);
        else machine.after(100 * MILLISECOND, begin);
      }, this.#failed);
    };
    machine.after(20 * MILLISECOND, begin);
  }

  get #isWhole(): boolean {
    return this.#hosts.some(({ storage }) => storage !== null && storage.status().state === "ok");
  }

  #exchanges(): void {
    const { world } = this.#cluster;
    world.after(exchangeEvery / 2 + this.#below(exchangeEvery), () => {
      if (this.#isOver) return;
      const host = this.#hosts[this.#below(this.#hosts.length)];
      if (host !== undefined && this.#hosts.length > 1 && this.#isWhole) {
        this.#cluster.happened("media exchanged");
        host.exchange();
        world.after(SECOND / 2, () => {
          if (host.machine.kernel === null) host.machine.boot();
        });
      }
      this.#exchanges();
    });
  }

  // ---- clients -------------------------------------------------------------------

  #clientCrashed(machine: Machine): void {
    const block = this.#underWay.get(machine);
    if (block === undefined) return;
    this.#giveUp(machine, block);
    this.#underWay.delete(machine);
  }

  /** The block is the client's no more: its last write may happen at any time. */
  #giveUp(machine: Machine, block: number): void {
    this.#busy.delete(block);
    this.#book.givenUp(block);
    const mine = this.#places.get(machine) ?? [];
    mine.splice(mine.indexOf(block), 1, this.#place());
  }

  async #client(machine: Machine): Promise<void> {
    const kernel = machine.running;
    const after = timersOf(machine);
    const now = () => this.#cluster.world.now / MILLISECOND;
    const capability = storageCapability(kernel, this.#record.storage.secret, allRights);
    let disk: RemoteDisk | null = null;
    while (machine.kernel === kernel) {
      await new Promise<void>((resolve) => after(this.#below(pauseMost) / MILLISECOND, resolve));
      if (this.#isOver && !this.#waiting.has(machine)) continue;
      try {
        disk ??= await RemoteDisk.open({ via: kernel, capability, random: this.#random, after, now, waitMs });
        if (this.#isOver) await this.#readAll(machine, disk);
        else await this.#operate(machine, disk);
      } catch (error) {
        this.#judged(error);
      }
    }
  }

  async #operate(machine: Machine, disk: RemoteDisk): Promise<void> {
    const mine = this.#places.get(machine) ?? [];
    const block = mine[this.#below(mine.length)] ?? 0;
    const kind = this.#below(10);
    if (kind >= 9) return this.#flush(disk);
    if (kind >= 5) return this.#read(disk, block);
    this.#busy.add(block);
    this.#underWay.set(machine, block);
    const durable = kind < 3;
    const value = this.#book.begins(block, this.#below(8) === 0);
    try {
      if (value === 0) await disk.zero(block, 1, { durable, punch: true });
      else await disk.write(block, contentOf(value), { durable });
      this.#book.written(block, value, durable);
      this.#busy.delete(block);
      this.#cluster.happened("blocks written");
    } catch (error) {
      this.#giveUp(machine, block);
      throw error;
    } finally {
      this.#underWay.delete(machine);
    }
  }

  async #read(disk: RemoteDisk, block: number): Promise<void> {
    const data = new Uint8Array(blockBytes);
    await disk.read(block, data);
    this.#cluster.happened("blocks read");
    const wrong = this.#book.read(block, data);
    if (wrong !== null) this.#wrong("blocks", wrong);
  }

  async #flush(disk: RemoteDisk): Promise<void> {
    const flushed = this.#book.flushing((block) => this.#busy.has(block));
    try {
      await disk.flush();
    } catch (error) {
      // The only copy has lost its power, and what was not flushed: the user hears of it.
      if (error instanceof DiskError && error.code === "DISK_MEDIUM") return;
      throw error;
    }
    flushed();
    this.#cluster.happened("disk flushed");
  }

  async #readAll(machine: Machine, disk: RemoteDisk): Promise<void> {
    if (!this.#isWhole) return;
    for (const block of this.#book.blocks) await this.#read(disk, block);
    this.#waiting.delete(machine);
  }

  #judged(error: unknown): void {
    if (error instanceof DiskError && !passing.has(error.code)) this.#wrong("disk", error.message);
    this.#failed(error);
  }

  // ---- the end -------------------------------------------------------------------

  finish(): void {
    this.#isOver = true;
    for (const machine of this.#clients) this.#waiting.add(machine);
  }

  idle(): boolean {
    return this.#waiting.size === 0;
  }

  judge(): void {
    if (this.#waiting.size > 0)
      this.#wrong("disks progress", "the storage is not whole, or was not read, in the time of peace");
  }
}
