// A network interface as a Device: FLIP frames over AF_PACKET.
//
// - The first process on an interface has the interface's own MAC address; each further
//   one has a locally administered address of its own, and hears the others.
// - Modes, best first: `ring` (frames are read where the system put them, in linear
//   memory), `recvmmsg` (copied there, a batch a call), `koffi` (the same without a
//   compiled part). `auto` takes the best that works and says when it is not the first.
// - Not promiscuous: the interface is told which addresses to accept.
// - While frames of a poll are not given back, the socket counts as readable: poll until
//   it returns 0 before sleeping in the event loop.
// - The memory must not grow while attached. One device serves one memory.

import { randomFillSync } from "node:crypto";
import type { Device, DeviceCounters, DeviceRegion } from "../device.js";
import { loadAddon } from "./addon.js";
import { EthernetError, explain, interfaceDown, notEthernet } from "./errors.js";
import { frameFilter } from "./filter.js";
import { bufferBytes, type Geometry, geometry } from "./geometry.js";
import { openKoffi } from "./koffi.js";
import {
  ARPHRD_ETHER,
  ARRIVED_MAX,
  BESIDE_MAX,
  CONTROL_ARRIVALS,
  CONTROL_ARRIVED,
  CONTROL_BEGAN_US,
  CONTROL_BYTES,
  CONTROL_POLLED_US,
  CONTROL_QUEUE,
  CONTROL_QUEUED,
  CONTROL_RECEIVE_DROPPED,
  CONTROL_RECEIVED,
  CONTROL_SEND_DROPPED,
  CONTROL_SENT,
  CONTROL_SPIN_US,
  IFF_UP,
  PACKET_MR_MULTICAST,
  PACKET_MR_UNICAST,
  type PacketSocket,
  QUEUE_MAX,
} from "./packet-socket.js";

const HEADER_BYTES = 14;

export type EthernetMode = "ring" | "recvmmsg" | "koffi";

export interface EthernetOptions {
  /** Default `auto`. Any other mode is taken, or opening and attaching fail. */
  readonly mode?: EthernetMode | "auto";
  /** Told in one line, for people, when a slower mode had to be taken. */
  readonly say?: (line: string) => void;
  /** Receive buffers; default by MTU: 1024 at 1500, 256 at 9000, 128 above. */
  readonly frames?: number;
}

/** A packet socket on an Ethernet interface that is up, and the best way it can receive. */
export interface OpenSocket {
  readonly socket: PacketSocket;
  readonly mode: EthernetMode;
}

/** Opens the socket that a device or a tap needs. Throws EthernetError as openEthernet does. */
export function openSocket(
  interfaceName: string,
  control: ArrayBuffer,
  options: Pick<EthernetOptions, "mode" | "say">,
): OpenSocket {
  const say = options.say ?? (() => {});
  const wanted = options.mode ?? "auto";
  const addon = wanted === "koffi" ? "" : loadAddon();
  if (typeof addon === "string" && wanted !== "koffi" && wanted !== "auto") {
    throw new EthernetError(
      "ETHERNET_UNAVAILABLE",
      addon,
      "install a C compiler and run `npm rebuild`, or use koffi",
    );
  }
  if (typeof addon === "string" && wanted === "auto")
    say(`${interfaceName}: ${addon}; using the slower koffi`);
  const mode = typeof addon === "string" ? "koffi" : wanted === "recvmmsg" ? "recvmmsg" : "ring";
  try {
    const socket =
      typeof addon === "string" ? openKoffi(interfaceName, control) : addon.open(interfaceName, control);
    try {
      if (socket.hardwareType !== ARPHRD_ETHER) throw notEthernet(interfaceName);
      if ((socket.flags & IFF_UP) === 0) throw interfaceDown(interfaceName);
      return { socket, mode };
    } catch (error) {
      socket.close();
      throw error;
    }
  } catch (error) {
    throw explain(error, interfaceName);
  }
}

/**
 * Opens a network interface. Throws EthernetError (`code`, `hint`) when there is no such
 * interface, it is down or not Ethernet, or raw sockets are not permitted.
 */
export function openEthernet(interfaceName: string, options: EthernetOptions = {}): EthernetDevice {
  const say = options.say ?? (() => {});
  const control = new ArrayBuffer(CONTROL_BYTES);
  const { socket, mode } = openSocket(interfaceName, control, options);
  const mayFallBack = (options.mode ?? "auto") === "auto";
  try {
    return new EthernetDevice(interfaceName, socket, control, mode, mayFallBack, options.frames, say);
  } catch (error) {
    socket.close();
    throw explain(error, interfaceName);
  }
}

function randomLocalAddress(): Uint8Array {
  const address = randomFillSync(new Uint8Array(6));
  address[0] = 0x02;
  return address;
}

function checkedGroup(address: Uint8Array): Uint8Array {
  if (address.length !== 6 || ((address[0] ?? 0) & 1) === 0)
    throw new RangeError("not a multicast MAC address");
  return address.slice();
}

/** See openEthernet. */
export class EthernetDevice implements Device {
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  private readonly control: Int32Array;
  private readonly counted: Float64Array;
  private readonly geometry: Geometry;
  private readonly frameBytesMax: number;
  private readonly groups: Uint8Array[] = [];
  private taken: EthernetMode;
  private closed = false;

