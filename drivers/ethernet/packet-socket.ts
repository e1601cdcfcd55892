// A packet socket as the driver sees it: what the addon (native/device.c) and the koffi
// fallback (koffi.ts) both are.
//
// - Arguments and results of a turn lie in one shared record (native/control.h has the
//   same offsets), so a turn is a call without arguments.
// - Pointers are offsets into the linear memory that was attached.

/** Frames that can wait in the queue, and frames that one turn can list. */
export const QUEUE_MAX = 256;
export const ARRIVED_MAX = 256;
/** Sockets beside one whose turns wait for all of them. */
export const BESIDE_MAX = 15;

// Offsets in the control record: Int32 index
export const CONTROL_SPIN_US = 0;
export const CONTROL_QUEUED = 1;
export const CONTROL_ARRIVED = 2;
export const CONTROL_QUEUE = 16; // {head, headLength, body, bodyLength} each
export const CONTROL_ARRIVALS = CONTROL_QUEUE + QUEUE_MAX * 4; // {pointer, length} each
export const CONTROL_BYTES = (CONTROL_ARRIVALS + ARRIVED_MAX * 2) * 4;

// Float64 index
export const CONTROL_RECEIVED = 2;
export const CONTROL_SENT = 3;
export const CONTROL_RECEIVE_DROPPED = 4;
export const CONTROL_SEND_DROPPED = 5;
export const CONTROL_POLLED_US = 6;
export const CONTROL_BEGAN_US = 7;

// linux/if_packet.h, linux/if.h, linux/if_arp.h
export const PACKET_MR_MULTICAST = 0;
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_UNICAST = 3;
export const IFF_UP = 1;
export const ARPHRD_ETHER = 1;

/** An open socket on one interface. Calls throw system call errors: see errors.ts. */
export interface PacketSocket {
  readonly index: number;
  readonly interfaceAddress: Uint8Array;
  readonly hardwareType: number;
  readonly mtu: number;
  readonly flags: number;
  /** True when this process is the first in its network namespace to claim that name. */
  claim(name: string): boolean;
  /** Attaches a classic BPF program (array of struct sock_filter). */
  filter(program: Uint8Array): void;
  /** Makes the interface accept an address, or all (PACKET_MR_*), or no longer. */
  membership(kind: number, address: Uint8Array, join: boolean): void;
  /** Maps or prepares the region and starts to receive. */
  attach(
    memory: ArrayBuffer,
    base: number,
    length: number,
    ring: boolean,
    slotBytes: number,
    slots: number,
    blockBytes: number,
    bufferBytes: number,
  ): void;
  turn(): void;
  /** From now on a turn that waits ends for a frame in one of these rings too. Left out: cannot. */
  beside?(others: readonly PacketSocket[]): void;
  flush(): void;
  watch(callback: (() => void) | null): void;
  /** Whether watching keeps the process alive. */
  reference(keep: boolean): void;
  /** Adds what the socket dropped since the last call to the record. */
  statistics(): void;
  close(): void;
}
