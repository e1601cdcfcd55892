// A virtio device on PCI: what it is, and where its registers are. What is done with them is
// drivers/virtio/pci.ts.
//
// - Modern devices, and the modern side of transitional ones, which all of QEMU's are.
// - Every part must lie in a BAR that function.ts has found good, whole: offset and length are the
//   device's own words and may be anything.
// - Source: Virtual I/O Device (VIRTIO) 1.2, sections 4.1.2, 4.1.4.

import { Device } from "../virtio/device";
import { COMMON_BYTES } from "../virtio/pci";
import { PCI_DEVICE, PCI_SUBSYSTEM, PCI_VENDOR, pciLoad } from "./configuration";
import { barBase, barBytes, barFind, capabilityNext, messageTableOpen, pciEnable } from "./function";

const VENDOR: u32 = 0x1af4;
const TRANSITIONAL_FIRST: u32 = 0x1000;
const TRANSITIONAL_LAST: u32 = 0x103f;
const MODERN_FIRST: u32 = 0x1040;
const MODERN_LAST: u32 = 0x107f;
const CAPABILITY_VENDOR: u32 = 0x09;
const PART_COMMON: u32 = 1;
const PART_NOTIFICATIONS: u32 = 2;
const PART_INTERRUPT: u32 = 3;
const PART_CONFIGURATION: u32 = 4;

/** What kind of virtio device a function is (DEVICE_*); 0: none. */
export function virtioKind(pciFunction: u32): u32 {
  if (pciLoad(pciFunction, PCI_VENDOR, 2) != VENDOR) return 0;
  const device = pciLoad(pciFunction, PCI_DEVICE, 2);
  if (device >= MODERN_FIRST && device <= MODERN_LAST) return device - MODERN_FIRST;
  const transitional = device >= TRANSITIONAL_FIRST && device <= TRANSITIONAL_LAST;
  return transitional ? pciLoad(pciFunction, PCI_SUBSYSTEM, 2) : 0;
}

/** The capability of a part, of at least so many bytes: where the part is, in `found`. 0: nowhere. */
function part(pciFunction: u32, wanted: u32, least: u32): u32 {
  for (let at: u32 = 0, left = 16; left > 0; left--) {
    at = capabilityNext(pciFunction, CAPABILITY_VENDOR, at);
    if (at == 0 || at > 0xf0) return 0;
    if (pciLoad(pciFunction, at + 3, 1) != wanted) continue;
    const offset = pciLoad(pciFunction, at + 8, 4) as u64;
    const length = pciLoad(pciFunction, at + 12, 4);
    if (length < least || !barFind(pciFunction, pciLoad(pciFunction, at + 4, 1))) continue;
    if (offset + (length as u64) > barBytes || (offset & 3) != 0) continue;
    found = barBase + offset;
    foundBytes = length;
    return at;
  }
  return 0;
}

let found: u64 = 0;
let foundBytes: u32 = 0;

/** Finds the registers of the device and lets it work. False: they are not there, or where none may be. */
export function virtioLocate(device: Device, pciFunction: u32): bool {
  device.pci = true;
  device.modern = true;
  device.messages = false;
  if (part(pciFunction, PART_COMMON, COMMON_BYTES) == 0) return false;
  device.base = found;
  const notifications = part(pciFunction, PART_NOTIFICATIONS, 2);
  if (notifications == 0 || notifications > 0xec) return false;
  device.notifications = found;
  device.notificationBytes = foundBytes;
  device.notificationStep = pciLoad(pciFunction, notifications + 16, 4);
  if (part(pciFunction, PART_INTERRUPT, 1) == 0) return false;
  device.interrupt = found;
  device.configurationBytes = 0;
  if (part(pciFunction, PART_CONFIGURATION, 1) != 0) {
    device.configuration = found;
    device.configurationBytes = foundBytes;
  }
  pciEnable(pciFunction);
  return true;
}

/** Its interrupts become messages, where it has a table of them. */
export function virtioMessages(device: Device, pciFunction: u32, vector: u32): bool {
  device.messages = messageTableOpen(pciFunction, vector);
  return device.messages;
}
