// One kernel in this process: loads kernel.wasm, feeds it frames and time, hands out completions.
//
// - A turn: flush and poll the devices, tick, receive what came, flush, drain. The loop
//   that takes turns is control/node/loop.ts, or a simulator's.
// - Calls are those of core-wasm/kernel.ts with a callback in place of the completion
//   ring: called once when the handle ends (a service: once for the request, once more
//   for the acknowledged reply). No promise here; control/kernel/calls.ts has those.
// - Everything of the outside comes in as an argument: module, clock, randomness, devices.
// - Buffers are addresses in `memory`; `buffers` gives and takes them.

import * as layout from "../../core-wasm/layout.js";
import type { Device } from "../../drivers/device.js";
import { type Counters, readCounters } from "./counters.js";
import { statusError } from "./errors.js";
import type { KernelExports } from "./exports.js";
import { GroupCalls } from "./groups.js";
import { writeLimits } from "./limits.js";
import { LinearMemory } from "./linear-memory.js";
import { Mirror } from "./mirror.js";
import type { KernelOptions, NetworkOptions } from "./options.js";
import { Pending } from "./pending.js";
import { Polling } from "./polling.js";
import { Privates } from "./privates.js";
import { Segments } from "./segments.js";
import { KernelTables } from "./tables.js";
import { KernelTime } from "./time.js";

export type { KernelOptions, NetworkOptions } from "./options.js";

const pageBytes = 65536;
const defaultMemoryBytes = 128 * 1024 * 1024;
const ethernetWeight = 3;

/** Called with 0 or a status below zero, and how many bytes of data came. */
export type Completed = (status: number, length: number, handle: number) => void;

export class Kernel {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly buffers: LinearMemory;
  readonly devices: Device[] = [];
  /** Group communication: groups.ts. */
  readonly groups: GroupCalls;
  /** What it knows of networks, ports and calls: tables.ts. */
  readonly tables: KernelTables;
  /** Private parts of capabilities: privates.ts. */
  readonly privates: Privates;
  /** Segments of this machine's users: segments.ts. */
  readonly segments: Segments;
  /** Block copy and checksums: mirror.ts. */
  readonly mirror: Mirror;
  /** Calls a server's signals: (handle, signal). */
  onSignal: ((handle: number, signal: number) => void) | null = null;
  wake: (() => void) | null;
  /** Frames handed to the devices since boot. */
  transmits = 0;
  readonly #exports: KernelExports;
  readonly #words: Uint32Array;
  readonly #options: KernelOptions;
  readonly #time: KernelTime;
  readonly #pending = new Pending<Completed>();
  readonly #ring: number;
  readonly #ringMask: number;
  readonly #polling = new Polling(this.devices);
  #waiting = false; // frames were transmitted since the last flush

