// One kernel as the fuzzer holds it: the raw exports, and everything they promise checked.
//
// - No device and no host class: a frame is bytes in, frames are bytes out, so that each
//   entry can be judged by itself (what it answered, how much it sent).
// - A trap, an assertion, a status that is not documented or an entry that sends without
//   end throws: the fuzzer's runner adds the seed.
// - Buffers lie between canaries; a kernel that writes past one is caught when it ends.
// - With a kernel of scripts/coverage-kernel.mjs, `coverage` has what was reached.

import { type Counters, readCounters } from "../../control/kernel/counters.js";
import { type Limits, writeLimits } from "../../control/kernel/limits.js";
import { LinearMemory } from "../../control/kernel/linear-memory.js";
import * as layout from "../../core-wasm/layout.js";
import * as status from "../../core-wasm/status.js";
import type { SeededRandom } from "../../drivers/fault/random.js";

const pageBytes = 65_536;
const canaryBytes = 16;
const canary = 0xa5;
/** The most that one entry may send: 4,096 credits that were saved up, and small change. */
const transmitsMax = 4_400;
const frameMinimum = 60;

/** One network of a machine. */
export interface Interface {
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly trusted: boolean;
  /** Number of the LAN that it is on. */
  readonly lan: number;
  /** Receive buffers; 64 by default. */
  readonly receiveFrames?: number;
}

export interface MachineOptions {
  readonly module: WebAssembly.Module;
  readonly random: SeededRandom;
  readonly limits: Partial<Limits>;
  readonly memoryBytes: number;
  readonly interfaces: readonly Interface[];
  /** Share of the frames that the host cannot send; none by default. */
  readonly transmitsLost?: number;
}

export interface Exports {
  readonly boot: () => number;
  readonly network_add: (mac: number, mtu: number, weight: number, trusted: number, frames: number) => number;
  readonly network_set: (network: number, up: number, trusted: number) => number;
  readonly receive: (network: number, pointer: number, length: number, now: number) => number;
  readonly tick: (now: number) => void;
  readonly nextDeadline: () => number;
  readonly rpc_trans: (...args: readonly number[]) => number;
  readonly rpc_getreq: (header: number, buffer: number, capacity: number, now: number) => number;
  readonly rpc_putrep: (handle: number, header: number, data: number, size: number, now: number) => number;
  readonly trans: (...args: readonly number[]) => number;
  readonly getreq: (header: number, buffer: number, capacity: number, now: number) => number;
  readonly putrep: (handle: number, header: number, data: number, size: number, now: number) => number;
  readonly rpc_source: (handle: number, out: number) => number;
  readonly rpc_forward: (handle: number, target: number, now: number) => number;
  readonly rpc_signal: (handle: number, now: number) => number;
  readonly rpc_kill: (handle: number, now: number) => number;
  readonly flip_register: (pointer: number) => number;
  readonly flip_unregister: (pointer: number) => number;
  readonly flip_multicast: (
    group: number,
    data: number,
    size: number,
    endpoints: number,
    now: number,
  ) => number;
  readonly flip_known: (pointer: number) => number;
  readonly port_one_way: (port: number, out: number) => void;
  readonly wire_frame_check: (frame: number, length: number) => number;
  readonly grp_create: (...args: readonly number[]) => number;
  readonly grp_join: (header: number, now: number) => number;
  readonly grp_leave: (gid: number, header: number, now: number) => number;
  readonly grp_send: (gid: number, header: number, data: number, size: number, now: number) => number;
  readonly grp_receive: (...args: readonly number[]) => number;
  readonly grp_reset: (gid: number, header: number, minimum: number, now: number) => number;
  readonly grp_signal: (handle: number, now: number) => number;
  readonly grp_end: (gid: number, now: number) => number;
  readonly grp_info: (gid: number, out: number) => number;
  readonly grp_member: (gid: number, member: number, out: number, now: number) => number;
  readonly grp_set: (gid: number, setting: number, value: number, now: number) => number;
  readonly grp_forward: (gid: number, handle: number, member: number, now: number) => number;
}

/** What ended: the handle, its status, the bytes that came. */
export type Ended = (status: number, length: number, handle: number) => void;

