// The devices of the machine, found once at boot before anything else: on PCI where there is one, else
// in the places where QEMU's microvm has virtio's memory-mapped registers.
//
// - Where there is PCI nobody looks at microvm's places: registers of other devices lie there, and
//   reading one may do something.
// - On microvm a device's interrupt is a pin of the second I/O APIC, an edge (the place is the pin); on
//   PCI it is a message. The serial port's is pin 4 of the first, on both.
// - A device without an interrupt makes the machine look from time to time: `polled`.
// - Source: QEMU docs/system/i386/microvm; Intel 82093AA data sheet (I/O APIC).

import { E1000E_REGISTERS, e1000eMac } from "../../drivers/e1000e/card";
import { PCI_DEVICE, PCI_VENDOR, pciLoad, pciPresent, pciWalk } from "../../drivers/pci/configuration";
import { barBase, barBytes, barFind, messagesOpen, pciEnable } from "../../drivers/pci/function";
import { virtioKind, virtioLocate, virtioMessages } from "../../drivers/pci/virtio";
import { registerStore } from "../../drivers/virtio/machine";
import { configuration, DEVICE_NET, Device, deviceKind, locateDevice } from "../../drivers/virtio/transport";

/** Beside virtio's own kinds (DEVICE_*): Intel's 82574L. */
export const DEVICE_E1000E: u32 = 0x100;

const DEVICES_MOST: u32 = 32;
const PLACES: u32 = 24;
const PLACE_BASE: u64 = 0xfeb00000;
const PLACE_BYTES: u64 = 512;
const IO_APIC: u64 = 0xfec00000;
const IO_APIC_SECOND: u64 = 0xfec10000;
const IO_APIC_PINS: u32 = 24;
const IO_APIC_TABLE: u32 = 0x10;
const VECTOR: u32 = 0x30;
const SERIAL_PIN: u32 = 4;
const INTEL: u32 = 0x8086;
const INTEL_82574L: u32 = 0x10d3;

@unmanaged
export class Found {
  /** DEVICE_*. */
  kind: u32;
  pci: bool;
  /** The function on PCI, else the place of microvm. */
  place: u32;
  /** Where a card's registers are; 0: virtio, or where none may be. */
  base: u64;
  /** Of a network card: its address, the bytes in their order; 0: it cannot be used. */
  mac: u64;
}

const table = memory.data(offsetof<Found>() * 32, 8);
const asked = memory.data(offsetof<Device>(), 8);
/** How many devices were found. */
export let devices: u32 = 0;
/** Some device in use has no interrupt. */
export let polled: bool = false;

export function foundAt(index: u32): Found {
  return changetype<Found>(table + offsetof<Found>() * (index as usize));
}

function add(kind: u32, pci: bool, place: u32): void {
  if (devices == DEVICES_MOST) return;
  const found = foundAt(devices);
  devices++;
  found.kind = kind;
  found.pci = pci;
  found.place = place;
  found.mac = 0;
  if (kind == DEVICE_NET) found.mac = virtioMac(found);
  if (kind != DEVICE_E1000E || !barFind(place, 0) || barBytes < E1000E_REGISTERS) return;
  found.base = barBase;
  pciEnable(place);
  found.mac = e1000eMac(barBase);
}

function virtioMac(found: Found): u64 {
  const device = changetype<Device>(asked);
  if (!locate(device, found)) return 0;
  let mac: u64 = 0;
  for (let i: u32 = 0; i < 6; i++) mac |= (configuration(device, i) as u64) << ((8 * i) as u64);
  return mac;
}

function placeBase(place: u32): u64 {
  return PLACE_BASE + PLACE_BYTES * (place as u64);
}

function visit(pciFunction: u32): void {
  const kind = virtioKind(pciFunction);
  if (kind != 0) add(kind, true, pciFunction);
  else if (
    pciLoad(pciFunction, PCI_VENDOR, 2) == INTEL &&
    pciLoad(pciFunction, PCI_DEVICE, 2) == INTEL_82574L
  )
    add(DEVICE_E1000E, true, pciFunction);
}

/** Finds what there is. */
export function devicesScan(): void {
  openPin(IO_APIC, SERIAL_PIN);
  if (pciPresent()) {
    pciWalk(visit);
    return;
  }
  for (let place: u32 = 0; place < PLACES; place++) {
    const kind = deviceKind(placeBase(place));
    if (kind != 0) add(kind, false, place);
  }
}

/** Lets a pin's interrupts through to the processor, as edges. */
function openPin(controller: u64, pin: u32): void {
  if (pin >= IO_APIC_PINS) return;
  registerStore(controller, 4, IO_APIC_TABLE + 2 * pin + 1);
  registerStore(controller + 0x10, 4, 0);
  registerStore(controller, 4, IO_APIC_TABLE + 2 * pin);
  registerStore(controller + 0x10, 4, VECTOR);
}

/** Finds the registers of a virtio device. False: they are where none may be. */
export function locate(device: Device, found: Found): bool {
  if (found.pci) return virtioLocate(device, found.place);
  locateDevice(device, placeBase(found.place));
  return true;
}

/** Has a virtio device wake the processor, when `locate` found it and before its queues are set up. */
export function wakeBy(device: Device, found: Found): void {
  if (!found.pci) openPin(IO_APIC_SECOND, found.place);
  else if (!virtioMessages(device, found.place, VECTOR)) polled = true;
}

/** The same for a card that is no virtio device. */
export function wakeByCard(found: Found): void {
  if (!messagesOpen(found.place, VECTOR)) polled = true;
}
