// The packet socket without a compiled addon: the same system calls through koffi.
//
// - recvmmsg and sendmmsg to and from linear memory; no ring, so slower.
// - Readiness: a poll(2) on one thread of libuv's pool while somebody watches, woken
//   through an eventfd when the device closes; `reference(false)` has no effect.
// - Same record and same rules as native/*.c: see packet-socket.ts.

import { availableParallelism } from "node:os";
import { SystemCallError } from "./errors.js";
import { FRAME_OFFSET } from "./geometry.js";
import {
  type Calls,
  check,
  EADDRINUSE,
  EAGAIN,
  EINTR,
  ENOBUFS,
  ENODEV,
  IFREQ_BYTES,
  LITTLE,
  loadCalls,
  Messages,
  MSG_DONTWAIT,
  MSG_TRUNC,
  POLLIN,
  POLLOUT,
  SIOCGIFFLAGS,
  SIOCGIFMTU,
} from "./koffi-calls.js";
import {
  CONTROL_ARRIVALS,
  CONTROL_ARRIVED,
  CONTROL_QUEUE,
  CONTROL_QUEUED,
  CONTROL_RECEIVE_DROPPED,
  CONTROL_RECEIVED,
  CONTROL_SEND_DROPPED,
  CONTROL_SENT,
  CONTROL_SPIN_US,
  type PacketSocket,
  QUEUE_MAX,
} from "./packet-socket.js";

const AF_UNIX = 1;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ALL = 3;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_ERROR = 4;
const SO_ATTACH_FILTER = 26;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_DROP_MEMBERSHIP = 2;
const PACKET_STATISTICS = 6;
const SIOCGIFHWADDR = 0x8927;
const RECEIVE_BATCH = 64;
const FRAME_BYTES_MIN = 60;
const SEND_BUFFER_BYTES = 4 << 20;
const BACK_PRESSURE_TRIES = 2;
/** A thread that waits holds up the end of its process by at most this. */
const POLL_MS = 250;

