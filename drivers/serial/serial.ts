// FLIP over a serial line: a network of two stations, with serialport.
//
// - One program has the port. Frames go as messages (drivers/carried) in SLIP with a CRC
//   (framing.ts); MTU, weight and window follow from the speed (line.ts).
// - Flow control: RTS/CTS by the hardware when it is asked for; what waits for the line is bounded
//   in any case, and FLIP's credits bound what the other end sends.
// - On a slow line messages wait here, not in the system, and in order: a question whether all has
//   come must not pass what it asks about. A fragment that is repeated while the first one still
//   waits is left out: FLIP's clocks are those of faster networks.
// - A station has a new number each time that it opens the line. What it hears of itself (a line
//   that echoes) and what is for the station that was here before is thrown away.
// - A port that goes away (an adapter is unplugged) is opened again as soon as it is back.

import { randomBytes } from "node:crypto";
import type { SerialPort } from "serialport";
import { CarriedDevice, type Carrier } from "../carried/device.js";
import { messageHeaderMax } from "../carried/message.js";
import type { Device } from "../device.js";
import { SerialFraming } from "./framing.js";
import { lineFacts } from "./line.js";
import { loadSerialPackage } from "./package.js";
import { openPort } from "./port.js";

export interface SerialOptions {
  /** Of the port: /dev/ttyS0. */
  readonly path: string;
  /** Bits a second. */
  readonly speed: number;
  /** Flow control by the hardware. */
  readonly rtscts?: boolean;
  /** For people; left out: the path. */
  readonly name?: string;
}

const slots = 64;
const reopenMs = 1000;
/** Lines up to this speed are given no more than they can send within `aheadMs`, bits a second. */
const pacedSpeedMax = 10_000_000;
const aheadMs = 20;
/** What is longer is a fragment, not a credit or a question, of which each one counts. */
const fragmentBytesMin = 128;
/** Two ENDs, a check, and a few escapes. */
const framingBytes = 10;

class SerialCarrier implements Carrier {
  readonly #port: SerialPort;
  readonly #framing: SerialFraming;
  readonly #backlogBytes: number;
  /** Milliseconds of the line for a byte; 0: it is not waited for. */
  readonly #msPerByte: number;
  #queue: Uint8Array[] = [];
  /** Bytes here and in the system. */
  #waiting = 0;
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #reopening: NodeJS.Timeout | undefined;

  constructor(port: SerialPort, framing: SerialFraming, speed: number) {
    this.#port = port;
    this.#framing = framing;
    this.#backlogBytes = lineFacts(speed).backlogBytes;
    this.#msPerByte = speed > pacedSpeedMax ? 0 : 10_000 / speed;
    port.on("data", (bytes: Buffer) => framing.push(bytes));
    port.on("error", () => {}); // what follows is "close"
    port.on("close", () => this.#reopen());
  }

  send(message: Uint8Array): boolean {
    if (this.#closed || !this.#port.isOpen) return false;
    const fragment = message.length > fragmentBytesMin;
    // Where there is no room for fragments there still is for the question whether a server lives.
    if (this.#waiting >= (fragment ? 1 : 2) * this.#backlogBytes) return false;
    if (fragment && this.#queue.some((each) => Buffer.compare(each, message) === 0)) return true;
    this.#waiting += message.length;
    this.#queue.push(message);
    this.#pump();
    return true;
  }

  /** Gives the line what it can take now. */
  #pump(): void {
    if (this.#timer !== undefined || this.#closed) return;
    for (let now = performance.now(); ; now = performance.now()) {
      if (this.#queue.length === 0) return;
      const early = this.#freeAt - now - aheadMs;
      if (early > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#pump();
        }, Math.ceil(early));
        return;
      }
      const message = this.#queue.shift() ?? new Uint8Array(0);
      this.#waiting -= message.length;
      this.#freeAt = Math.max(now, this.#freeAt) + (message.length + framingBytes) * this.#msPerByte;
      this.#framing.write(message);
    }
  }

  /** Bytes for the line, in SLIP. */
  write(bytes: Buffer): void {
    this.#waiting += bytes.length;
    this.#port.write(bytes, () => {
      this.#waiting -= bytes.length;
    });
  }

  #reopen(): void {
    if (this.#closed) return;
    this.#waiting = 0;
    this.#queue = [];
    this.#reopening = setTimeout(() => {
      this.#port.open((error) => {
        if (error !== null) this.#reopen();
      });
    }, reopenMs);
    this.#reopening.unref();
  }

  keepAlive(): void {} // an open port does as long as it is open

  damaged(): number {
    return this.#framing.damaged;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopening);
    clearTimeout(this.#timer);
    const finish = (): void => this.#framing.close();
    if (!this.#port.isOpen) finish();
    else this.#port.close(finish);
  }
}

/** Opens a line. Rejects with a SerialError. */
export async function openSerial(options: SerialOptions): Promise<Device> {
  const { path, speed, rtscts = false, name = path } = options;
  const serialport = await loadSerialPackage();
  const facts = lineFacts(speed);
  const port = await openPort(serialport, { path, speed, rtscts, backlogBytes: facts.backlogBytes });
  const framing = new SerialFraming(serialport, {
    messageBytesMax: messageHeaderMax + facts.mtu,
    send: (bytes) => carrier.write(bytes),
    received: (message) => device.accept(message),
  });
  const carrier = new SerialCarrier(port, framing, speed);
  const device = new CarriedDevice({
    ...{ name, carrier, slots, trusted: true, station: randomBytes(4) },
    ...{ mtu: facts.mtu, weight: facts.weight, receiveFrames: facts.receiveFrames },
  });
  return device;
}
