// A function of a PCI device: its BARs, its capabilities, its interrupts as messages.
//
// - What a device says of its place is checked before anything is written there: a BAR is taken only
//   when it lies behind the machine's memory and before the interrupt controllers, or far above them
//   (where UEFI firmware puts 64-bit ones), so that no register of a device is ever a place in memory,
//   whatever the device claims.
// - Interrupts are messages (MSI, MSI-X) to the processor that runs this: an edge with a vector, no
//   line, no controller in between. A device that has neither is looked at from time to time.
// - A list of capabilities is followed for as long as one can be, and no longer.
// - Source: PCI Local Bus Specification 3.0, 6.2.5, 6.7, 6.8; Intel SDM volume 3, 10.11.

import { physical, registerLoad, registerStore } from "../virtio/machine";
import { PCI_COMMAND, PCI_HEADER, PCI_STATUS, pciLoad, pciStore } from "./configuration";

const COMMAND_MEMORY: u32 = 2;
const COMMAND_MASTER: u32 = 4;
const COMMAND_NO_LINE: u32 = 0x400;
const HAS_CAPABILITIES: u32 = 0x10;
const CAPABILITIES: u32 = 0x34;
const CAPABILITY_MSI: u32 = 0x05;
const CAPABILITY_MSIX: u32 = 0x11;
/** As many as fit between the header and the end of 256 bytes. */
const CAPABILITIES_MOST: u32 = 48;
const BARS: u32 = 6;
const BAR_FIRST: u32 = 0x10;
/** Registers lie below; there are the interrupt controllers and the firmware. */
const REGISTERS_END: u64 = 0xfec00000;
/** Registers far above: as far as addresses go. The shim maps what the processor can reach of it. */
const FAR_BEGIN: u64 = 0x100000000;
const FAR_END: u64 = 0x10000000000000;
const LOCAL_APIC_ID: u64 = 0xfee00020;
const MESSAGE_ADDRESS: u32 = 0xfee00000;

/** Of the BAR that barFind found. */
export let barBase: u64 = 0;
export let barBytes: u64 = 0;

/** May registers be there? Not in memory, not where the interrupt controllers are. */
export function isRegisterPlace(base: u64, bytes: u64): bool {
  const memoryEnd = physical(0) + ((memory.size() as u64) << 16);
  if (bytes == 0 || base < memoryEnd) return false;
  const end = base < FAR_BEGIN ? REGISTERS_END : FAR_END;
  return base < end && bytes <= end - base;
}

/** Finds BAR `index`, of memory; false: there is none, or it is where none may be. */
export function barFind(pciFunction: u32, index: u32): bool {
  if (index >= BARS || (pciLoad(pciFunction, PCI_HEADER, 1) & 0x7f) != 0) return false;
  const at = BAR_FIRST + 4 * index;
  const low = pciLoad(pciFunction, at, 4);
  const wide = (low & 6) == 4;
  if ((low & 1) != 0 || (wide && index == BARS - 1)) return false;
  const high = wide ? pciLoad(pciFunction, at + 4, 4) : 0;
  const command = pciLoad(pciFunction, PCI_COMMAND, 2);
  pciStore(pciFunction, PCI_COMMAND, 2, command & ~(COMMAND_MEMORY | 1));
  pciStore(pciFunction, at, 4, 0xffffffff);
  const mask = pciLoad(pciFunction, at, 4) & ~15;
  pciStore(pciFunction, at, 4, low);
  pciStore(pciFunction, PCI_COMMAND, 2, command);
  barBase = ((high as u64) << 32) | ((low & ~15) as u64);
  barBytes = mask == 0 ? 0 : ((~mask + 1) as u64);
  return isRegisterPlace(barBase, barBytes);
}

/** Lets the function answer at its BARs and reach memory; its interrupt line stays silent. */
export function pciEnable(pciFunction: u32): void {
  const command = pciLoad(pciFunction, PCI_COMMAND, 2);
  pciStore(pciFunction, PCI_COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_LINE);
}

/** The next capability of a kind behind the one at `after` (0: from the first); 0: there is none. */
export function capabilityNext(pciFunction: u32, kind: u32, after: u32): u32 {
  if ((pciLoad(pciFunction, PCI_STATUS, 2) & HAS_CAPABILITIES) == 0) return 0;
  let at = pciLoad(pciFunction, after == 0 ? CAPABILITIES : after + 1, 1) & 0xfc;
  for (let left = CAPABILITIES_MOST; left > 0 && at >= 0x40; left--) {
    if (pciLoad(pciFunction, at, 1) == kind) return at;
    at = pciLoad(pciFunction, at + 1, 1) & 0xfc;
  }
  return 0;
}

function messageAddress(): u32 {
  return MESSAGE_ADDRESS | ((registerLoad(LOCAL_APIC_ID, 4) >> 24) << 12);
}

/** Sends the function's interrupts as message `vector`, by MSI. False: it has none. */
export function messagesOpen(pciFunction: u32, vector: u32): bool {
  const at = capabilityNext(pciFunction, CAPABILITY_MSI, 0);
  if (at == 0 || at > 0xf0) return false;
  const control = pciLoad(pciFunction, at + 2, 2);
  const wide = (control & 0x80) != 0;
  pciStore(pciFunction, at + 4, 4, messageAddress());
  if (wide) pciStore(pciFunction, at + 8, 4, 0);
  pciStore(pciFunction, at + (wide ? 12 : 8), 2, vector);
  pciStore(pciFunction, at + 2, 2, (control & ~0x70) | 1); // one message
  return true;
}

/** Makes entry 0 of the function's MSI-X table message `vector`. False: it has no table, or a bad one. */
export function messageTableOpen(pciFunction: u32, vector: u32): bool {
  const at = capabilityNext(pciFunction, CAPABILITY_MSIX, 0);
  if (at == 0 || at > 0xf4) return false;
  const place = pciLoad(pciFunction, at + 4, 4);
  if (!barFind(pciFunction, place & 7)) return false;
  const offset = (place & ~7) as u64;
  if (offset + 16 > barBytes) return false;
  pciEnable(pciFunction);
  const control = pciLoad(pciFunction, at + 2, 2) & 0x3fff;
  pciStore(pciFunction, at + 2, 2, control | 0xc000); // on, all of them held back
  const entry = barBase + offset;
  registerStore(entry, 4, messageAddress());
  registerStore(entry + 4, 4, 0);
  registerStore(entry + 8, 4, vector);
  registerStore(entry + 12, 4, 0);
  pciStore(pciFunction, at + 2, 2, control | 0x8000);
  return true;
}
