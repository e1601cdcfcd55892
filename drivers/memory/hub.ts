// A LAN in memory that spans processes: each interface is a Unix socket of one hub
// process (control/lab/hub.ts), for labs of people who may not make namespaces.
//
// - On the stream: a 4-byte big-endian length, then that many bytes. The hub speaks
//   first: JSON {network, mtu, address}; after that every message is a frame.
// - The hub repeats a frame to every other connection of its network; this device keeps
//   what is for its own MAC address, everyone, or a group it has joined.
// - Sockets of Node.js speak from the event loop only: `poll` never waits, whatever time
//   it is given. A loop that finds nothing goes back to the event loop and is called
//   through `watch`.

import { createConnection, type Socket } from "node:net";
import type { Device, DeviceCounters, DeviceRegion } from "../device.js";

const pageBytes = 65_536;
const headerBytes = 14;
const frameBytesMin = 60;
const receiveBytes = 2 * 1024 * 1024;
const receiveFramesMax = 256;
const sendBacklogBytesMax = 8 * 1024 * 1024;
/** Larger than any frame: a length above it is not from a hub. */
const messageBytesMax = 128 * 1024;

/** What the hub says first. */
export interface HubGreeting {
  readonly network: string;
  readonly mtu: number;
  /** Lower-case hex, with colons. */
  readonly address: string;
}

function parseGreeting(message: Buffer): HubGreeting {
  const { network, mtu, address } = JSON.parse(message.toString("utf8")) as Partial<HubGreeting>;
  const whole = typeof mtu === "number" && typeof address === "string" && typeof network === "string";
  if (!whole || !/^([0-9a-f]{2}(:|$)){6}$/.test(address)) throw new Error("the greeting is incomplete");
  return { network, mtu, address };
}

/** A message with its length in front. */
export function encodeMessage(...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, ...parts]);
}

/** Cuts a stream back into messages. A length beyond all reason throws. */
export class MessageReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The messages that are complete now; they share memory with the chunk. */
  push(chunk: Buffer): Buffer[] {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    while (data.length >= 4) {
      const length = data.readUInt32BE();
      if (length > messageBytesMax) throw new Error(`a message of ${length} bytes is not from a hub`);
      if (data.length < 4 + length) break;
      messages.push(data.subarray(4, 4 + length));
      data = data.subarray(4 + length);
    }
    this.#rest = data;
    return messages;
  }
}

/** The socket beside an interface's where the hub shows all that passes: hub-tap.ts. */
export const tapPath = (interfacePath: string): string => `${interfacePath}.tap`;

/** The hub could not be used; `code` is stable, `hint` is a line for people. */
export class HubError extends Error {
  override readonly name = "HubError";

