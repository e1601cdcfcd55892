// A tap on a network interface: a packet socket that hears every FLIP frame there, sent and
// received, for `proteus capture`.
//
// - Promiscuous; claims no address, joins no group, sends nothing: see drivers/tap.ts.
// - With the addon the frames lie in a ring where the system put them, with the system's own
//   time and direction (struct tpacket2_hdr and sockaddr_ll in front of each). Without it
//   they are copied, the time is when they were read, and the direction is not known.

import type { Tap, TapFrame } from "../tap.js";
import { explain } from "./errors.js";
import { openSocket } from "./ethernet.js";
import { tapFilter } from "./filter.js";
import { bufferBytes, FRAME_OFFSET, geometry } from "./geometry.js";
import {
  ARRIVED_MAX,
  CONTROL_ARRIVALS,
  CONTROL_ARRIVED,
  CONTROL_BYTES,
  CONTROL_RECEIVE_DROPPED,
  PACKET_MR_PROMISC,
  type PacketSocket,
} from "./packet-socket.js";

/** As many as a burst of some milliseconds has; the ring's size in memory follows. */
const ringFrames = 8192;
const pageBytes = 65_536;

// In front of a frame of the ring: linux/if_packet.h
const headerSecondsAt = 16;
const headerNanosecondsAt = 20;
const headerPacketTypeAt = 32 + 10;
const packetOutgoing = 4;

export interface TapOptions {
  /** Told in one line, for people, when a slower way had to be taken. */
  readonly say?: (line: string) => void;
  /** Only for tests: the way without the addon. */
  readonly mode?: "auto" | "koffi";
}

/** Opens a tap on an interface. Throws EthernetError as openEthernet does. */
export function openTap(interfaceName: string, options: TapOptions = {}): Tap {
  const control = new ArrayBuffer(CONTROL_BYTES);
  const { socket, mode } = openSocket(interfaceName, control, options);
  try {
    const { slotBytes, slots, blockBytes, regionBytes } = geometry(socket.mtu, ringFrames);
    const memory = new WebAssembly.Memory({ initial: regionBytes / pageBytes });
    socket.filter(tapFilter());
    socket.membership(PACKET_MR_PROMISC, new Uint8Array(6), true);
    const ring = mode === "ring";
    const buffer = bufferBytes(socket.mtu, slots);
    socket.attach(memory.buffer, 0, regionBytes, ring, slotBytes, slots, blockBytes, buffer);
    return new EthernetTap(interfaceName, socket, control, memory, ring);
  } catch (error) {
    socket.close();
    throw explain(error, interfaceName);
  }
}

class EthernetTap implements Tap {
  private readonly control: Int32Array;
  private readonly counted: Float64Array;
  private closed = false;

  constructor(
    readonly name: string,
    private readonly socket: PacketSocket,
    control: ArrayBuffer,
    private readonly memory: WebAssembly.Memory,
    private readonly ring: boolean,
  ) {
    this.control = new Int32Array(control);
    this.counted = new Float64Array(control, 0, 8);
  }

  poll(): readonly TapFrame[] {
    if (this.closed) return [];
    this.socket.turn();
    const listed = Math.min(this.control[CONTROL_ARRIVED] ?? 0, ARRIVED_MAX);
    const view = new DataView(this.memory.buffer);
    const readAt = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    const frames: TapFrame[] = [];
    for (let index = 0; index < listed; index++) {
      const pointer = this.control[CONTROL_ARRIVALS + 2 * index] ?? 0;
      const length = this.control[CONTROL_ARRIVALS + 2 * index + 1] ?? 0;
      const bytes = new Uint8Array(this.memory.buffer, pointer, length);
      frames.push({ ...this.seen(view, pointer - FRAME_OFFSET, readAt), bytes });
    }
    return frames;
  }

  /** When and in which direction the frame of a slot passed. */
  private seen(view: DataView, slot: number, readAt: number): Omit<TapFrame, "bytes"> {
    if (!this.ring) return { timeUs: readAt, outgoing: undefined };
    const seconds = view.getUint32(slot + headerSecondsAt, true);
    const microseconds = Math.floor(view.getUint32(slot + headerNanosecondsAt, true) / 1000);
    const outgoing = view.getUint8(slot + headerPacketTypeAt) === packetOutgoing;
    return { timeUs: seconds * 1e6 + microseconds, outgoing };
  }

  watch(callback: (() => void) | null): void {
    if (!this.closed) this.socket.watch(callback);
  }

  dropped(): number {
    if (!this.closed) this.socket.statistics();
    return this.counted[CONTROL_RECEIVE_DROPPED] ?? 0;
  }

  close(): void {
    if (this.closed) return;
    this.socket.statistics();
    this.closed = true;
    this.socket.close();
  }
}
