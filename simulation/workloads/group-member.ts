// One membership of one machine in a group, as a program: joins, receives, sends, resets, and
// when nothing helps ends and joins again. All of it callbacks of kernel.groups.
//
// - Every message, join, leave and reset has a number of its own in h_offset; a message's data
//   follows from it, so that damage shows.
// - Buffers are the kernel's until a call's completion; a crash takes all of them.

import { statusName } from "../../control/kernel/errors.js";
import { type Delivery, readDelivery } from "../../control/kernel/groups.js";
import type { Kernel } from "../../control/kernel/kernel.js";
import { DELIVERY_BYTES, GROUP_SET_DETECT_MS, GROUP_SET_LARGE } from "../../core-wasm/layout.js";
import { BC_ABORT, STD_EXISTS } from "../../core-wasm/status.js";
import { HEADER } from "../../core-wasm/wire/formats.js";
import { dataOf } from "../checkers/data.js";
import type { GroupJudge, MemberRecord } from "../checkers/groups.js";
import { HASH_NOTED } from "../engine/hash.js";
import type { Machine } from "../engine/machine.js";
import { writeHeader } from "../engine/programs.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import type { Cluster } from "./workload.js";

/** What the groups of a seed are like. */
export interface GroupShape {
  readonly resilience: number;
  readonly membersMax: number;
  readonly logHistory: number;
  readonly logMessage: number;
  /** Bytes from which on method BB is used; 0: the standard. */
  readonly large: number;
  /** Milliseconds until a silent member is dead; 0: the standard. */
  readonly detectMs: number;
  /** Receives that wait at a time. */
  readonly receives: number;
  /** Milliseconds that a late member lets pass before it receives the next message. */
  readonly lateness: number;
  /** Members leave now and then. */
  readonly leaves: boolean;
}

export interface MembershipOptions {
  readonly cluster: Cluster;
  readonly machine: Machine;
  readonly shape: GroupShape;
  readonly judge: GroupJudge;
  readonly port: Uint8Array;
  /** Members that a reset must find. */
  readonly minimum: number;
  /** Pause between two sends, at most. */
  readonly pauseMax: number;
}

type State = "out" | "joining" | "member" | "resetting" | "leaving" | "ended";

/** Mostly small ones; the larger methods and many fragments often enough. */
const sizes = [0, 0, 0, 0, 0, 64, 64, 64, 64, 64, 64, 64, 64, 1024, 1024, 1024, 1024, 8192, 8192, 20480];
const bytesMax = 20480;
const sendsMax = 3;
const resetsMax = 4;
const resetWays = { first: 20 * MILLISECOND, more: 400 * MILLISECOND };
const commandOf = { data: 1, join: 2, leave: 3, reset: 4 } as const;
/** Numbers of messages, joins, leaves and resets: one row for the whole run. */
const numbers = new WeakMap<Cluster, { next: number }>();

