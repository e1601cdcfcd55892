// Opens a serial port with the package serialport: raw bytes, 8N1.
//
// - One program has it: serialport locks the port.
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

/** The open port. Rejects with a SerialError. */
export function openPort(serialport: SerialPackage, options: PortOptions): Promise<SerialPort> {
  const { path, speed, rtscts, backlogBytes } = options;
  const port = new serialport.SerialPort({
    ...{ path, baudRate: speed, rtscts, autoOpen: false },
    ...(backlogBytes === undefined ? {} : { highWaterMark: backlogBytes }),
  });
  return new Promise((resolve, reject) => {
    port.open((error) => (error === null ? resolve(port) : reject(explainSerial(error, path))));
  });
}