  constructor(
    readonly name: string,
    private readonly socket: PacketSocket,
    control: ArrayBuffer,
    mode: EthernetMode,
    private readonly mayFallBack: boolean,
    frames: number | undefined,
    private readonly say: (line: string) => void,
  ) {
    this.taken = mode;
    this.control = new Int32Array(control);
    this.counted = new Float64Array(control, 0, 8);
    this.arrived = new Int32Array(control, CONTROL_ARRIVALS * 4, ARRIVED_MAX * 2);
    this.mtu = socket.mtu;
    this.frameBytesMax = socket.mtu + HEADER_BYTES;
    this.geometry = geometry(socket.mtu, frames);
    this.receiveFrames = this.geometry.slots;
    this.regionBytes = this.geometry.regionBytes;
    if (socket.claim(`proteus/ethernet/${socket.index}`)) {
      this.address = socket.interfaceAddress;
    } else {
      this.address = randomLocalAddress();
      socket.membership(PACKET_MR_UNICAST, this.address, true);
    }
    this.refilter();
  }

  /** How frames are received; settled by `attach`. */
  get mode(): EthernetMode {
    return this.taken;
  }

  attach(region: DeviceRegion): void {
    try {
      this.start(region, this.taken === "ring");
    } catch (error) {
      if (this.taken !== "ring" || !this.mayFallBack || error instanceof TypeError)
        throw explain(error, this.name);
      const reason = error instanceof Error ? error.message : String(error);
      this.say(`${this.name}: the receive ring was refused (${reason}); using recvmmsg`);
      this.taken = "recvmmsg";
      try {
        this.start(region, false);
      } catch (second) {
        throw explain(second, this.name);
      }
    }
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    const control = this.control;
    if (headLength < HEADER_BYTES || headLength + bodyLength > this.frameBytesMax || this.closed) {
      this.counted[CONTROL_SEND_DROPPED] = (this.counted[CONTROL_SEND_DROPPED] ?? 0) + 1;
      return -1;
    }
    let queued = control[CONTROL_QUEUED] ?? 0;
    if (queued === QUEUE_MAX) {
      this.socket.flush(); // sends or drops every frame: the queue is empty now
      queued = 0;
    }
    const at = CONTROL_QUEUE + queued * 4;
    control[at] = head;
    control[at + 1] = headLength;
    control[at + 2] = body;
    control[at + 3] = bodyLength;
    control[CONTROL_QUEUED] = queued + 1;
    return 0;
  }

  flush(): void {
    this.socket.flush();
  }

  poll(spinMicroseconds: number): number {
    const control = this.control;
    if (this.closed) return 0;
    control[CONTROL_SPIN_US] = spinMicroseconds;
    this.socket.turn();
    return control[CONTROL_ARRIVED] ?? 0;
  }

  spinWith(others: readonly Device[]): boolean {
    const rings = [this, ...others].flatMap((each) =>
      each instanceof EthernetDevice && each.taken === "ring" ? [each.socket] : [],
    );
    const [own, ...beside] = rings;
    if (own !== this.socket || beside.length < others.length || beside.length > BESIDE_MAX) return false;
    own.beside?.(beside);
    return own.beside !== undefined;
  }

  get pollBegan(): number | undefined {
    return this.counted[CONTROL_BEGAN_US];
  }

  get polledAt(): number | undefined {
    const time = this.counted[CONTROL_POLLED_US];
    return time === 0 ? undefined : time;
  }

  watch(callback: (() => void) | null): void {
    if (!this.closed) this.socket.watch(callback);
  }

  /** Watching keeps the process alive (the default). */
  ref(): void {
    if (!this.closed) this.socket.reference(true);
  }

  /** Watching does not keep the process alive. Without effect in mode koffi. */
  unref(): void {
    if (!this.closed) this.socket.reference(false);
  }

  joinMulticast(address: Uint8Array): void {
    const group = checkedGroup(address);
    if (this.indexOfGroup(group) >= 0) return;
    this.socket.membership(PACKET_MR_MULTICAST, group, true);
    this.groups.push(group);
    this.refilter();
  }

  leaveMulticast(address: Uint8Array): void {
    const index = this.indexOfGroup(checkedGroup(address));
    if (index < 0) return;
    this.groups.splice(index, 1);
    this.refilter();
    this.socket.membership(PACKET_MR_MULTICAST, address, false);
  }

  counters(): DeviceCounters {
    if (!this.closed) this.socket.statistics();
    return {
      received: this.counted[CONTROL_RECEIVED] ?? 0,
      sent: this.counted[CONTROL_SENT] ?? 0,
      receiveDropped: this.counted[CONTROL_RECEIVE_DROPPED] ?? 0,
      sendDropped: this.counted[CONTROL_SEND_DROPPED] ?? 0,
    };
  }

  close(): void {
    if (this.closed) return;
    this.socket.flush();
    this.socket.statistics();
    this.closed = true;
    this.socket.close();
  }

  private start(region: DeviceRegion, ring: boolean): void {
    const { slotBytes, slots, blockBytes, regionBytes } = this.geometry;
    const memory = region.memory.buffer;
    if (!(memory instanceof ArrayBuffer)) throw new TypeError("shared memory cannot take a receive region");
    if (
      region.length < regionBytes ||
      region.base % 65_536 !== 0 ||
      region.base + regionBytes > memory.byteLength
    ) {
      throw new TypeError(
        `the region must have ${regionBytes} bytes on a multiple of 65536 inside the memory`,
      );
    }
    const buffer = bufferBytes(this.mtu, slots);
    this.socket.attach(memory, region.base, regionBytes, ring, slotBytes, slots, blockBytes, buffer);
  }

  private refilter(): void {
    this.socket.filter(frameFilter(this.address, this.groups));
  }

  private indexOfGroup(group: Uint8Array): number {
    return this.groups.findIndex((known) => known.every((byte, index) => byte === group[index]));
  }
}