  constructor(options: KernelOptions) {
    this.#options = options;
    this.#time = new KernelTime(options.clock, options.monotonic ?? false);
    this.wake = options.wake ?? null;
    const memoryBytes = options.limits?.memoryBytes ?? defaultMemoryBytes;
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(memoryBytes / pageBytes) });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.#words = new Uint32Array(this.memory.buffer);
    const instance = new WebAssembly.Instance(options.module, { env: this.#imports() });
    this.#exports = instance.exports as unknown as KernelExports;
    if (this.#exports.ABI_VERSION.value !== layout.ABI) {
      throw new Error("kernel.wasm and this program are of different versions: build again");
    }
    writeLimits(this.#words, layout.LIMITS_ADDRESS, { ...options.limits, memoryBytes: 0 });
    const status = this.#exports.boot();
    if (status < 0) throw statusError(status, "booting the kernel with these limits");
    this.buffers = new LinearMemory(this.#layout(layout.LAYOUT_HOST_BASE), this.bytes.length);
    this.#ring = this.#layout(layout.LAYOUT_COMPLETIONS);
    this.#ringMask = this.#layout(layout.LAYOUT_COMPLETION_MASK);
    this.tables = new KernelTables(this.#exports, this.bytes);
    this.privates = new Privates(this.#exports, this.bytes);
    this.groups = new GroupCalls({
      exports: this.#exports,
      bytes: this.bytes,
      view: this.view,
      now: () => this.#time.read(),
      called: () => this.wake?.(),
    });
    this.mirror = new Mirror({ exports: this.#exports, view: this.view });
    this.segments = new Segments({ exports: this.#exports, bytes: this.bytes, view: this.view });
  }

  #imports(): Record<string, WebAssembly.ImportValue> {
    const transmit = (
      network: number,
      head: number,
      headLength: number,
      body: number,
      bodyLength: number,
    ) => {
      this.#waiting = true;
      this.transmits++;
      return this.devices[network]?.transmit(head, headLength, body, bodyLength) ?? -1;
    };
    const random = (pointer: number, length: number) => {
      this.#options.random(this.bytes.subarray(pointer, pointer + length));
    };
    const log = (pointer: number, length: number) => {
      this.#options.log?.(new TextDecoder().decode(this.bytes.subarray(pointer, pointer + length)));
    };
    const trap = (code: number) => {
      throw new Error(`kernel assertion ${code} failed: this kernel is dead`);
    };
    return { memory: this.memory, transmit, random, log, trap };
  }

  #layout(field: number): number {
    return this.#words[(layout.LAYOUT_ADDRESS >> 2) + field] ?? 0;
  }

  /** This kernel's FLIP address, 8 bytes; new at every boot. */
  get address(): Uint8Array {
    const at = this.#layout(layout.LAYOUT_ADDRESS_PUBLIC);
    return this.bytes.slice(at, at + 8);
  }

  /** Calls and services that are not over. */
  get threadsBusy(): number {
    return this.#layout(layout.LAYOUT_THREADS_BUSY);
  }

  /** Frames that wait here for credit, on their way through this machine. */
  get framesHeld(): number {
    return this.#layout(layout.LAYOUT_FRAMES_HELD);
  }

  /** Bytes that groups hold here: histories, tables, what comes in and goes out. */
  get groupBytes(): number {
    return this.#layout(layout.LAYOUT_GROUP_BYTES);
  }

  counters(): Counters {
    return readCounters(this.#words, this.#layout(layout.LAYOUT_COUNTERS));
  }

  /** Attaches a device as a network; answers its number. Throws ProteusError when the table is full. */
  attach(device: Device, options: NetworkOptions = {}): number {
    const base = device.regionBytes > 0 ? this.buffers.region(device.regionBytes) : 0;
    device.attach({ memory: this.memory, base, length: device.regionBytes });
    this.bytes.set(device.address, layout.SCRATCH_ADDRESS);
    const network = this.#exports.network_add(
      layout.SCRATCH_ADDRESS,
      device.mtu,
      options.weight ?? device.weight ?? ethernetWeight,
      (options.trusted ?? device.trusted) === false ? 0 : 1,
      device.receiveFrames,
    );
    if (network < 0) throw statusError(network, `attaching ${device.name}`);
    this.devices[network] = device;
    this.#polling.changed();
    return network;
  }

  /** Takes a network out of use, or back. */
  setNetwork(network: number, up: boolean, trusted = true): void {
    this.#exports.network_set(network, up ? 1 : 0, trusted ? 1 : 0);
  }

  // ---- the turn ------------------------------------------------------------------

  /**
   * One turn. Waits up to `spinMicroseconds` for a frame. Answers how much happened:
   * frames received, completions handed out, and 1 when frames wait for the next turn.
   */
  turn(spinMicroseconds: number): number {
    this.#waiting = false;
    const devices = this.devices;
    let received = 0;
    if (devices.length === 1) {
      const device = devices[0] as Device;
      const count = device.poll(spinMicroseconds);
      const now = this.#time.turn(device);
      this.#exports.tick(now);
      if (count > 0) this.#receive(0, device.arrived, count, now);
      received = count;
    } else {
      received = this.#polling.all(spinMicroseconds);
      const now = this.#time.turn(devices.at(-1) ?? null);
      this.#exports.tick(now);
      for (let network = 0; received > 0 && network < devices.length; network++)
        this.#receive(
          network,
          (devices[network] as Device).arrived,
          this.#polling.counts[network] as number,
          now,
        );
    }
    // What is queued may lie in buffers that the completions give back to their owners.
    if (this.#waiting && this.#hasCompletions()) this.flush();
    received += this.drain();
    this.#time.endTurn();
    return this.#waiting ? received + 1 : received;
  }

  #receive(network: number, arrived: Int32Array, count: number, now: number): void {
    const receive = this.#exports.receive;
    for (let i = 0; i < 2 * count; i += 2)
      receive(network, arrived[i] as number, arrived[i + 1] as number, now);
  }

  /** Sends what waits, now. */
  flush(): void {
    this.#waiting = false;
    for (const device of this.devices) device.flush();
  }

  /** True when frames wait for the next flush or turn. */
  get sendsPending(): boolean {
    return this.#waiting;
  }

  /** So many random bytes, from where the kernel has its own. */
  random(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.#options.random(bytes);
    return bytes;
  }

  /** When the last turn looked at the clock. */
  get turnedAt(): number {
    return this.#time.last;
  }

  /** The host slept between its turns, until `now` by `clock`: time.ts. */
  rested(now: number): void {
    this.#time.rested(now);
  }

  /** When the next turn is wanted at the latest, by `clock`; Infinity: when a frame comes. */
  nextDeadline(): number {
    const next = this.#exports.nextDeadline();
    return next < 0 ? Number.POSITIVE_INFINITY : this.#time.byClock(next);
  }

  #hasCompletions(): boolean {
    const ring = this.#ring >> 2;
    return this.#words[ring] !== this.#words[ring + 1];
  }

  /** Calls back for everything that had ended when it began; answers how many. */
  drain(): number {
    const words = this.#words;
    const ring = this.#ring >> 2;
    let count = 0;
    let consumed = words[ring + 1] as number;
    // What a callback ends at once (a call to a server in this kernel) waits for the next turn:
    // a client that calls again and again must not keep the event loop out.
    const end = words[ring] as number;
    while (consumed !== end) {
      const entry =
        this.#ring + layout.COMPLETION_ENTRIES + (consumed & this.#ringMask) * layout.COMPLETION_BYTES;
      const handle = this.view.getInt32(entry, true);
      const status = this.view.getInt32(entry + layout.COMPLETION_STATUS, true);
      const pointer = words[(entry + layout.COMPLETION_POINTER) >> 2] as number;
      const length = words[(entry + layout.COMPLETION_LENGTH) >> 2] as number;
      consumed = (consumed + 1) >>> 0;
      words[ring + 1] = consumed;
      count++;
      if (handle >= layout.HANDLE_GROUP) this.groups.complete(handle, status, pointer, length);
      else if (handle >= 0) this.#pending.take(handle)?.(status, length, handle);
      else this.#event(handle, status, pointer, length);
    }
    return count;
  }

  #event(kind: number, status: number, pointer: number, length: number): void {
    if (kind === layout.EVENT_SIGNAL) {
      this.onSignal?.(status, length);
      return;
    }
    const address = this.bytes.slice(pointer, pointer + 6);
    if (kind === layout.EVENT_MULTICAST_JOIN) this.devices[status]?.joinMulticast(address);
    if (kind === layout.EVENT_MULTICAST_LEAVE) this.devices[status]?.leaveMulticast(address);
  }

  // ---- calls ---------------------------------------------------------------------

  #begin(handle: number, done: Completed): number {
    if (handle >= 0) this.#pending.add(handle, done);
    if (this.wake !== null) this.wake();
    return handle;
  }

  /** rpc_trans of core-wasm/kernel.ts. A handle, or a status below zero: `done` is not called then. */
  trans(
    header: number,
    data: number,
    size: number,
    replyHeader: number,
    replyBuffer: number,
    replyCapacity: number,
    options: number,
    done: Completed,
  ): number {
    const now = this.#time.read();
    const handle = this.#exports.rpc_trans(
      header,
      data,
      size,
      replyHeader,
      replyBuffer,
      replyCapacity,
      options,
      now,
    );
    return this.#begin(handle, done);
  }

  /** rpc_getreq: `done` is called with the request. */
  getreq(header: number, buffer: number, capacity: number, done: Completed): number {
    // No timer begins here: the time of the last turn will do.
    return this.#begin(this.#exports.rpc_getreq(header, buffer, capacity, this.#time.recent()), done);
  }

  /** rpc_putrep: `done` is called when the reply was acknowledged, or given up. */
  putrep(handle: number, header: number, data: number, size: number, done: Completed): number {
    const before = this.#pending.replace(handle, done);
    const status = this.#exports.rpc_putrep(handle, header, data, size, this.#time.read());
    if (status < 0) this.#pending.replace(handle, before);
    if (this.wake !== null) this.wake();
    return status;
  }

  /** Signals a thread: see core-wasm/kernel.ts. */
  signal(handle: number): number {
    const status = this.#exports.rpc_signal(handle, this.#time.read());
    this.wake?.();
    return status;
  }

  /** Ends a thread at once; its callback is not called any more. */
  kill(handle: number): number {
    if (this.#waiting) this.flush(); // what waits to be sent may lie in buffers that are free now
    const status = this.#exports.rpc_kill(handle, this.#time.read());
    if (status >= 0) this.#pending.replace(handle, undefined);
    this.wake?.();
    return status;
  }

  /** Sends the client of a service to the server at an 8-byte FLIP address instead. */
  forward(handle: number, target: Uint8Array): number {
    this.bytes.set(target, layout.SCRATCH_ADDRESS);
    const status = this.#exports.rpc_forward(handle, layout.SCRATCH_ADDRESS, this.#time.read());
    this.wake?.();
    return status;
  }

  /** The FLIP address, as a number, of the kernel whose request a service serves now; 0 when it serves none. */
  source(handle: number): bigint {
    if (this.#exports.rpc_source(handle, layout.SCRATCH_ADDRESS) < 0) return 0n;
    return this.view.getBigUint64(layout.SCRATCH_ADDRESS, true);
  }

  /** The put-port (6 bytes) of a get-port. */
  publicPort(getPort: Uint8Array): Uint8Array {
    this.bytes.set(getPort, layout.SCRATCH_ADDRESS);
    this.#exports.port_one_way(layout.SCRATCH_ADDRESS, layout.SCRATCH_ADDRESS + 8);
    return this.bytes.slice(layout.SCRATCH_ADDRESS + 8, layout.SCRATCH_ADDRESS + 14);
  }

  /** Closes the devices. */
  close(): void {
    for (const device of this.devices) device.close();
  }
}
