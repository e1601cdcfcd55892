// A pool on a LAN in memory, in virtual time: control daemons and machines that announce
// themselves, as many as a test wants. The daemons' group needs no network (fake-groups.ts).

import type { NodeDocument } from "../../../../control/interface/node.js";
import type { PoolEvent } from "../../../../control/interface/pool.js";
import { toHex } from "../../../../control/kernel/bytes.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { Announcer } from "../../../../control/node/announce.js";
import { Pool, type PoolOptions } from "../../../../control/server/pool/pool.js";
import { SystemServer } from "../../../../control/server/system/system.js";
import { MemoryStore } from "../../../../control/store/memory.js";
import type { FakeGroups } from "../../group/fake-groups.js";
import { GroupRoom } from "../../group/room.js";

export interface Daemon {
  readonly pool: Pool;
  readonly kernel: Kernel;
  readonly groups: FakeGroups;
  readonly events: PoolEvent[];
  readonly failures: unknown[];
}

/** A machine that serves sys and announces itself. */
export interface PartyMachine {
  readonly address: string;
  readonly kernel: Kernel;
  readonly announcer: Announcer;
  readonly system: SystemServer;
  /** What it last heard. */
  draining: boolean;
}

export class Party {
  readonly room: GroupRoom;
  /** The calendar of all. */
  calendarMs = Date.UTC(2026, 0, 1);

  constructor(seed = 1) {
    this.room = new GroupRoom(seed);
  }

  get elapsed(): number {
    return this.room.room.clock.now / 1000;
  }

  options(name: string, kernel: Kernel, more: Partial<PoolOptions> = {}): PoolOptions {
    const { after, random } = this.room;
    return {
      ...{ kernel, after, random, name, pool: "pool", store: new MemoryStore() },
      now: () => this.calendarMs + this.elapsed,
      elapsed: () => this.elapsed,
      failed: () => undefined,
      ...more,
    };
  }

  /** A daemon that is open; events that it told are in the order in which it told them. */
  async daemon(name: string, more: Partial<PoolOptions> = {}): Promise<Daemon> {
    const { kernel, groups } = this.room.machine();
    const failures: unknown[] = [];
    const failed = (error: unknown): void => {
      failures.push(error);
    };
    const pool = await this.room.settled(Pool.open(this.options(name, kernel, { failed, ...more })));
    const events: PoolEvent[] = [];
    pool.watch((event) => events.push(event));
    return { pool, kernel, groups, events, failures };
  }

  /** A machine that announces itself from now on. */
  machine(name: string, document: Partial<NodeDocument> = {}, pool = "pool"): PartyMachine {
    const kernel = this.room.room.attached({ memoryBytes: 16 * 1024 * 1024 });
    const address = toHex(kernel.address);
    const { random, after } = this.room;
    const failed = (error: unknown): never => {
      throw error;
    };
    const system = new SystemServer({
      ...{ kernel, random, failed, getPort: random(6), info: name },
      describe: () => ({ name, address, clockMs: this.calendarMs + this.elapsed, ...document }),
      interfaces: () => [],
    });
    const announcer = new Announcer({
      ...{ kernel, after, random, pool, failed },
      announcement: () => ({
        ...{ name, address, kind: "pool", version: "1.0.0" },
        servers: { sys: toHex(system.putPort) },
      }),
      answered: ({ draining }) => {
        made.draining = draining;
      },
    });
    const made: PartyMachine = { address, kernel, announcer, system, draining: false };
    return made;
  }

  /** A machine goes without a word. */
  kill(machine: PartyMachine): void {
    machine.announcer.close();
    machine.system.close();
    for (const device of machine.kernel.devices) device.close();
    this.room.room.kernels.splice(this.room.room.kernels.indexOf(machine.kernel), 1);
  }

  /** A daemon goes without a word. */
  killDaemon({ pool, kernel, groups }: Daemon): void {
    pool.close();
    this.room.network.crash(groups);
    for (const device of kernel.devices) device.close();
    this.room.room.kernels.splice(this.room.room.kernels.indexOf(kernel), 1);
  }
}
