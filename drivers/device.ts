// The contract between a kernel's host and a network: raw Ethernet, a LAN in memory, a wrapper.
//
// - One device = one network of one kernel, with a MAC address of its own.
// - Frames live in the kernel's linear memory: the device is attached to that memory
//   once, given a page-aligned region for its receive buffers, and from then on both
//   sides speak in pointers. No JavaScript buffer per frame.
// - One crossing a turn: `poll` sends what was queued, gives back the frames of the
//   last poll, waits at most `spinMicroseconds`, and lists what has arrived.
// - A device never calls the kernel; the host loop does (control/node/loop.ts).
// - Middleware (drivers/fault, drivers/capture) wraps a device and is a device.

/** What a device has counted since it was opened. All are frames. */
export interface DeviceCounters {
  readonly received: number;
  readonly sent: number;
  /** Arrived, but no buffer was free (ring overrun). */
  readonly receiveDropped: number;
  /** Handed over, but the wire would not take it (ENOBUFS and the like). */
  readonly sendDropped: number;
  /** Arrived damaged, forged or for somebody else, and was thrown away; wires that can tell count it. */
  readonly damaged?: number;
}

/** Where a device may place its receive buffers. */
export interface DeviceRegion {
  readonly memory: WebAssembly.Memory;
  /** First byte, a multiple of 65,536. */
  readonly base: number;
  /** Bytes, a multiple of 65,536. */
  readonly length: number;
}

/** One network as a kernel sees it. */
export interface Device {
  /** For people: `eth0`, `memory:lan0`. */
  readonly name: string;
  /** 6 bytes: the MAC address that this kernel sends from and answers to. */
  readonly address: Uint8Array;
  /** Bytes that fit behind the 14-byte Ethernet header: 1500, 9000, 65521 … */
  readonly mtu: number;
  /** Hops that crossing it costs, 1 to 25; left out: 3, an Ethernet. */
  readonly weight?: number | undefined;
  /** False: others may read and forge what goes over it, an untrusted network of FLIP; left out: true. */
  readonly trusted?: boolean | undefined;
  /** Receive buffers it will have; the credit window follows from it. Known after `attach`. */
  readonly receiveFrames: number;
  /** Bytes of linear memory the device wants for its receive buffers (multiple of 65,536). */
  readonly regionBytes: number;
  /** Called once, before any other call below. */
  attach(region: DeviceRegion): void;
  /**
   * Queues one frame (Ethernet header first) that lies in two pieces of linear memory;
   * `bodyLength` may be 0. Pads to 60 bytes. The pieces stay untouched until the next
   * `poll` or `flush`. Returns 0, or -1 when the queue was full and could not be emptied:
   * the frame is dropped and counted.
   */
  transmit(head: number, headLength: number, body: number, bodyLength: number): number;
  /** Hands every queued frame to the wire. */
  flush(): void;
  /**
   * flush, then release the frames of the last poll, then wait up to `spinMicroseconds`
   * (0: only look) for the first frame. Returns how many frames are listed in `arrived`.
   */
  poll(spinMicroseconds: number): number;
  /**
   * When the last `poll` ended, in whole microseconds of CLOCK_MONOTONIC, where the device
   * knows that anyway; undefined otherwise.
   */
  readonly polledAt?: number | undefined;
  /** When it began, by the same clock or some milliseconds behind it; with polledAt only. */
  readonly pollBegan?: number | undefined;
  /**
   * From now on a `poll` of this device that waits ends as well when one of the others,
   * attached to the same memory, has a frame; it does not list that frame. False or left
   * out: it cannot do that.
   */
  spinWith?(others: readonly Device[]): boolean;
  /** Pairs [pointer, length] of the frames of the last poll, Ethernet header first. */
  readonly arrived: Int32Array;
  /** Calls back from the event loop when frames may have arrived; null stops that. */
  watch(callback: (() => void) | null): void;
  /** Receive frames sent to this 6-byte multicast MAC, or stop. */
  joinMulticast(address: Uint8Array): void;
  leaveMulticast(address: Uint8Array): void;
  counters(): DeviceCounters;
  /** Gives everything back; pages mapped into linear memory become ordinary memory again. */
  close(): void;
}
