// A 16550 serial port, polled: bytes out, bytes in. COM1, as every PC and QEMU machine has it.
//
// - uartPut waits for room a bounded time: a line that takes nothing costs bytes, never the machine.
// - Received bytes raise the port's interrupt, so that a sleeping machine wakes for them.
// - Source: National Semiconductor NS16550A data sheet.

import { portIn, portOut } from "../virtio/machine";

const COM1: u32 = 0x3f8;
const DATA: u32 = 0;
const INTERRUPTS: u32 = 1;
const FIFO: u32 = 2;
const LINE: u32 = 3;
const MODEM: u32 = 4;
const LINE_STATUS: u32 = 5;
const PATIENCE: i32 = 100000;

const RECEIVED: u32 = 0x01;
const ROOM: u32 = 0x20;
/** What a bus answers where nothing is. */
const NOBODY: u32 = 0xff;

/** 115200 bits a second, 8 bits, no parity; false: there is no port. */
export function uartOpen(): bool {
  if (portIn(COM1 + LINE_STATUS, 1) == NOBODY) return false;
  portOut(COM1 + LINE, 1, 0x80);
  portOut(COM1 + DATA, 1, 1);
  portOut(COM1 + INTERRUPTS, 1, 0);
  portOut(COM1 + LINE, 1, 0x03);
  portOut(COM1 + FIFO, 1, 0x07);
  portOut(COM1 + MODEM, 1, 0x0b); // with its interrupt let through
  portOut(COM1 + INTERRUPTS, 1, 1);
  return true;
}

export function uartPut(byte: u32): void {
  for (let left = PATIENCE; left > 0; left--) {
    if (portIn(COM1 + LINE_STATUS, 1) & ROOM) break;
  }
  portOut(COM1 + DATA, 1, byte);
}

/** The next byte that came; -1: none. */
export function uartGet(): i32 {
  const status = portIn(COM1 + LINE_STATUS, 1);
  return status != NOBODY && status & RECEIVED ? (portIn(COM1 + DATA, 1) as i32) : -1;
}