  constructor(
    readonly code: "HUB_UNREACHABLE" | "HUB_PROTOCOL",
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

class HubDevice implements Device {
  readonly name: string;
  readonly address: Uint8Array;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly regionBytes: number;
  readonly arrived: Int32Array;
  readonly #socket: Socket;
  readonly #stride: number;
  readonly #groups = new Set<string>();
  #region: DeviceRegion | null = null;
  /** Slots: [0, #listed) were listed by the last poll, [#listed, #filled) came since. All in ring order from #first. */
  #first = 0;
  #listed = 0;
  #filled = 0;
  readonly #lengths: Int32Array;
  #watcher: (() => void) | null = null;
  #received = 0;
  #sent = 0;
  #receiveDropped = 0;
  #sendDropped = 0;
  #closed = false;

  constructor(name: string, socket: Socket, greeting: HubGreeting) {
    this.name = name;
    this.#socket = socket;
    this.mtu = greeting.mtu;
    this.address = Uint8Array.from(greeting.address.split(":"), (byte) => Number.parseInt(byte, 16));
    this.#stride = Math.ceil((this.mtu + headerBytes) / 64) * 64;
    this.receiveFrames = Math.min(receiveFramesMax, Math.floor(receiveBytes / this.#stride));
    this.regionBytes = Math.ceil((this.receiveFrames * this.#stride) / pageBytes) * pageBytes;
    this.arrived = new Int32Array(2 * this.receiveFrames);
    this.#lengths = new Int32Array(this.receiveFrames);
  }

  attach(region: DeviceRegion): void {
    if (region.length < this.regionBytes)
      throw new RangeError(`the region has ${region.length} of ${this.regionBytes} bytes`);
    this.#region = region;
  }

  /** A frame from the hub: kept when it is for us and there is room. */
  receive(frame: Buffer): void {
    if (this.#region === null || frame.length < headerBytes || frame.length > this.mtu + headerBytes) return;
    if (!this.#wants(frame)) return;
    if (this.#filled === this.receiveFrames) {
      this.#receiveDropped++;
      return;
    }
    const slot = (this.#first + this.#filled++) % this.receiveFrames;
    this.#lengths[slot] = frame.length;
    new Uint8Array(this.#region.memory.buffer, this.#region.base + slot * this.#stride, frame.length).set(
      frame,
    );
    this.#received++;
  }

  #wants(frame: Buffer): boolean {
    const own = Buffer.from(this.address.buffer, this.address.byteOffset, 6);
    if (frame.compare(own, 0, 6, 6, 12) === 0) return false;
    if (((frame[0] ?? 0) & 1) === 0) return frame.compare(own, 0, 6, 0, 6) === 0;
    const group = frame.toString("hex", 0, 6);
    return group === "ffffffffffff" || this.#groups.has(group);
  }

  /** After a chunk of the stream: somebody may want to look. */
  wake(): void {
    if (this.#filled > this.#listed) this.#watcher?.();
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    const length = headLength + bodyLength;
    if (
      this.#region === null ||
      this.#closed ||
      length > this.mtu + headerBytes ||
      this.#socket.writableLength > sendBacklogBytesMax
    ) {
      this.#sendDropped++;
      return -1;
    }
    const { buffer } = this.#region.memory;
    const padding = Buffer.alloc(Math.max(0, frameBytesMin - length));
    const message = encodeMessage(
      new Uint8Array(buffer, head, headLength),
      new Uint8Array(buffer, body, bodyLength),
      padding,
    );
    if (this.#socket.writableCorked === 0) this.#socket.cork();
    this.#socket.write(message);
    this.#sent++;
    return 0;
  }

  flush(): void {
    if (this.#socket.writableCorked > 0) this.#socket.uncork();
  }

  poll(_spinMicroseconds: number): number {
    this.flush();
    if (this.#region === null) return 0;
    this.#first = (this.#first + this.#listed) % this.receiveFrames;
    this.#filled -= this.#listed;
    this.#listed = this.#filled;
    for (let index = 0; index < this.#listed; index++) {
      const slot = (this.#first + index) % this.receiveFrames;
      this.arrived[2 * index] = this.#region.base + slot * this.#stride;
      this.arrived[2 * index + 1] = this.#lengths[slot] ?? 0;
    }
    return this.#listed;
  }

  watch(callback: (() => void) | null): void {
    this.#watcher = callback;
    if (callback === null) this.#socket.unref();
    else {
      this.#socket.ref();
      setImmediate(() => this.wake());
    }
  }

  joinMulticast(address: Uint8Array): void {
    this.#groups.add(Buffer.from(address).toString("hex"));
  }

  leaveMulticast(address: Uint8Array): void {
    this.#groups.delete(Buffer.from(address).toString("hex"));
  }

  counters(): DeviceCounters {
    return {
      received: this.#received,
      sent: this.#sent,
      receiveDropped: this.#receiveDropped,
      sendDropped: this.#sendDropped,
    };
  }

  close(): void {
    this.#closed = true;
    this.#watcher = null;
    this.flush();
    this.#socket.destroySoon();
  }

  /** The hub is gone: nothing arrives, what is sent is dropped and counted. */
  lost(): void {
    this.#closed = true;
  }
}

/**
 * Connects to the socket of an interface at the hub; `name` is for people.
 * Rejects with a HubError when nothing listens there, or no hub.
 */
export function openHub(path: string, name = "hub"): Promise<Device> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const reader = new MessageReader();
    let device: HubDevice | null = null;
    const refuse = (code: HubError["code"], message: string, cause?: unknown): void => {
      socket.destroy();
      device?.lost();
      reject(new HubError(code, message, "see whether the lab runs: proteus lab status", { cause }));
    };
    const unreachable = (why: string, cause?: unknown): void =>
      refuse("HUB_UNREACHABLE", `the in-memory LAN behind ${name} cannot be reached: ${why}`, cause);
    socket.on("error", (error) => unreachable(error.message, error));
    socket.on("close", () => unreachable(`nothing serves ${path} any more`));
    socket.on("data", (chunk) => {
      try {
        for (const message of reader.push(chunk)) {
          if (device !== null) device.receive(message);
          else {
            device = new HubDevice(name, socket, parseGreeting(message));
            resolve(device);
          }
        }
      } catch (error) {
        refuse("HUB_PROTOCOL", `what listens at ${path} is no in-memory LAN`, error);
        return;
      }
      device?.wake();
    });
  });
}
