// FLIP over a serial line: a network of two stations, with serialport.
//
// - One program has the port. Frames go as messages (drivers/carried) in SLIP with a CRC
//   (framing.ts); MTU, weight and window follow from the speed (line.ts).
// - Flow control: RTS/CTS by the hardware when it is asked for; what waits for the line is bounded
//   in any case, and FLIP's credits bound what the other end sends.
// - Messages wait here, not in the system, and in order: queue.ts.
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
import { LineQueue } from "./queue.js";

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

class SerialCarrier implements Carrier {
  readonly #port: SerialPort;
  readonly #framing: SerialFraming;
  readonly #queue: LineQueue;
  #closed = false;
  #reopening: NodeJS.Timeout | undefined;

  constructor(port: SerialPort, framing: SerialFraming, speed: number) {
    this.#port = port;
    this.#framing = framing;
    this.#queue = new LineQueue({
      speed,
      now: () => performance.now(),
      later: (milliseconds, action) => {
        const timer = setTimeout(action, milliseconds);
        return () => clearTimeout(timer);
      },
      write: (message) => framing.write(message),
    });
    port.on("data", (bytes: Buffer) => framing.push(bytes));
    port.on("error", () => {}); // what follows is "close"
    port.on("close", () => this.#reopen());
  }

  send(message: Uint8Array): boolean {
    return !this.#closed && this.#port.isOpen && this.#queue.add(message);
  }

  /** Bytes for the line, in SLIP. */
  write(bytes: Buffer): void {
    this.#queue.written(bytes.length);
    this.#port.write(bytes, () => this.#queue.written(-bytes.length));
  }

  #reopen(): void {
    if (this.#closed) return;
    this.#queue.clear();
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
    this.#queue.clear();
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
