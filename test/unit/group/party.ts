// Members of groups in virtual time: what each one's user did, got and was told.

import type { Delivery } from "../../../control/kernel/groups.js";
import { readDelivery } from "../../../control/kernel/groups.js";
import { BC_ABORT } from "../../../core-wasm/status.js";
import type { Lan, LanOptions } from "../../../simulation/engine/lan.js";
import { type Machine, type MachineOptions, SECOND, World } from "../../simulation/world.js";

export const groupPort = Uint8Array.of(0x67, 0x72, 0x6f, 0x75, 0x70, 0x31);
export const groupLimits = { memoryBytes: 8 * 1024 * 1024, groupBytes: 1 << 20, groupOperations: 256 };

export interface Ended {
  status: number;
  length: number;
  pointer: number;
}

export interface GroupChoice {
  readonly resilience?: number;
  readonly membersMax?: number;
  readonly logHistory?: number;
  readonly logMessage?: number;
}

/** A user of a group on one machine: receives all the time, unless it is told not to. */
export class User {
  gid = -1;
  readonly got: { delivery: Delivery; data: Uint8Array }[] = [];
  readonly sends: Ended[] = [];
  aborted = 0;
  receiving = 0;
  reading = true;

  constructor(
    readonly machine: Machine,
    readonly room = 65536,
  ) {}

  get groups() {
    return this.machine.running.groups;
  }

  get world(): World {
    return this.machine.world;
  }

  get info() {
    return this.groups.info(this.gid);
  }

  /** Seqno, member and kind of everything that came. */
  get order(): string[] {
    return this.got.map(({ delivery, data }) => {
      const { seqno, kind, member, message } = delivery;
      return `${seqno} ${kind} ${member}/${message} ${data.length}:${data.subarray(0, 4).join(".")}`;
    });
  }

  header(offset = 0): number {
    const kernel = this.machine.running;
    const at = kernel.buffers.take(64);
    kernel.bytes.fill(0, at, at + 64);
    kernel.bytes.set(groupPort, at);
    kernel.view.setInt32(at + 24, offset, true);
    return at;
  }

  create(choice: GroupChoice = {}): this {
    this.gid = this.groups.create(groupPort, {
      resilience: choice.resilience ?? 0,
      membersMax: choice.membersMax ?? 8,
      logHistory: choice.logHistory ?? 6,
      logMessage: choice.logMessage ?? 13,
    });
    if (this.gid < 0) throw new Error(`create answered ${this.gid}`);
    this.receive();
    return this;
  }

  beginJoin(): Ended | { status: null } {
    const end: { status: number | null; length: number; pointer: number } = {
      status: null,
      length: 0,
      pointer: 0,
    };
    const handle = this.groups.join(this.header(), (status, length, pointer) => {
      Object.assign(end, { status, length, pointer });
      if (status === 0) {
        this.gid = length;
        this.receive();
      }
    });
    if (handle < 0) end.status = handle;
    return end as Ended;
  }

  join(limit = 10 * SECOND): number {
    const end = this.beginJoin();
    this.world.run(() => end.status !== null, limit);
    if (end.status === null) throw new Error("the join did not end");
    return end.status;
  }

  receive(): void {
    const kernel = this.machine.running;
    while (this.reading && this.receiving < 8) {
      const at = kernel.buffers.take(128);
      const buffer = kernel.buffers.take(this.room);
      const handle = this.groups.receive(this.gid, at, buffer, this.room, (status, length) => {
        this.receiving--;
        if (status === 0)
          this.got.push({
            delivery: readDelivery(kernel, at),
            data: kernel.bytes.slice(buffer, buffer + length),
          });
        else if (status === BC_ABORT) this.aborted++;
        kernel.buffers.give(at);
        kernel.buffers.give(buffer);
        if (status === 0) this.receive();
      });
      if (handle < 0) {
        kernel.buffers.give(at);
        kernel.buffers.give(buffer);
        return;
      }
      this.receiving++;
    }
  }

  send(data: Uint8Array, done?: (end: Ended) => void): number {
    const kernel = this.machine.running;
    const header = this.header();
    const at = kernel.buffers.take(data.length);
    kernel.bytes.set(data, at);
    const end = (status: number, length: number, pointer: number): void => {
      kernel.buffers.give(header);
      kernel.buffers.give(at);
      this.sends.push({ status, length, pointer });
      done?.({ status, length, pointer });
    };
    const handle = this.groups.send(this.gid, header, at, data.length, end);
    if (handle < 0) end(handle, 0, 0);
    return handle;
  }

  /** Sends and waits; the status. */
  sendNow(data: Uint8Array, limit = 10 * SECOND): number {
    let status: number | null = null;
    this.send(data, (end) => {
      status = end.status;
    });
    this.world.run(() => status !== null, limit);
    if (status === null) throw new Error("the send did not end");
    return status;
  }

  /** Leaves and waits; the status. */
  leave(limit = 10 * SECOND): number {
    let status: number | null = null;
    const handle = this.groups.leave(this.gid, this.header(77), (ended) => {
      status = ended;
    });
    if (handle < 0) return handle;
    this.world.run(() => status !== null, limit);
    if (status === null) throw new Error("the leave did not end");
    return status;
  }

  beginReset(minimum: number): { status: number | null; total: number } {
    const end: { status: number | null; total: number } = { status: null, total: 0 };
    const handle = this.groups.reset(this.gid, this.header(99), minimum, (status, length) => {
      end.status = status;
      end.total = length;
      if (status === 0) this.receive();
    });
    if (handle < 0) end.status = handle;
    return end;
  }
}

/** A world with so many machines on one LAN, each with a user of its own. */
export function party(
  count: number,
  options: { seed?: number; lan?: LanOptions; machine?: MachineOptions } = {},
): { world: World; lan: Lan; users: User[] } {
  const world = new World(options.seed ?? 1);
  const lan = world.lan(options.lan ?? {});
  const users = Array.from({ length: count }, (_, index) => {
    const limits = { ...groupLimits, ...options.machine?.limits };
    return new User(world.machine(`m${index}`, lan, { ...options.machine, limits }));
  });
  return { world, lan, users };
}

/** The same, with the group made by the first and joined by all others, one after the other. */
export function group(
  count: number,
  choice: GroupChoice = {},
  options: Parameters<typeof party>[1] = {},
): ReturnType<typeof party> {
  const made = party(count, options);
  made.users[0]?.create(choice);
  for (const user of made.users.slice(1)) {
    const status = user.join();
    if (status !== 0) throw new Error(`a join ended with ${status}`);
  }
  return made;
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