export class GroupMember {
  record: MemberRecord;
  readonly kernel: Kernel;
  readonly #options: MembershipOptions;
  #state: State = "out";
  #gid = -1;
  #leftGid = -1;
  #resets = 0;
  #under = 0;
  #over = false;
  /** Its last message: sent after the faults stopped, and what became of it. */
  #lastWord: "unsaid" | "said" | "done" = "unsaid";
  /** Counts memberships: what an earlier one asked for is not ours. */
  #membership = 0;
  #lateUntil = 0;
  /** Receives that wait, or will. */
  #receives = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.kernel = options.machine.running;
    this.record = options.judge.member(options.machine.name);
  }

  /** It is in a group that works, as far as it knows. */
  get working(): boolean {
    return this.#state === "member";
  }

  /** Its last word was ordered, and nothing else is under way. */
  get settled(): boolean {
    return this.#state === "member" && this.#lastWord === "done" && this.#under === 0;
  }

  #number(): number {
    const { cluster } = this.#options;
    const row = numbers.get(cluster) ?? { next: 1 };
    numbers.set(cluster, row);
    return row.next++;
  }

  #below(limit: number): number {
    return this.#options.cluster.random.below(limit);
  }

  #after(microseconds: number, action: () => void): void {
    const membership = this.#membership;
    this.#options.machine.after(microseconds, () => {
      if (membership === this.#membership && this.#state !== "ended") action();
    });
  }

  #status(what: string, status: number): void {
    this.#options.cluster.happened(`${what}: ${statusName(status) ?? (status >= 0 ? "ok" : status)}`);
  }

  /** A header of ours in the kernel's memory. */
  #header(kind: keyof typeof commandOf, id: number, size = 0): number {
    const at = this.kernel.buffers.take(HEADER);
    const { port } = this.#options;
    writeHeader(this.kernel, at, { port, command: commandOf[kind], offset: id, size, extra: id & 0x7fff });
    return at;
  }

  // ---- coming and going ------------------------------------------------------------

  /** Makes the group; false: it cannot be made now. */
  create(): boolean {
    const { port, shape } = this.#options;
    const gid = this.kernel.groups.create(port, shape);
    this.#status("create", gid);
    if (gid < 0) return false;
    this.#entered(gid);
    return true;
  }

  join(): void {
    this.#state = "joining";
    const header = this.#header("join", this.#number());
    const joined = (status: number, gid: number): void => {
      this.kernel.buffers.give(header);
      if (this.#state !== "joining") return;
      this.#status("join", status);
      if (status >= 0) this.#entered(gid);
      else if (status === STD_EXISTS) this.#haunted();
      else this.#after(this.#below(200 * MILLISECOND), () => this.join());
    };
    const handle = this.kernel.groups.join(header, joined);
    if (handle < 0) joined(handle, 0);
  }

  /** We left, were sequencer, and still are: for a while the others may have it so. */
  #haunted(): void {
    this.#after(this.#over ? 50 * MILLISECOND : this.#below(8 * SECOND), () => {
      // It may have ended by itself meanwhile, and its id may be that of another group.
      const { groups } = this.kernel;
      const { port } = this.#options;
      if (groups.info(this.#leftGid)?.port.every((byte, index) => byte === port[index])) {
        groups.end(this.#leftGid);
      }
      this.join();
    });
  }

  #entered(gid: number): void {
    const { shape, cluster, machine } = this.#options;
    this.#state = "member";
    this.#gid = gid;
    this.#membership++;
    this.#resets = 0;
    cluster.timeline?.mark(machine.index, "member");
    if (shape.large > 0) this.kernel.groups.set(gid, GROUP_SET_LARGE, shape.large);
    if (shape.detectMs > 0) this.kernel.groups.set(gid, GROUP_SET_DETECT_MS, shape.detectMs);
    this.#receives = 0;
    this.#listen();
    this.#later();
    if (shape.leaves) this.#after(this.#below(120 * SECOND), () => this.#leave());
    if (this.#over) this.#speak();
  }

  #leave(): void {
    if (this.#state !== "member" || this.#over) return;
    this.#state = "leaving";
    const header = this.#header("leave", this.#number());
    const left = (status: number): void => {
      this.kernel.buffers.give(header);
      this.#status("leave", status);
      if (this.#state !== "leaving") return;
      this.#rejoin(this.#below(5 * SECOND));
    };
    const handle = this.kernel.groups.leave(this.#gid, header, left);
    if (handle < 0) left(handle);
  }

  /** Out of the group for good: this object is no member any more. */
  end(): void {
    if (this.#gid >= 0 && this.#state !== "out") this.kernel.groups.end(this.#gid);
    this.#gid = -1;
    this.#state = "ended";
  }

  /** Gives this membership up and wants another. */
  #rejoin(pause: number): void {
    const { judge, machine } = this.#options;
    if (this.#state === "leaving") this.#leftGid = this.#gid;
    else this.kernel.groups.end(this.#gid);
    this.#gid = -1;
    this.#state = "out";
    this.#membership++;
    this.#under = 0;
    this.#lastWord = "unsaid";
    this.record = judge.member(machine.name);
    this.#after(pause, () => this.join());
  }

  // ---- receiving -------------------------------------------------------------------

  #listen(): void {
    for (let left = this.#options.shape.receives - this.#receives; left > 0; left--) {
      this.#receives++;
      this.#receive(); // which may fail at once: the group wants a reset again
    }
  }

  #receive(): void {
    const { buffers } = this.kernel;
    const at = buffers.take(DELIVERY_BYTES);
    const room = buffers.take(bytesMax);
    const membership = this.#membership;
    const received = (status: number, length: number): void => {
      if (membership === this.#membership && status >= 0)
        this.#delivered(readDelivery(this.kernel, at), room, length);
      buffers.give(at);
      buffers.give(room);
      if (membership !== this.#membership || this.#state === "ended") return;
      if (status >= 0) this.#next();
      else {
        this.#receives--;
        this.#lost("receive", status);
      }
    };
    const handle = this.kernel.groups.receive(this.#gid, at, room, bytesMax, received);
    if (handle < 0) received(handle, 0);
  }

  #next(): void {
    const { lateness } = this.#options.shape;
    const { world } = this.#options.cluster;
    if (lateness > 0 && !this.#over && this.#below(200) === 0) this.#lateUntil = world.now + 3 * SECOND;
    if (world.now < this.#lateUntil) this.#after(lateness * MILLISECOND, () => this.#receive());
    else this.#receive();
  }

  #delivered(delivery: Delivery, room: number, length: number): void {
    const { cluster, judge, machine, shape } = this.#options;
    const { kind, seqno, incarnation, view, header } = delivery;
    const id = header.offset;
    cluster.timeline?.mark(machine.index, `${kind} ${seqno}`, { message: id, incarnation });
    cluster.world.hash.event(HASH_NOTED, seqno, machine.index, id);
    cluster.happened(`delivered ${kind}`);
    judge.delivered(this.record, { kind, id, seqno, view });
    if (header.command !== commandOf[kind] || header.extra !== (id & 0x7fff))
      cluster.fail("answers", `${machine.name} was delivered a damaged header as ${seqno} (${kind} ${id})`);
    if (kind !== "data") return;
    const lent = this.kernel.bytes.subarray(room, room + length);
    if (delivery.length !== length || Buffer.compare(lent, dataOf(2 * id, delivery.length)) !== 0)
      cluster.fail("answers", `${machine.name} was delivered damaged data as ${seqno} (message ${id})`);
    if (shape.membersMax < members(view)) cluster.fail("total-order", `too many members at ${seqno}`);
  }

  // ---- sending ---------------------------------------------------------------------

  #later(): void {
    this.#after(1 + this.#below(this.#options.pauseMax), () => {
      if (this.#over) return;
      if (this.#state === "member" && this.#under < sendsMax)
        this.#send(sizes[this.#below(sizes.length)] ?? 0);
      this.#later();
    });
  }

  #send(size: number, done: (status: number) => void = () => undefined): void {
    const { judge, cluster, machine } = this.#options;
    const { buffers, bytes, groups } = this.kernel;
    const id = this.#number();
    const { record } = this;
    const header = this.#header("data", id, size);
    const data = size > 0 ? buffers.take(size) : 0;
    if (size > 0) bytes.set(dataOf(2 * id, size), data);
    const membership = this.#membership;
    const shown = cluster.timeline?.begin(machine.index, "send", `send ${id}`, { bytes: size });
    judge.sent(record, id);
    this.#under++;
    const ended = (status: number, seqno: number): void => {
      buffers.give(header);
      if (size > 0) buffers.give(data);
      this.#status("send", status);
      if (shown !== undefined) cluster.timeline?.end(machine.index, "send", `send ${id}`, shown, { status });
      if (status >= 0) judge.completed(record, id, seqno);
      if (membership !== this.#membership) return;
      this.#under--;
      done(status);
      if (status === BC_ABORT) this.#lost("send", status);
    };
    const handle = groups.send(this.#gid, header, data, size, ended);
    if (handle < 0) ended(handle, 0);
  }

  /** No more than a last word from now on. */
  finish(): void {
    this.#over = true;
    this.#speak();
  }

  #speak(): void {
    if (this.#state !== "member" || this.#lastWord !== "unsaid") return;
    this.#lastWord = "said";
    this.#send(64, (status) => {
      this.#lastWord = status >= 0 ? "done" : "unsaid";
      if (status < 0) this.#after(100 * MILLISECOND, () => this.#speak());
    });
  }

  // ---- recovering ------------------------------------------------------------------

  /** The group does not work for us. */
  #lost(what: string, status: number): void {
    this.#status(what, status);
    if (this.#state === "leaving") {
      this.#rejoin(this.#below(SECOND));
      return;
    }
    if (this.#state !== "member") return;
    this.#state = "resetting";
    this.#after(this.#below(resetWays.first), () => this.#reset());
  }

  #reset(): void {
    const header = this.#header("reset", this.#number());
    const membership = this.#membership;
    const reset = (status: number): void => {
      this.kernel.buffers.give(header);
      this.#status("reset", status);
      if (membership !== this.#membership || this.#state === "ended") return;
      if (status >= 0) this.#restored();
      else if (++this.#resets >= resetsMax) this.#rejoin(this.#below(500 * MILLISECOND));
      else this.#after(this.#below(resetWays.more), () => this.#reset());
    };
    const handle = this.kernel.groups.reset(this.#gid, header, this.#options.minimum, reset);
    if (handle < 0) reset(handle);
  }

  #restored(): void {
    this.#state = "member";
    this.#resets = 0;
    this.#listen();
    if (this.#over) this.#speak();
  }
}

function members(view: bigint): number {
  let count = 0;
  for (let left = view; left > 0n; left >>= 1n) if ((left & 1n) === 1n) count++;
  return count;
}
