// The C library's calls that the koffi fallback needs, typed, and the byte layouts of
// their structures on 64-bit Linux.
//
// - koffi is loaded on first use: with the compiled addon for looks at a link alone (link-state.ts).
// - Byte arrays are passed as pointers, without a copy.

import { endianness } from "node:os";
import { cLibrary } from "../c-library.js";
import { SystemCallError } from "./errors.js";

export const LITTLE = endianness() === "LE";

// struct iovec {base, length}, struct mmsghdr {msghdr {name, namelen, iov, iovlen, control,
// controllen, flags}, len}
export const IOVEC_BYTES = 16;
export const MESSAGE_BYTES = 64;
export const MESSAGE_PIECES = 16;
export const MESSAGE_PIECE_COUNT = 24;
export const MESSAGE_FLAGS = 48;
export const MESSAGE_LENGTH = 56;

// struct ifreq {name[16], value}, and what is asked of an interface
export const IFREQ_BYTES = 40;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCGIFMTU = 0x8921;

export const EAGAIN = 11;
export const EINTR = 4;
export const ENOBUFS = 105;
export const EADDRINUSE = 98;
export const ENODEV = 19;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const POLLIN = 1;
export const POLLOUT = 4;

export interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  if_nametoindex(name: string): number;
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  poll(descriptors: Uint8Array, count: number, timeoutMs: number): number;
  pollAsync(descriptors: Uint8Array, count: number, timeoutMs: number, done: () => void): void;
  eventfd(value: number, flags: number): number;
  write(fd: number, bytes: Uint8Array, length: number): number;
  read(fd: number, bytes: Uint8Array, length: number): number;
  close(fd: number): number;
  sched_yield(): number;
  errno(): number;
  /** Where the bytes lie in this process. */
  addressOf(bytes: Uint8Array): bigint;
}

let calls: Calls | undefined;

/** Loads koffi and the C library. */
export function loadCalls(): Calls {
  if (calls !== undefined) return calls;
  const { koffi, library } = cLibrary();
  const poll = library.func("int poll(void *descriptors, unsigned long count, int timeout)");
  calls = {
    socket: library.func("int socket(int domain, int type, int protocol)"),
    bind: library.func("int bind(int fd, void *address, uint32_t length)"),
    setsockopt: library.func("int setsockopt(int fd, int level, int option, void *value, uint32_t length)"),
    getsockopt: library.func("int getsockopt(int fd, int level, int option, void *value, void *length)"),
    ioctl: library.func("int ioctl(int fd, unsigned long request, void *argument)"),
    if_nametoindex: library.func("unsigned int if_nametoindex(const char *name)"),
    sendmmsg: library.func("int sendmmsg(int fd, void *messages, unsigned int count, int flags)"),
    recvmmsg: library.func(
      "int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)",
    ),
    poll,
    pollAsync: (descriptors, count, timeoutMs, done) => poll.async(descriptors, count, timeoutMs, done),
    eventfd: library.func("int eventfd(unsigned int value, int flags)"),
    write: library.func("int64_t write(int fd, void *bytes, size_t length)"),
    read: library.func("int64_t read(int fd, void *bytes, size_t length)"),
    close: library.func("int close(int fd)"),
    sched_yield: library.func("int sched_yield()"),
    errno: () => koffi.errno(),
    addressOf: (bytes) => koffi.address(bytes),
  };
  return calls;
}

/** Throws when `result` is negative. */
export function check(call: string, result: number): number {
  if (result < 0) throw new SystemCallError(call, loadCalls().errno());
  return result;
}

/** An array of struct mmsghdr with its pieces; addresses are written without BigInt. */
export class Messages {
  readonly headers: Uint8Array;
  private readonly view: DataView;
  private readonly pieces: Uint8Array;
  private readonly piecesView: DataView;

  constructor(count: number, piecesEach: number) {
    this.headers = new Uint8Array(count * MESSAGE_BYTES);
    this.pieces = new Uint8Array(count * piecesEach * IOVEC_BYTES);
    this.view = new DataView(this.headers.buffer);
    this.piecesView = new DataView(this.pieces.buffer);
    const first = loadCalls().addressOf(this.pieces);
    for (let i = 0; i < count; i++) {
      const address = first + BigInt(i * piecesEach * IOVEC_BYTES);
      this.view.setBigUint64(i * MESSAGE_BYTES + MESSAGE_PIECES, address, LITTLE);
    }
  }

  /** Piece `index`, counted over all messages, is `length` bytes at `address`. */
  setPiece(index: number, address: number, length: number): void {
    const at = index * IOVEC_BYTES;
    const low = address >>> 0;
    const high = Math.floor(address / 2 ** 32);
    this.piecesView.setUint32(at + (LITTLE ? 0 : 4), low, LITTLE);
    this.piecesView.setUint32(at + (LITTLE ? 4 : 0), high, LITTLE);
    this.piecesView.setUint32(at + (LITTLE ? 8 : 12), length, LITTLE);
  }

  setPieceCount(message: number, count: number): void {
    this.view.setUint32(message * MESSAGE_BYTES + MESSAGE_PIECE_COUNT + (LITTLE ? 0 : 4), count, LITTLE);
  }

  lengthOf(message: number): number {
    return this.view.getUint32(message * MESSAGE_BYTES + MESSAGE_LENGTH, LITTLE);
  }

  flagsOf(message: number): number {
    return this.view.getUint32(message * MESSAGE_BYTES + MESSAGE_FLAGS, LITTLE);
  }
}
