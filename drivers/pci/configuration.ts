// PCI's configuration space by mechanism 1 (ports 0xcf8, 0xcfc), and the walk over all buses.
//
// - A function is a number: bus << 16 | device << 11 | function << 8, what the address port takes.
// - The walk follows bridges from bus 0 and sees a bus once, whatever the bridges say: it ends.
// - What a device says of itself is believed by nobody here: BARs and capabilities are function.ts.
// - Source: PCI Local Bus Specification 3.0, 3.2.2.3, 6.1, 6.2; PCI-to-PCI Bridge Architecture 1.2, 3.2.

import { portIn, portOut } from "../virtio/machine";

const ADDRESS_PORT: u32 = 0xcf8;
const DATA_PORT: u32 = 0xcfc;
const ENABLE: u32 = 0x80000000;
const NOBODY: u32 = 0xffff;

export const PCI_VENDOR: u32 = 0x00;
export const PCI_DEVICE: u32 = 0x02;
export const PCI_COMMAND: u32 = 0x04;
export const PCI_STATUS: u32 = 0x06;
export const PCI_HEADER: u32 = 0x0e;
export const PCI_SUBSYSTEM: u32 = 0x2e;
const PCI_CLASS: u32 = 0x0a;
const PCI_SECONDARY_BUS: u32 = 0x19;
const CLASS_BRIDGE: u32 = 0x0604;
const MANY_FUNCTIONS: u32 = 0x80;
/** Functions that one walk looks at. */
const FUNCTIONS_MOST: u32 = 4096;

/** Is there such a bus? Its address port keeps what is written to it. */
export function pciPresent(): bool {
  portOut(ADDRESS_PORT, 4, ENABLE);
  const there = portIn(ADDRESS_PORT, 4) == ENABLE;
  portOut(ADDRESS_PORT, 4, 0);
  return there;
}

/** A field of 1, 2 or 4 bytes, aligned to its size; all ones where nobody is. */
export function pciLoad(pciFunction: u32, at: u32, bytes: u32): u32 {
  portOut(ADDRESS_PORT, 4, ENABLE | pciFunction | (at & 0xfc));
  return portIn(DATA_PORT + (at & 3), bytes);
}

export function pciStore(pciFunction: u32, at: u32, bytes: u32, value: u32): void {
  portOut(ADDRESS_PORT, 4, ENABLE | pciFunction | (at & 0xfc));
  portOut(DATA_PORT + (at & 3), bytes, value);
}

type Visit = (pciFunction: u32) => void;

const seen = memory.data(256, 8);
const waiting = memory.data(256, 8);

/** Calls `visit` for each function of the machine, at most FUNCTIONS_MOST. */
export function pciWalk(visit: Visit): void {
  memory.fill(seen, 0, 256);
  store<u8>(waiting, 0);
  store<u8>(seen, 1);
  let buses: u32 = 1;
  let left = FUNCTIONS_MOST;
  for (let next: u32 = 0; next < buses; next++) {
    const bus = load<u8>(waiting + (next as usize)) as u32;
    for (let device: u32 = 0; device < 32; device++) {
      const first = (bus << 16) | (device << 11);
      if (pciLoad(first, PCI_VENDOR, 2) == NOBODY) continue;
      const functions: u32 = (pciLoad(first, PCI_HEADER, 1) & MANY_FUNCTIONS) != 0 ? 8 : 1;
      for (let number: u32 = 0; number < functions; number++) {
        const pciFunction = first | (number << 8);
        if (pciLoad(pciFunction, PCI_VENDOR, 2) == NOBODY) continue;
        if (left == 0) return;
        left--;
        visit(pciFunction);
        if (pciLoad(pciFunction, PCI_CLASS, 2) != CLASS_BRIDGE) continue;
        const behind = pciLoad(pciFunction, PCI_SECONDARY_BUS, 1);
        if (load<u8>(seen + (behind as usize)) != 0) continue;
        store<u8>(seen + (behind as usize), 1);
        store<u8>(waiting + (buses as usize), behind as u8);
        buses++;
      }
    }
  }
}