/** Opens a packet socket; throws SystemCallError. */
export function openKoffi(interfaceName: string, control: ArrayBuffer): PacketSocket {
  const calls = loadCalls();
  const index = calls.if_nametoindex(interfaceName);
  if (index === 0) throw new SystemCallError("if_nametoindex", ENODEV);
  const fd = check("socket", calls.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  try {
    return new KoffiSocket(calls, fd, index, describe(calls, fd, interfaceName), control);
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

interface Facts {
  readonly interfaceAddress: Uint8Array;
  readonly hardwareType: number;
  readonly mtu: number;
  readonly flags: number;
}

function describe(calls: Calls, fd: number, interfaceName: string): Facts {
  const request = new Uint8Array(IFREQ_BYTES);
  const view = new DataView(request.buffer);
  new TextEncoder().encodeInto(interfaceName, request.subarray(0, 15));
  check("SIOCGIFHWADDR", calls.ioctl(fd, SIOCGIFHWADDR, request));
  const hardwareType = view.getUint16(16, LITTLE);
  const interfaceAddress = request.slice(18, 24);
  check("SIOCGIFMTU", calls.ioctl(fd, SIOCGIFMTU, request));
  const mtu = view.getInt32(16, LITTLE);
  check("SIOCGIFFLAGS", calls.ioctl(fd, SIOCGIFFLAGS, request));
  return { interfaceAddress, hardwareType, mtu, flags: view.getUint16(16, LITTLE) };
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, LITTLE);
  return bytes;
}

class KoffiSocket implements PacketSocket {
  readonly interfaceAddress: Uint8Array;
  readonly hardwareType: number;
  readonly mtu: number;
  readonly flags: number;
  private readonly control: Int32Array;
  private readonly counted: Float64Array;
  private readonly sending = new Messages(QUEUE_MAX, 3);
  private readonly receiving = new Messages(RECEIVE_BATCH, 1);
  private readonly zeros = new Uint8Array(new ArrayBuffer(FRAME_BYTES_MIN));
  private readonly zerosAddress: number;
  private readonly oneCpu = availableParallelism() === 1;
  private memoryAddress = 0;
  private memoryLength = 0;
  private region = 0;
  private slotBytes = 0;
  private batch = 0;
  private claimed = -1;
  private wake = -1;
  private polling = false;
  private callback: (() => void) | null = null;

  constructor(
    private readonly calls: Calls,
    private fd: number,
    readonly index: number,
    facts: Facts,
    control: ArrayBuffer,
  ) {
    this.interfaceAddress = facts.interfaceAddress;
    this.hardwareType = facts.hardwareType;
    this.mtu = facts.mtu;
    this.flags = facts.flags;
    this.control = new Int32Array(control);
    this.counted = new Float64Array(control, 0, 8);
    this.zerosAddress = Number(calls.addressOf(this.zeros));
  }

  claim(name: string): boolean {
    const address = new Uint8Array(3 + name.length); // family, a zero byte: abstract, the name
    new DataView(address.buffer).setUint16(0, AF_UNIX, LITTLE);
    new TextEncoder().encodeInto(name, address.subarray(3));
    this.claimed = check("socket", this.calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (this.calls.bind(this.claimed, address, address.length) === 0) return true;
    const errno = this.calls.errno();
    this.calls.close(this.claimed);
    this.claimed = -1;
    if (errno !== EADDRINUSE) throw new SystemCallError("claim", errno);
    return false;
  }

  filter(program: Uint8Array): void {
    const descriptor = new Uint8Array(16); // struct sock_fprog
    const view = new DataView(descriptor.buffer);
    view.setUint16(0, program.length / 8, LITTLE);
    view.setBigUint64(8, this.calls.addressOf(program), LITTLE);
    this.setOption("SO_ATTACH_FILTER", SOL_SOCKET, SO_ATTACH_FILTER, descriptor);
  }

  membership(kind: number, address: Uint8Array, join: boolean): void {
    const request = new Uint8Array(16); // struct packet_mreq
    const view = new DataView(request.buffer);
    view.setInt32(0, this.index, LITTLE);
    view.setUint16(4, kind, LITTLE);
    view.setUint16(6, address.length, LITTLE);
    request.set(address, 8);
    const option = join ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
    this.setOption("PACKET_ADD_MEMBERSHIP", SOL_PACKET, option, request);
  }

  attach(
    memory: ArrayBuffer,
    base: number,
    _length: number,
    _ring: boolean,
    slotBytes: number,
    slots: number,
    _blockBytes: number,
    bufferBytes: number,
  ): void {
    this.memoryAddress = Number(this.calls.addressOf(new Uint8Array(memory)));
    this.memoryLength = memory.byteLength;
    this.region = base;
    this.slotBytes = slotBytes;
    this.batch = Math.min(RECEIVE_BATCH, slots);
    for (let i = 0; i < this.batch; i++) {
      const pointer = base + i * slotBytes + FRAME_OFFSET;
      this.receiving.setPiece(i, this.memoryAddress + pointer, slotBytes - FRAME_OFFSET);
      this.receiving.setPieceCount(i, 1);
    }
    this.setBuffer(SO_RCVBUFFORCE, SO_RCVBUF, bufferBytes);
    this.setBuffer(SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_BYTES);
    const address = new Uint8Array(20); // struct sockaddr_ll
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, LITTLE);
    view.setUint16(2, ETH_P_ALL); // network order
    view.setInt32(4, this.index, LITTLE);
    check("bind", this.calls.bind(this.fd, address, address.length));
  }

  turn(): void {
    const control = this.control;
    this.flush();
    control[CONTROL_ARRIVED] = 0;
    if (this.fd < 0 || this.batch === 0) return;
    this.receive();
    const spin = control[CONTROL_SPIN_US] ?? 0;
    if (spin === 0 || control[CONTROL_ARRIVED] !== 0) return;
    const deadline = performance.now() + spin / 1000;
    for (let look = 1; control[CONTROL_ARRIVED] === 0; look++) {
      if (this.oneCpu || look % 8 === 0) this.calls.sched_yield();
      this.receive();
      if (performance.now() >= deadline) return;
    }
  }

  flush(): void {
    if ((this.control[CONTROL_QUEUED] ?? 0) === 0 || this.fd < 0) return;
    const count = this.gather();
    let done = 0;
    let tries = BACK_PRESSURE_TRIES;
    while (done < count) {
      const messages = done === 0 ? this.sending.headers : this.sending.headers.subarray(done * 64);
      const sent = this.calls.sendmmsg(this.fd, messages, count - done, MSG_DONTWAIT);
      if (sent > 0) {
        this.count(CONTROL_SENT, sent);
        done += sent;
        continue;
      }
      const errno = this.calls.errno();
      if (errno === EINTR) continue;
      if ((errno === EAGAIN || errno === ENOBUFS) && tries-- > 0) {
        this.waitForRoom(errno);
        continue;
      }
      this.count(CONTROL_SEND_DROPPED, 1);
      done++;
    }
  }

  watch(callback: (() => void) | null): void {
    this.callback = callback;
    if (callback !== null) this.pollOnce();
    else this.wakePoll();
  }

  reference(_keep: boolean): void {
    // A thread of the pool that waits always keeps the process alive.
  }

  statistics(): void {
    const statistics = new Uint8Array(8); // struct tpacket_stats {packets, drops}
    if (this.calls.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, statistics, int32(8)) !== 0) return;
    this.count(CONTROL_RECEIVE_DROPPED, new DataView(statistics.buffer).getUint32(4, LITTLE));
  }

  close(): void {
    if (this.fd < 0) return;
    this.callback = null;
    this.calls.close(this.fd);
    this.fd = -1;
    if (this.claimed >= 0) this.calls.close(this.claimed);
    this.wakePoll();
    if (!this.polling && this.wake >= 0) this.calls.close(this.wake);
  }

  private receive(): void {
    const got = this.calls.recvmmsg(this.fd, this.receiving.headers, this.batch, MSG_DONTWAIT, null);
    let listed = 0;
    for (let i = 0; i < got; i++) {
      if ((this.receiving.flagsOf(i) & MSG_TRUNC) !== 0) {
        this.count(CONTROL_RECEIVE_DROPPED, 1);
        continue;
      }
      this.control[CONTROL_ARRIVALS + listed * 2] = this.region + i * this.slotBytes + FRAME_OFFSET;
      this.control[CONTROL_ARRIVALS + listed * 2 + 1] = this.receiving.lengthOf(i);
      listed++;
    }
    this.control[CONTROL_ARRIVED] = listed;
    if (listed > 0) this.count(CONTROL_RECEIVED, listed);
  }

  /** The queue as messages; how many there are. */
  private gather(): number {
    const { control, sending } = this;
    const queued = Math.min(control[CONTROL_QUEUED] ?? 0, QUEUE_MAX);
    let count = 0;
    for (let i = 0; i < queued; i++) {
      const at = CONTROL_QUEUE + i * 4;
      const head = (control[at] ?? 0) >>> 0;
      const headLength = control[at + 1] ?? 0;
      const body = (control[at + 2] ?? 0) >>> 0;
      const bodyLength = control[at + 3] ?? 0;
      if (head + headLength > this.memoryLength || body + bodyLength > this.memoryLength) {
        this.count(CONTROL_SEND_DROPPED, 1);
        continue;
      }
      let pieces = count * 3;
      sending.setPiece(pieces++, this.memoryAddress + head, headLength);
      if (bodyLength > 0) sending.setPiece(pieces++, this.memoryAddress + body, bodyLength);
      const missing = FRAME_BYTES_MIN - headLength - bodyLength;
      if (missing > 0) sending.setPiece(pieces++, this.zerosAddress, missing);
      sending.setPieceCount(count, pieces - count * 3);
      count++;
    }
    control[CONTROL_QUEUED] = 0;
    return count;
  }

  private waitForRoom(errno: number): void {
    const descriptor = new Uint8Array(8);
    const view = new DataView(descriptor.buffer);
    view.setInt32(0, this.fd, LITTLE);
    view.setInt16(4, errno === EAGAIN ? POLLOUT : 0, LITTLE);
    this.calls.poll(descriptor, 1, 1);
  }

  private pollOnce(): void {
    if (this.polling || this.fd < 0) return;
    if (this.wake < 0) this.wake = check("eventfd", this.calls.eventfd(0, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const descriptors = new Uint8Array(16);
    const view = new DataView(descriptors.buffer);
    view.setInt32(0, this.fd, LITTLE);
    view.setInt16(4, POLLIN, LITTLE);
    view.setInt32(8, this.wake, LITTLE);
    view.setInt16(12, POLLIN, LITTLE);
    this.polling = true;
    this.calls.pollAsync(descriptors, 2, POLL_MS, () =>
      this.polled(view.getInt16(6, LITTLE), view.getInt16(14, LITTLE)),
    );
  }

  private polled(ready: number, woken: number): void {
    this.polling = false;
    if (this.fd < 0) {
      this.calls.close(this.wake);
      return;
    }
    if (woken !== 0) this.calls.read(this.wake, new Uint8Array(8), 8);
    if (this.callback === null) return;
    try {
      if ((ready & ~POLLIN) !== 0)
        this.calls.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, new Uint8Array(4), int32(4));
      if (ready !== 0) this.callback();
    } finally {
      if (this.callback !== null) this.pollOnce();
    }
  }

  private wakePoll(): void {
    if (!this.polling) return;
    const one = new BigUint64Array([1n]);
    this.calls.write(this.wake, new Uint8Array(one.buffer), 8);
  }

  private setOption(call: string, level: number, option: number, value: Uint8Array): void {
    check(call, this.calls.setsockopt(this.fd, level, option, value, value.length));
  }

  private setBuffer(forced: number, asked: number, bytes: number): void {
    if (this.calls.setsockopt(this.fd, SOL_SOCKET, forced, int32(bytes), 4) === 0) return;
    this.calls.setsockopt(this.fd, SOL_SOCKET, asked, int32(bytes), 4);
  }

  private count(field: number, frames: number): void {
    this.counted[field] = (this.counted[field] ?? 0) + frames;
  }
}
