// The disks of a pool machine: its media, the disk server in front of them, and the storages that it
// serves when nobody else does.
//
// - Media are kept in the machine's state folder and are there again when it starts; nothing else of
//   a storage is kept here, but for branches: all of it is on the media.
// - A member of this machine is asked directly, one elsewhere by RPC.
// - Ends in order: storages say goodbye to their members, then media close.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { STD_ARGBAD, STD_DENIED, STD_EXISTS, STD_NOSPACE, STD_NOTFOUND } from "../../core-wasm/status.js";
import { type Capability, capabilityHex, portOnly } from "../capability/capability.js";
import { claims } from "../capability/private-part.js";
import type { ServerSecrets } from "../capability/secrets.js";
import { DISK_BLOCK_BYTES, diskTable, type KnownStorage, type NewStorage } from "../interface/disk.js";
import { describedSchema, storageTable } from "../interface/storage.js";
import { fromHex, sameBytes, toHex } from "../kernel/bytes.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { DiskDevice } from "../server/disk/device.js";
import { DiskError } from "../server/disk/errors.js";
import { mediumBlocks } from "../server/disk/member/layout.js";
import type { MemberPort } from "../server/disk/member/port.js";
import type { MemberEntry, MemberRecord } from "../server/disk/member/record.js";
import { RemoteDisk } from "../server/disk/remote-disk.js";
import { RemoteMember } from "../server/disk/remote-member.js";
import { DiskServer } from "../server/disk/server.js";
import { overRpc } from "../server/disk/statuses.js";
import { stub } from "../stub/client.js";
import { Refused, refuse } from "../stub/refused.js";
import type { BranchStore } from "./disk/branch-store.js";
import { createStorage, openMember, openStorage, type StorageMachine } from "./disk/engine.js";
import { MachineExports } from "./disk/exports.js";
import { type Host, Hosts } from "./disk/hosting.js";
import { branchesIn, servedBranches } from "./disk/kept-branches.js";
import { Media } from "./disk/media.js";
import { mediaFile } from "./disk/media-file.js";
import { type OpenDevice, openFile } from "./disk/medium.js";
import { Served } from "./disk/served.js";
import { after } from "./timer.js";

export interface NodeDisksOptions {
  readonly kernel: Kernel;
  /** Of this machine. */
  readonly name: string;
  /** The machine's state folder; empty: media are forgotten when it ends. */
  readonly state: string;
  readonly secrets: (server: string) => ServerSecrets;
  /** Told whenever a disk is being used: what the machine waits for then are files and sockets. */
  readonly used?: () => void;
  readonly failed: (error: unknown) => void;
  readonly log: (line: string) => void;
}

/** What the status of a machine says of its disks. */
export interface DisksUsage {
  readonly media: number;
  /** Media that cannot be opened now. */
  readonly closed: number;
  /** Names of the storages that it serves. */
  readonly serves: readonly string[];
}

/** A member on this machine does not wait for long; the storage decides when one elsewhere is down. */
const memberCall = { locateTimeoutMs: 700, pollMs: 300, deadMs: 1500 };
const belowCall = { locateTimeoutMs: 2000, pollMs: 300, deadMs: 1500 };
const belowWaitMs = 5000;
/** Who asked for a disk to be moved has the answer after so long. */
const answeredMs = 50;

export class NodeDisks {
  readonly #options: NodeDisksOptions;
  readonly #media: Media;
  readonly #hosts: Hosts;
  readonly #server: DiskServer;
  readonly #exports: MachineExports;
  readonly #machine: StorageMachine;