const received = new Set<number>([status.FRAME_TAKEN, status.FRAME_MALFORMED, status.FRAME_NOT_OURS]);
/** What a call may end with. */
const outcomes = new Set<number>([
  status.STD_OK,
  status.RPC_FAILURE,
  status.RPC_NOTFOUND,
  status.RPC_ABORTED,
  status.RPC_UNSAFE,
]);
/** What a call may answer at once instead of a handle. */
export const refusals: ReadonlySet<number> = new Set<number>([
  status.RPC_FAILURE,
  status.RPC_BADADDRESS,
  status.RPC_TRYAGAIN,
  status.RPC_BADPORT,
  status.KERNEL_BADHANDLE,
  status.KERNEL_BADNETWORK,
  status.KERNEL_FULL,
]);

export class Machine {
  readonly interfaces: readonly Interface[];
  readonly call: Exports;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly buffers: LinearMemory;
  readonly address: Uint8Array;
  readonly kernelId: Uint8Array;
  /** Frames that left, in order; the world takes them. */
  readonly sent: { network: number; frame: Uint8Array }[] = [];
  readonly waiting = new Map<number, Ended>();
  signals = 0;
  readonly answers = { taken: 0, malformed: 0, notOurs: 0, astray: 0 };
  readonly #words: Uint32Array;
  readonly #frame: number;
  readonly #lengths = new Map<number, number>();
  #transmits = 0;

  constructor(options: MachineOptions) {
    this.interfaces = options.interfaces;
    const memory = new WebAssembly.Memory({ initial: Math.ceil(options.memoryBytes / pageBytes) });
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
    const env = {
      memory,
      transmit: (...piece: [number, number, number, number, number]) => {
        const answer = this.#transmit(...piece);
        if (!options.random.chance(options.transmitsLost ?? 0)) return answer;
        this.sent.pop();
        return -1;
      },
      random: (pointer: number, length: number) => {
        for (let i = 0; i < length; i++) this.bytes[pointer + i] = options.random.next() >>> 24;
      },
      log: () => {},
      trap: (code: number) => {
        throw new Error(`kernel assertion ${code} failed`);
      },
    };
    this.call = new WebAssembly.Instance(options.module, { env }).exports as unknown as Exports;
    writeLimits(this.#words, layout.LIMITS_ADDRESS, options.limits);
    const booted = this.call.boot();
    if (booted !== status.STD_OK) throw new Error(`boot answered ${booted}`);
    this.buffers = new LinearMemory(this.#layout(layout.LAYOUT_HOST_BASE), this.bytes.length);
    this.#frame = this.buffers.take(2 * pageBytes);
    this.address = this.#record(layout.LAYOUT_ADDRESS_PUBLIC);
    this.kernelId = this.#record(layout.LAYOUT_KERNEL_ID);
    for (const { mac, mtu, trusted, receiveFrames } of options.interfaces) {
      this.bytes.set(mac, layout.SCRATCH_ADDRESS);
      const network = this.call.network_add(
        layout.SCRATCH_ADDRESS,
        mtu,
        3,
        trusted ? 1 : 0,
        receiveFrames ?? 64,
      );
      if (network < 0) throw new Error(`network_add answered ${network}`);
    }
  }

  #layout(field: number): number {
    return this.#words[(layout.LAYOUT_ADDRESS >> 2) + field] ?? 0;
  }

  #record(field: number): Uint8Array {
    const at = this.#layout(field);
    return this.bytes.slice(at, at + 8);
  }

  #transmit(network: number, head: number, headLength: number, body: number, bodyLength: number): number {
    if (++this.#transmits > transmitsMax) throw new Error(`one entry sent ${transmitsMax} frames`);
    const length = headLength + bodyLength;
    const mtu = this.interfaces[network]?.mtu ?? -1;
    if (headLength < 16 || length > mtu + 14)
      throw new Error(`a frame of ${length} bytes on an MTU of ${mtu}`);
    if (body + bodyLength > this.bytes.length || head + headLength > this.bytes.length) {
      throw new Error("a frame outside the memory");
    }
    const frame = new Uint8Array(Math.max(length, frameMinimum));
    frame.set(this.bytes.subarray(head, head + headLength));
    frame.set(this.bytes.subarray(body, body + bodyLength), headLength);
    this.sent.push({ network, frame });
    return 0;
  }

  get threadsBusy(): number {
    return this.#layout(layout.LAYOUT_THREADS_BUSY);
  }

  /** Bytes that groups hold, as of the last entry of a frame or a tick. */
  get groupBytes(): number {
    return this.#layout(layout.LAYOUT_GROUP_BYTES);
  }

