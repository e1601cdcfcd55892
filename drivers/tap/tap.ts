// Tap interfaces of Linux: whole Ethernet frames of an interface, read and written by a
// process.
//
// - The interface is there as long as it is open, in the network namespace of this
//   process; it needs /dev/net/tun and the right to administer that namespace.
// - Frames come as they would be on a wire: cut to the MTU, with their checksums.
// - `read` and `write` never wait; `waitReadable` waits for any of several.
// - Linux Documentation/networking/tuntap.rst.

import { closeSync, constants, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { cLibrary } from "../c-library.js";

const cloneDevice = "/dev/net/tun";
const nameBytesMax = 15;
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
/** struct ifreq {name[16], flags …}. */
const requestBytes = 40;
const POLLIN = 1;
/** struct pollfd {fd, events, revents}. */
const pollBytes = 8;

interface Calls {
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  read(fd: number, bytes: Uint8Array, length: number): number;
  write(fd: number, bytes: Uint8Array, length: number): number;
  ppoll(descriptors: Uint8Array, count: number, time: Uint8Array, mask: null): number;
  errno(): number;
}

let calls: Calls | undefined;

function loadCalls(): Calls {
  if (calls !== undefined) return calls;
  const { koffi, library } = cLibrary();
  calls = {
    ioctl: library.func("int ioctl(int fd, unsigned long request, void *argument)"),
    read: library.func("int64_t read(int fd, void *bytes, size_t length)"),
    write: library.func("int64_t write(int fd, void *bytes, size_t length)"),
    ppoll: library.func("int ppoll(void *descriptors, unsigned long count, void *time, void *mask)"),
    errno: () => koffi.errno(),
  };
  return calls;
}

/** A tap could not be made; `code` is stable, `hint` is a line for people. */
export class TapError extends Error {
  override readonly name = "TapError";

  constructor(
    readonly code: "TAP_MISSING" | "TAP_DENIED" | "TAP_FAILED",
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

function openClone(): number {
  try {
    return openSync(cloneDevice, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM")
      throw new TapError(
        "TAP_DENIED",
        `${cloneDevice} may not be opened: ${message}`,
        `as root: chmod 0666 ${cloneDevice} (as most systems have it), or run this as root`,
        { cause },
      );
    throw new TapError(
      "TAP_MISSING",
      `this system has no tap interfaces: ${message}`,
      "load the kernel's module: modprobe tun",
      { cause },
    );
  }
}

/** An open tap interface. */
export class Tap {
  readonly #calls = loadCalls();
  #fd: number;

  /** Makes the interface; it is down. Throws TapError. */
  constructor(readonly name: string) {
    if (name.length === 0 || name.length > nameBytesMax) throw new RangeError(`"${name}" names no interface`);
    this.#fd = openClone();
    const request = Buffer.alloc(requestBytes);
    request.write(name, 0, nameBytesMax, "latin1");
    request.writeUInt16LE(IFF_TAP | IFF_NO_PI, 16);
    if (this.#calls.ioctl(this.#fd, TUNSETIFF, request) >= 0) return;
    const why = getSystemErrorName(-this.#calls.errno());
    this.close();
    throw new TapError(
      why === "EPERM" ? "TAP_DENIED" : "TAP_FAILED",
      `the tap interface ${name} could not be made: ${why}`,
      why === "EBUSY" ? "another process has it open" : "it takes the right to administer the network",
    );
  }

  get fd(): number {
    return this.#fd;
  }

  /** Reads a frame into `bytes` and gives its length; 0 when there is none. */
  read(bytes: Uint8Array): number {
    return Math.max(0, this.#calls.read(this.#fd, bytes, bytes.length));
  }

  /** Writes a frame; false when the interface is down or its queue is full. */
  write(frame: Uint8Array): boolean {
    return this.#calls.write(this.#fd, frame, frame.length) === frame.length;
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Waits until one of the taps may have a frame, a signal comes, or the time is over. */
export function waitReadable(taps: readonly Tap[], microseconds: number): void {
  const descriptors = Buffer.alloc(Math.max(1, taps.length) * pollBytes);
  taps.forEach(({ fd }, index) => {
    descriptors.writeInt32LE(fd, index * pollBytes);
    descriptors.writeInt16LE(POLLIN, index * pollBytes + 4);
  });
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(Math.floor(microseconds / 1e6)), 0);
  time.writeBigInt64LE(BigInt(Math.floor(microseconds % 1e6) * 1000), 8);
  loadCalls().ppoll(descriptors, taps.length, time, null);
}