  private constructor(
    options: NodeDisksOptions,
    media: Media,
    hosts: Hosts,
    machine: StorageMachine,
    branches: BranchStore | undefined,
  ) {
    const { kernel, name, secrets, failed } = options;
    const { getPort, key, own } = secrets("disk");
    this.#options = options;
    this.#media = media;
    this.#hosts = hosts;
    this.#machine = machine;
    this.#exports = new MachineExports({ kernel, failed, host: (named) => hosts.get(named) });
    this.#server = new DiskServer({
      ...{ kernel, getPort, key, own, failed },
      machine: {
        ...{ name, media, ...servedBranches(branches) },
        attach: (path, bytes, storage) => this.#attach(path, bytes, storage),
        detach: (object) => media.detach(object),
        listMedia: () => media.list(),
        create: (storage) => this.#create(storage),
        extend: (object, bytes) => media.extend(object, bytes),
        take: (object) => this.#take(object),
        forget: (age) => this.#forget(age),
        serves: (age) =>
          hosts.all().some(({ isServing, record }) => isServing && sameBytes(record.storage.age, age)),
        addExport: (wanted) => this.#exports.add(wanted),
        removeExport: (named) => this.#exports.remove(named),
        listExports: () => this.#exports.list(),
        storages: (rights) => this.#hosts.all().map((host) => known(host, rights)),
      },
    });
  }

  /** Opens the media and begins to serve. Rejects with DISK_MEDIA_FILE, SECRET_FILE. */
  static async start(options: NodeDisksOptions): Promise<NodeDisks> {
    const { kernel, state, secrets, failed, log, used = () => undefined } = options;
    let disks: NodeDisks | null = null;
    const started = (): NodeDisks => {
      if (disks !== null) return disks;
      throw new DiskError("DISK_GONE", "the machine's disks are being opened");
    };
    const branches = branchesIn(state, kernel);
    const machine: StorageMachine = {
      ...{ kernel, after, random: randomBytes, now: () => performance.now(), log },
      connect: (entry) => started().#connect(entry),
      wall: () => Date.now(),
      branches,
    };
    const hosts = new Hosts({
      ...{ kernel, after, random: randomBytes, failed },
      open: (record, host, winner) =>
        new Served(openStorage(record, machine, winner), {
          ...{ node: options.name, after, random: randomBytes, used },
          agesOf: (entry) => started().#agesBelow(entry),
          detachMedium: (entry) => started().#detachMedium(entry),
          extendMedium: (entry, blocks) => started().#extendMedium(entry, blocks),
          isReady: () => host.isServing,
          reopen: (member) => host.reopen(member),
          moveTo: (entry) => started().#moveTo(host, entry),
        }),
      isElsewhere: (record) => started().#isElsewhere(record),
      noticed: (name, what, why) => log(`storage ${name} ${what} here${why === "" ? "" : `: ${why}`}`),
    });
    const media = await Media.open({
      ...{ file: state === "" ? null : mediaFile(state), random: randomBytes, failed },
      own: secrets("disk").own,
      openDevice: (path, bytes, storage) =>
        storage === undefined ? openFile(pathOf(path, state), bytes) : openRemote(kernel, storage),
      openMember: (device, path) => openMember(device, path, machine),
      used,
      agesOf: (storage) => agesOf(kernel, storage),
      changed: () => {
        if (disks !== null) disks.#found();
      },
    });
    disks = new NodeDisks(options, media, hosts, machine, branches);
    disks.#found();
    return disks;
  }

  get putPort(): Uint8Array {
    return this.#server.putPort;
  }

  /** The disk server itself, with all rights. */
  capability(): Capability {
    return this.#server.capability();
  }

  usage(): DisksUsage {
    const media = this.#media.list();
    const serving = this.#hosts.all().filter(({ isServing }) => isServing);
    return {
      media: media.length,
      closed: media.filter(({ state }) => state === "closed").length,
      serves: serving.map(({ record }) => record.storage.name),
    };
  }

  #found(): void {
    this.#hosts.found(this.#media.records().map(({ record }) => record));
  }

  async #attach(path: string, bytes: number, storage: Capability | undefined): Promise<number> {
    const isDisk = path.startsWith("disk:");
    const isFile = path.startsWith("/") || witnessPath.test(path);
    if (!isDisk && (!isFile || storage !== undefined)) refuse(STD_ARGBAD);
    const below = isDisk ? (storage ?? this.#hosts.get(path.slice(5))?.capability(0xff)) : undefined;
    if (isDisk && below === undefined) refuse(STD_NOTFOUND);
    try {
      return await this.#media.attach(path, bytes, below);
    } catch (error) {
      throw attachRefused(error, this.#options.failed);
    }
  }

  /** The way to a member: its medium, when it is one of this machine. */
  #connect({ capability }: MemberEntry): MemberPort {
    if (!sameBytes(capability.port, this.#server.putPort))
      return new RemoteMember(this.#options.kernel, capability, memberCall);
    const { object, rights } = claims(capability.private);
    const medium = this.#media.get(object);
    const own = medium === undefined ? null : this.#server.capability(object, rights);
    if (medium !== undefined && own !== null && sameBytes(own.private, capability.private))
      return medium.member();
    throw new DiskError("DISK_GONE", "the member's medium is not one of this machine any more");
  }

  async #agesBelow({ capability }: MemberEntry): Promise<readonly Uint8Array[]> {
    if (sameBytes(capability.port, this.#server.putPort))
      return (await this.#media.get(claims(capability.private).object)?.ages()) ?? [];
    return agesOfMember(this.#options.kernel, capability);
  }

  /** A medium that is no member any more; its machine may be off. */
  async #detachMedium({ capability, node, path }: MemberEntry): Promise<void> {
    try {
      if (sameBytes(capability.port, this.#server.putPort))
        await this.#media.detach(claims(capability.private).object);
      else await stub(this.#options.kernel, diskTable, capability, belowCall).detach();
    } catch (error) {
      if (!(error instanceof ProteusError || error instanceof DiskError)) throw error;
      this.#options.log(`${node}:${path} stays a medium of ${node}: ${error.message}`);
    }
  }

  async #extendMedium({ capability }: MemberEntry, blocks: number): Promise<void> {
    const bytes = mediumBlocks(blocks) * DISK_BLOCK_BYTES;
    if (sameBytes(capability.port, this.#server.putPort))
      await this.#media.extend(claims(capability.private).object, bytes);
    else
      await overRpc(() =>
        stub(this.#options.kernel, diskTable, capability, belowCall).extend({ bytes: BigInt(bytes) }),
      );
  }

  async #take(object: number): Promise<void> {
    const found = this.#media.records().find((each) => each.object === object);
    const host = found === undefined ? undefined : this.#hosts.of(found.record.storage.age);
    if (host === undefined) refuse(STD_NOTFOUND);
    host.take();
  }

  /** Another machine stands by, then it is let go here: after the answer to who asked for it. */
  async #moveTo(host: Host, { capability, node }: MemberEntry): Promise<void> {
    const { kernel, failed, log } = this.#options;
    const { age, name } = host.record.storage;
    await overRpc(() => stub(kernel, diskTable, capability, belowCall).take());
    const there = stub(kernel, diskTable, portOnly(capability.port), memberCall);
    const isServedThere = async (): Promise<boolean> => {
      try {
        return (await there.serving({ age })).serves === 1;
      } catch (error) {
        if (error instanceof ProteusError) return false;
        throw error;
      }
    };
    log(`storage ${name} moves to ${node}`);
    after(answeredMs, () => {
      host.letGo(isServedThere).catch(failed);
    });
  }

  async #create(wanted: NewStorage): Promise<KnownStorage> {
    if (this.#hosts.get(wanted.name) !== undefined) refuse(STD_EXISTS);
    const record = await createStorage(wanted, this.#machine);
    return known(await this.#hosts.made(record), 0xff);
  }

  async #forget(age: Uint8Array): Promise<number> {
    let count = 0;
    await this.#hosts.forget(age, async () => {
      const media = this.#media.records().filter(({ record }) => sameBytes(record.storage.age, age));
      for (const { object } of media) await this.#media.detach(object);
      count = media.length;
    });
    return count;
  }

  /** Asks the other machines with members whether one of them serves it. */
  async #isElsewhere({ storage, members }: MemberRecord): Promise<boolean> {
    const { kernel } = this.#options;
    const others = members.filter(({ capability }) => !sameBytes(capability.port, this.#server.putPort));
    const answers = others.map(async ({ capability: { port } }) => {
      try {
        return (
          (await stub(kernel, diskTable, portOnly(port), memberCall).serving({ age: storage.age })).serves ===
          1
        );
      } catch (error) {
        if (error instanceof ProteusError) return false;
        throw error;
      }
    });
    return (await Promise.all(answers)).includes(true);
  }

  async close(): Promise<void> {
    await this.#exports.close();
    await this.#hosts.close();
    this.#server.close();
    await this.#media.close();
  }
}

function known(host: Host, rights: number): KnownStorage {
  const { record, isServing, why } = host;
  const { name, age } = record.storage;
  return {
    ...{ name, age: toHex(age), capability: capabilityHex(host.capability(rights)), served: isServing },
    ...(why === "" ? {} : { why }),
  };
}

/** `witness:NAME`, for the record of one that has no data: its place is this machine's matter. */
const witnessPath = /^witness:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Where a medium's file is. */
const pathOf = (path: string, state: string): string =>
  path.startsWith("/") ? path : join(state, "witnesses", path.slice("witness:".length));

/** Another storage as the device of a medium. */
async function openRemote(kernel: Kernel, capability: Capability): Promise<OpenDevice> {
  const disk = await RemoteDisk.open({
    ...{ via: kernel, capability, random: randomBytes, after, now: () => performance.now() },
    waitMs: belowWaitMs,
  });
  const device = new DiskDevice(disk);
  const isCurrent = async () => true; // its failures say so
  return { device, isEmpty: false, isCurrent, close: async () => disk.close() };
}

async function agesOf(kernel: Kernel, storage: Capability): Promise<readonly Uint8Array[]> {
  const { storage: document } = await stub(kernel, storageTable, storage, belowCall).describe();
  return describedSchema.parse(document).ages.flatMap((age) => fromHex(age) ?? []);
}

async function agesOfMember(kernel: Kernel, capability: Capability): Promise<readonly Uint8Array[]> {
  return (await stub(kernel, diskTable, capability, belowCall).medium()).ages;
}

const systemCodes: ReadonlyMap<unknown, number> = new Map([
  ["ENOENT", STD_NOTFOUND],
  ["ENOTDIR", STD_NOTFOUND],
  ["EACCES", STD_DENIED],
  ["EPERM", STD_DENIED],
  ["EROFS", STD_DENIED],
  ["ENOSPC", STD_NOSPACE],
  ["BLOCK_IN_USE", STD_EXISTS],
]);

/** Why a medium could not be attached; the machine's log says it in full. */
function attachRefused(error: unknown, failed: (error: unknown) => void): unknown {
  if (error instanceof DiskError || error instanceof Refused) return error;
  if (!(error instanceof Error && "code" in error)) return error;
  failed(error);
  const status = systemCodes.get(error.code);
  return status === undefined
    ? new DiskError("DISK_MEDIUM", error.message, [], { cause: error })
    : new Refused(status);
}
