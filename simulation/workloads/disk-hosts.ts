// Machines that hold a storage together: each has a medium, its disk server, and stands by to serve the
// storage, as pool machines do (control/server/disk).
//
// - A medium outlives its machine's crashes, and loses then what was not flushed. Somebody may put a blank
//   one in its place; the storage has to notice and to fill it.
// - One machine serves at a time; which, the storage's own leases and epochs decide.

import type { Capability } from "../../control/capability/capability.js";
import { Digests } from "../../control/kernel/digests.js";
import type { Kernel } from "../../control/kernel/kernel.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { mediumBlocks } from "../../control/server/disk/member/layout.js";
import { digestSeed, Member } from "../../control/server/disk/member/member.js";
import type { MemberPort } from "../../control/server/disk/member/port.js";
import type { MemberEntry, MemberRecord } from "../../control/server/disk/member/record.js";
import { RemoteMember } from "../../control/server/disk/remote-member.js";
import { type DiskMachine, type DiskMedium, DiskServer } from "../../control/server/disk/server.js";
import { Storage } from "../../control/server/disk/storage/storage.js";
import { type ServedStorage, StorageServer } from "../../control/server/disk/storage-server.js";
import { OneObject } from "../../control/stub/one-object.js";
import { refuse } from "../../control/stub/refused.js";
import { STD_COMBAD } from "../../core-wasm/status.js";
import { VirtualDisk } from "../disk/disk.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND } from "../engine/world.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Cluster } from "./workload.js";

const object = 1;
const memberCall = { locateTimeoutMs: 500, pollMs: 200, deadMs: 1200 };

/** A bug that the judge must find: writes are acknowledged before the members have them. */
export interface PlantedBug {
  readonly acknowledgesEarly?: boolean;
}

/** Its clients read and write; nobody here changes what it is made of. */
const servedAs = (storage: Storage): ServedStorage => ({
  ...{ blocks: storage.blocks, isReadOnly: false },
  read: (block, buffer) => storage.read(block, buffer),
  write: (block, data, options) => storage.write(block, data, options),
  zero: (block, blocks, options) => storage.zero(block, blocks, options),
  flush: () => storage.flush(),
  extents: (block, blocks) => storage.extents(block, blocks),
  describe: () => refuse(STD_COMBAD),
  change: () => refuse(STD_COMBAD),
});

/** The bug: who writes hears that it is done, and the members may never hear of it. */
const early = (served: ServedStorage): ServedStorage => ({
  ...served,
  async write(block, data, options) {
    served.write(block, data.slice(), options).catch(() => undefined); // nobody is told
  },
});

export class DiskHost {
  readonly disk: VirtualDisk;
  capability: Capability | null = null;
  storage: Storage | null = null;
  isFormatted = false;
  #member: Member | null = null;
  #computing: { readonly kernel: Kernel; readonly digests: Digests } | null = null;
  readonly #identity: { readonly getPort: Uint8Array; readonly key: Uint8Array };
  readonly #vouching: Uint8Array;
  readonly #random: (bytes: number) => Uint8Array;

  constructor(
    readonly cluster: Cluster,
    readonly machine: Machine,
    readonly blocks: number,
    readonly failed: (error: unknown) => void,
    readonly bug: PlantedBug,
  ) {
    const random = cluster.world.stream(700 + machine.index);
    this.#random = bytesOf(random);
    this.disk = new VirtualDisk({ blocks: mediumBlocks(blocks), random, clock: cluster.world });
    this.#identity = { getPort: this.#random(6), key: this.#random(32) };
    this.#vouching = this.#random(8);
  }

  /** Its disk server, and its medium as soon as it is opened. */
  boot(): void {
    const { machine } = this;
    this.disk.restore();
    this.#member = null;
    const server = new DiskServer({
      ...{ ...this.#identity, kernel: machine.running, failed: this.failed, threads: 6 },
      machine: this.#machine(),
    });
    this.capability ??= server.capability(object);
    this.#open().catch(this.failed);
  }

  crashed(): void {
    this.disk.cut();
    this.storage?.stop();
    this.storage = null;
    this.#member = null;
  }

  /** One for each life: it takes room in the kernel's memory. */
  #digests(kernel: Kernel): Digests {
    if (this.#computing?.kernel !== kernel) this.#computing = { kernel, digests: new Digests(kernel) };
    return this.#computing.digests;
  }

  async #open(): Promise<void> {
    const { machine, disk } = this;
    const kernel = machine.running;
    const now = () => this.cluster.world.now / MILLISECOND;
    const digests = this.#digests(kernel);
    const member = await Member.open({
      ...{ device: disk, name: machine.name, digests, now, after: timersOf(machine) },
      isEmpty: !this.isFormatted,
    });
    if (machine.kernel === kernel) this.#member = member;
  }

  /** The first time: all members in sync, all zeros. */
  async format(record: MemberRecord, member: Uint8Array): Promise<void> {
    if (this.isFormatted || this.#member === null) return;
    await this.#member.adopt({ ...record, member });
    await this.#member.update({ ...record, member });
    this.isFormatted = true;
  }

  #port(): MemberPort {
    if (this.#member === null) throw new DiskError("DISK_GONE", "the medium is not open yet");
    return this.#member;
  }

  #machine(): DiskMachine {
    const { name } = this.machine;
    const none = (): never => refuse(STD_COMBAD);
    const medium: DiskMedium = {
      path: "/disk",
      member: () => this.#port(),
      ages: () => Promise.resolve([]),
    };
    return {
      ...{ name, media: new OneObject(object, medium, this.#vouching) },
      ...{ attach: none, detach: none, create: none, extend: none, forget: none },
      ...{ take: none, addExport: none, removeExport: none, listExports: () => [] },
      ...{ branch: none, deleteBranch: none, branches: () => Promise.resolve([]) },
      ...{ listMedia: () => [], serves: () => false, storages: () => [] },
    };
  }

  /** Stands by for the storage, and serves it whenever it may, until the machine crashes. */
  async serve(record: MemberRecord): Promise<void> {
    const { machine, cluster } = this;
    const kernel = machine.running;
    const after = timersOf(machine);
    const digests = this.#digests(kernel);
    const connect = ({ capability }: MemberEntry): MemberPort =>
      new RemoteMember(kernel, capability, memberCall);
    while (machine.kernel === kernel) {
      const storage = Storage.open({
        ...{ record, connect, after, random: this.#random },
        clock: () => cluster.world.now / MILLISECOND,
        digests: (data) => digests.of(data, digestSeed(record.storage)),
        policy: { retryMaxMs: 2000 },
      });
      this.storage = storage;
      await storage.ready().then(
        () => this.#served(storage, record),
        () => undefined, // it has ended: another one has it
      );
      if (machine.kernel === kernel) await new Promise<void>((resolve) => after(200, resolve));
    }
  }

  async #served(storage: Storage, { storage: facts }: MemberRecord): Promise<void> {
    this.cluster.happened("storage served");
    const { machine, failed } = this;
    const kernel = machine.running;
    const { secret, name } = facts;
    const served = servedAs(storage);
    const server = new StorageServer({
      ...{ kernel, secret, name, failed, threads: 6 },
      storage: this.bug.acknowledgesEarly === true ? early(served) : served,
    });
    await storage.ended;
    if (machine.kernel === kernel) server.close();
  }

  /** A blank medium in the place of the one that it had. */
  exchange(): void {
    this.machine.crash();
    this.disk.replace();
  }
}
