// Disk servers for tests: on two machines of a LAN in memory, with members on media in memory.

import type { Capability } from "../../../../control/capability/capability.js";
import type { CallOptions } from "../../../../control/kernel/calls.js";
import { Digests } from "../../../../control/kernel/digests.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import { Member } from "../../../../control/server/disk/member/member.js";
import { RemoteMember } from "../../../../control/server/disk/remote-member.js";
import { type DiskMachine, type DiskMedium, DiskServer } from "../../../../control/server/disk/server.js";
import { type ServedStorage, StorageServer } from "../../../../control/server/disk/storage-server.js";
import { Objects } from "../../../../control/stub/objects.js";
import { refuse } from "../../../../control/stub/refused.js";
import { STD_NOTFOUND } from "../../../../core-wasm/status.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";
import { Shelf } from "../bullet/shelf.js";
import { MemoryDisk } from "./memory-disk.js";

const notHere = async (): Promise<never> => refuse(STD_NOTFOUND);

/** Short, so that a test sees its end. */
export const quick: CallOptions = { locateTimeoutMs: 50, pollMs: 20, deadMs: 60 };

/** A storage in memory, as it is served. */
export class Kept extends MemoryDisk implements ServedStorage {
  describe = async (): Promise<never> => {
    throw new DiskError("DISK_GONE", "nobody asks it");
  };
  change = async () => ({});
}

export class DiskPool extends Shelf {
  readonly #digests = new Map<Kernel, Digests>();

  digests(kernel: Kernel): Digests {
    const known = this.#digests.get(kernel) ?? new Digests(kernel);
    this.#digests.set(kernel, known);
    return known;
  }

  /** A member on a medium in memory. */
  async member(device: MemoryBlockDevice, kernel = this.far): Promise<Member> {
    return Member.open({
      ...{ device, name: "m", digests: this.digests(kernel), after: this.alarms.after },
      now: () => this.alarms.now,
    });
  }

  /** A disk server with one medium of so many blocks. */
  async disk(blocks: number, kernel = this.far) {
    const device = new MemoryBlockDevice(blocks);
    const member = await this.member(device, kernel);
    const media = new Objects<DiskMedium>({ random: this.random });
    const medium: DiskMedium = { path: "/m", member: () => member, ages: async () => [new Uint8Array(16)] };
    const object = media.add(medium) ?? 0;
    const machine: DiskMachine = {
      ...{ name: "far", media, listMedia: () => [], storages: () => [], serves: () => false },
      ...{ addExport: notHere, removeExport: notHere, listExports: () => [] },
      attach: async () => refuse(STD_NOTFOUND),
      detach: async (gone) => {
        media.remove(gone);
      },
      create: async () => refuse(STD_NOTFOUND),
      forget: async () => 0,
      extend: async () => undefined,
      take: async () => refuse(STD_NOTFOUND),
      branches: async () => [],
      branch: async () => null,
      deleteBranch: async () => false,
    };
    const server = new DiskServer({
      ...{ kernel, machine, failed: this.failed, getPort: this.random(6), key: this.random(32), threads: 3 },
    });
    return { server, member, device, capability: server.capability(object) };
  }

  /** The server of a storage in memory. */
  storage(blocks: number, kernel = this.far): StorageServer {
    return new StorageServer({
      ...{ kernel, storage: new Kept(blocks), name: "d", failed: this.failed, threads: 4 },
      secret: this.random(32),
    });
  }

  remote = (capability: Capability, options: CallOptions = quick): RemoteMember =>
    new RemoteMember(this.near, capability, options);
}
