// A virtio device's registers: reset, features, queues, notification, interrupt, configuration;
// behind memory-mapped registers (virtio-mmio, as in QEMU's microvm), legacy (version 1) or modern
// (version 2). What lies in the queues is ring.ts.
//
// - Order of setting up: openDevice, negotiate, openQueue for each queue, ready. Any step that the
//   device refuses leaves it FAILED and answers false.
// - acknowledge() comes before looking at a ring: the line falls, and what is done after it raises
//   it again (an edge that nobody misses).
// - Source: Virtual I/O Device (VIRTIO) 1.2, sections 2.1, 2.7, 3.1, 4.2.

import { fence, physical, registerLoad, registerStore } from "./machine";
import { Ring, RING_ALIGN, ringAvailable, ringOpen, ringUsed } from "./ring";

export const DEVICE_NET: u32 = 1;
export const DEVICE_BLOCK: u32 = 2;

const MAGIC: u32 = 0x74726976; // virt
const REG_MAGIC: u64 = 0x00;
const REG_VERSION: u64 = 0x04;
const REG_DEVICE: u64 = 0x08;
const REG_DEVICE_FEATURES: u64 = 0x10;
const REG_DEVICE_FEATURES_SELECT: u64 = 0x14;
const REG_DRIVER_FEATURES: u64 = 0x20;
const REG_DRIVER_FEATURES_SELECT: u64 = 0x24;
const REG_GUEST_PAGE: u64 = 0x28; // legacy
const REG_QUEUE_SELECT: u64 = 0x30;
const REG_QUEUE_MAX: u64 = 0x34;
const REG_QUEUE_SIZE: u64 = 0x38;
const REG_QUEUE_ALIGN: u64 = 0x3c; // legacy
const REG_QUEUE_PAGE: u64 = 0x40; // legacy
const REG_QUEUE_READY: u64 = 0x44;
const REG_NOTIFY: u64 = 0x50;
const REG_INTERRUPT: u64 = 0x60;
const REG_INTERRUPT_ACK: u64 = 0x64;
const REG_STATUS: u64 = 0x70;
const REG_QUEUE_DESCRIPTORS: u64 = 0x80;
const REG_QUEUE_DRIVER: u64 = 0x90;
const REG_QUEUE_DEVICE: u64 = 0xa0;
const REG_CONFIG: u64 = 0x100;

const STATUS_ACKNOWLEDGE: u32 = 1;
const STATUS_DRIVER: u32 = 2;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_FAILED: u32 = 128;

/** Bit 0 of the second word of features: the device is not a legacy one. */
const FEATURE_VERSION_1: u32 = 1;

@unmanaged
export class Device {
  base: u64;
  modern: bool;
  /** The first 32 feature bits that both sides have. */
  features: u32;
}

/** What kind of device is behind the registers at `base` (DEVICE_*); 0: none. */
export function deviceKind(base: u64): u32 {
  if (registerLoad(base + REG_MAGIC, 4) != MAGIC) return 0;
  const version = registerLoad(base + REG_VERSION, 4);
  return version == 1 || version == 2 ? registerLoad(base + REG_DEVICE, 4) : 0;
}

function addStatus(device: Device, bit: u32): void {
  registerStore(device.base + REG_STATUS, 4, registerLoad(device.base + REG_STATUS, 4) | bit);
}

function failed(device: Device): bool {
  addStatus(device, STATUS_FAILED);
  return false;
}

/** Resets the device and says that there is a driver. */
export function openDevice(device: Device, base: u64): void {
  device.base = base;
  device.modern = registerLoad(base + REG_VERSION, 4) == 2;
  registerStore(base + REG_STATUS, 4, 0);
  addStatus(device, STATUS_ACKNOWLEDGE);
  addStatus(device, STATUS_DRIVER);
}

/** Takes those of the wanted features that the device has. */
export function negotiate(device: Device, wanted: u32): bool {
  const base = device.base;
  registerStore(base + REG_DEVICE_FEATURES_SELECT, 4, 0);
  device.features = registerLoad(base + REG_DEVICE_FEATURES, 4) & wanted;
  registerStore(base + REG_DRIVER_FEATURES_SELECT, 4, 0);
  registerStore(base + REG_DRIVER_FEATURES, 4, device.features);
  if (!device.modern) {
    registerStore(base + REG_GUEST_PAGE, 4, RING_ALIGN as u32);
    return true;
  }
  registerStore(base + REG_DEVICE_FEATURES_SELECT, 4, 1);
  if ((registerLoad(base + REG_DEVICE_FEATURES, 4) & FEATURE_VERSION_1) == 0) return failed(device);
  registerStore(base + REG_DRIVER_FEATURES_SELECT, 4, 1);
  registerStore(base + REG_DRIVER_FEATURES, 4, FEATURE_VERSION_1);
  addStatus(device, STATUS_FEATURES_OK);
  const accepted = (registerLoad(base + REG_STATUS, 4) & STATUS_FEATURES_OK) != 0;
  return accepted ? true : failed(device);
}

function storeAddress(device: Device, register: u64, pointer: usize): void {
  const address = physical(pointer);
  registerStore(device.base + register, 4, address as u32);
  registerStore(device.base + register + 4, 4, (address >> 32) as u32);
}

/** Gives the device queue `index` with `size` descriptors, in memory of ringBytes(size). */
export function openQueue(device: Device, index: u32, ring: Ring, memory: usize, size: u32): bool {
  const base = device.base;
  registerStore(base + REG_QUEUE_SELECT, 4, index);
  if (registerLoad(base + REG_QUEUE_MAX, 4) < size) return failed(device);
  ringOpen(ring, memory, size);
  registerStore(base + REG_QUEUE_SIZE, 4, size);
  if (device.modern) {
    storeAddress(device, REG_QUEUE_DESCRIPTORS, memory);
    storeAddress(device, REG_QUEUE_DRIVER, ringAvailable(ring));
    storeAddress(device, REG_QUEUE_DEVICE, ringUsed(ring));
    registerStore(base + REG_QUEUE_READY, 4, 1);
  } else {
    registerStore(base + REG_QUEUE_ALIGN, 4, RING_ALIGN as u32);
    registerStore(base + REG_QUEUE_PAGE, 4, (physical(memory) / RING_ALIGN) as u32);
  }
  return true;
}

/** From here on the device works. */
export function ready(device: Device): void {
  fence();
  addStatus(device, STATUS_DRIVER_OK);
}

/** Tells the device that there is something new in a queue. */
export function notify(device: Device, queue: u32): void {
  fence();
  registerStore(device.base + REG_NOTIFY, 4, queue);
}

/** Takes back the interrupt, when there is one. */
export function acknowledge(device: Device): void {
  const pending = registerLoad(device.base + REG_INTERRUPT, 4);
  if (pending != 0) registerStore(device.base + REG_INTERRUPT_ACK, 4, pending);
}

/** A byte of the configuration of the device behind the registers at `base`. */
export function configurationAt(base: u64, at: u32): u32 {
  return registerLoad(base + REG_CONFIG + (at as u64), 1);
}
