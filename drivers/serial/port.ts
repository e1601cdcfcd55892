// Opens a serial port with the package serialport: raw bytes, 8N1.
//
// - One program has it: serialport locks the port.
// - It reads and writes at once: see bothWays.
// - Errors are SerialErrors, which say what to do.

import type { SerialPort } from "serialport";
import { explainSerial } from "./errors.js";
import type { SerialPackage } from "./package.js";

export interface PortOptions {
  /** Of the port: /dev/ttyS0. */
  readonly path: string;
  /** Bits a second. */
  readonly speed: number;
  /** Flow control by the hardware. */
  readonly rtscts: boolean;
  /** Bytes that it keeps for who writes; left out: serialport's own. */
  readonly backlogBytes?: number;
}

const readable = 1;
const writable = 2;

/** What serialport waits with for its port, on Linux. */
interface Poller {
  poll(events: number): void;
  listenerCount(event: "readable" | "writable"): number;
}

/**
 * The poller of serialport with each wait added to those that there are: by itself the last one
 * takes the place of the others, and a write that waits for room is forgotten when a read begins
 * to wait, until something comes in. Where the other end waits for that write, nothing ever does.
 */
function bothWays(port: SerialPort): void {
  const poller = (port.port as unknown as { poller?: Poller } | undefined)?.poller;
  if (poller === undefined) return;
  const poll = poller.poll.bind(poller);
  poller.poll = (events) => {
    const reads = poller.listenerCount("readable") > 0 ? readable : 0;
    const writes = poller.listenerCount("writable") > 0 ? writable : 0;
    poll(events | reads | writes);
  };
}

/** The open port. Rejects with a SerialError. */
export function openPort(serialport: SerialPackage, options: PortOptions): Promise<SerialPort> {
  const { path, speed, rtscts, backlogBytes } = options;
  const port = new serialport.SerialPort({
    ...{ path, baudRate: speed, rtscts, autoOpen: false },
    ...(backlogBytes === undefined ? {} : { highWaterMark: backlogBytes }),
  });
  port.on("open", () => bothWays(port)); // each time: an adapter that was unplugged is opened again
  return new Promise((resolve, reject) => {
    port.open((error) => (error === null ? resolve(port) : reject(explainSerial(error, path))));
  });
}