  counters(): Counters {
    return readCounters(this.#words, this.#layout(layout.LAYOUT_COUNTERS));
  }

  // ---- entries -------------------------------------------------------------------

  /** A frame arrives; answers its FRAME_* status. */
  receive(network: number, frame: Uint8Array, now: number): number {
    this.bytes.set(frame, this.#frame);
    this.#transmits = 0;
    const answer = this.call.receive(network, this.#frame, frame.length, now);
    if (!received.has(answer)) throw new Error(`receive answered ${answer}`);
    if (answer === status.FRAME_TAKEN) this.answers.taken++;
    else if (answer === status.FRAME_MALFORMED) this.answers.malformed++;
    else this.answers.notOurs++;
    return answer;
  }

  /** A frame from a network that does not exist. */
  receiveAstray(network: number, now: number): number {
    const answer = this.call.receive(network, this.#frame, 60, now);
    if (answer === status.KERNEL_BADNETWORK) this.answers.astray++;
    return answer;
  }

  tick(now: number): void {
    this.#transmits = 0;
    this.call.tick(now);
  }

  /** Any other entry, with what it may answer. */
  enter(entry: () => number, allowed: ReadonlySet<number> = refusals): number {
    this.#transmits = 0;
    const answer = entry();
    if (answer < 0 && !allowed.has(answer)) throw new Error(`a call answered ${answer}`);
    return answer;
  }

  /** An entry that answers a handle: `ended` hears of it. */
  begin(entry: () => number, ended: Ended): number {
    const handle = this.enter(entry);
    if (handle >= 0) this.waiting.set(handle, ended);
    return handle;
  }

  /** Hands out completions; answers how many. */
  drain(): number {
    const ring = this.#layout(layout.LAYOUT_COMPLETIONS);
    const mask = this.#layout(layout.LAYOUT_COMPLETION_MASK);
    let count = 0;
    for (; this.#words[ring >> 2] !== this.#words[(ring >> 2) + 1]; count++) {
      const consumed = this.#words[(ring >> 2) + 1] as number;
      const entry = ring + layout.COMPLETION_ENTRIES + (consumed & mask) * layout.COMPLETION_BYTES;
      const handle = this.view.getInt32(entry, true);
      const outcome = this.view.getInt32(entry + layout.COMPLETION_STATUS, true);
      const length = this.#words[(entry + layout.COMPLETION_LENGTH) >> 2] as number;
      this.#words[(ring >> 2) + 1] = consumed + 1;
      if (handle >= 0) this.#ended(handle, outcome, length);
      else if (handle === layout.EVENT_SIGNAL) this.signals++;
    }
    return count;
  }

  #ended(handle: number, outcome: number, length: number): void {
    const isGroup = (handle & layout.HANDLE_GROUP) !== 0; // what those may end with, groups.ts knows
    if (!isGroup && !outcomes.has(outcome)) throw new Error(`a call ended with ${outcome}`);
    const ended = this.waiting.get(handle);
    this.waiting.delete(handle);
    ended?.(outcome, length, handle);
  }

  // ---- buffers -------------------------------------------------------------------

  /** The address of `length` bytes between canaries. */
  take(length: number): number {
    const at = this.buffers.take(length + 2 * canaryBytes) + canaryBytes;
    this.#lengths.set(at, length);
    this.bytes.fill(canary, at - canaryBytes, at);
    this.bytes.fill(canary, at + length, at + length + canaryBytes);
    return at;
  }

  give(at: number): void {
    const length = this.#lengths.get(at) ?? 0;
    for (let i = 0; i < canaryBytes; i++) {
      if (this.bytes[at - 1 - i] !== canary || this.bytes[at + length + i] !== canary) {
        throw new Error(`the kernel wrote past a buffer of ${length} bytes`);
      }
    }
    this.#lengths.delete(at);
    this.buffers.give(at - canaryBytes);
  }

  /** Buffers that are out. */
  get taken(): number {
    return this.#lengths.size;
  }

  /** Counters and answers tell the same story; throws where they do not. */
  checkCounters(): void {
    const counters = this.counters();
    const { taken, malformed, notOurs, astray } = this.answers;
    const frames = taken + malformed + notOurs + astray;
    if (counters.framesIn !== frames)
      throw new Error(`framesIn is ${counters.framesIn} after ${frames} frames`);
    if (counters.notOurs + counters.hopsDropped !== notOurs) {
      throw new Error(`notOurs ${counters.notOurs} + hopsDropped ${counters.hopsDropped} is not ${notOurs}`);
    }
    // What RPC cannot read is counted too, though FLIP took the frame.
    if (counters.malformed < malformed || counters.malformed > malformed + taken) {
      throw new Error(`malformed is ${counters.malformed}, ${malformed} frames were answered so`);
    }
  }
}
