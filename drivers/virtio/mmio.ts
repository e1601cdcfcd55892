// The registers of a virtio device behind memory-mapped registers (virtio-mmio, as in QEMU's microvm),
// legacy (version 1) or modern (version 2). transport.ts says in which order they are used.
//
// - Every function takes a device that is there: mmioKind has said so.
// - Source: Virtual I/O Device (VIRTIO) 1.2, section 4.2.

import { Device } from "./device";
import { physical, registerLoad, registerStore } from "./machine";
import { Ring, RING_ALIGN, ringAvailable, ringUsed } from "./ring";

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

/** What kind of device is behind the registers at `base` (DEVICE_*); 0: none. */
export function mmioKind(base: u64): u32 {
  if (registerLoad(base + REG_MAGIC, 4) != MAGIC) return 0;
  const version = registerLoad(base + REG_VERSION, 4);
  return version == 1 || version == 2 ? registerLoad(base + REG_DEVICE, 4) : 0;
}

export function mmioModern(base: u64): bool {
  return registerLoad(base + REG_VERSION, 4) == 2;
}

export function mmioStatus(device: Device): u32 {
  return registerLoad(device.base + REG_STATUS, 4);
}

export function mmioSetStatus(device: Device, status: u32): void {
  registerStore(device.base + REG_STATUS, 4, status);
}

export function mmioFeatures(device: Device, word: u32): u32 {
  registerStore(device.base + REG_DEVICE_FEATURES_SELECT, 4, word);
  return registerLoad(device.base + REG_DEVICE_FEATURES, 4);
}

export function mmioTakeFeatures(device: Device, word: u32, features: u32): void {
  registerStore(device.base + REG_DRIVER_FEATURES_SELECT, 4, word);
  registerStore(device.base + REG_DRIVER_FEATURES, 4, features);
  if (!device.modern) registerStore(device.base + REG_GUEST_PAGE, 4, RING_ALIGN as u32);
}

/** The most descriptors that queue `index` may have, which it is about from here on. */
export function mmioQueueMost(device: Device, index: u32): u32 {
  registerStore(device.base + REG_QUEUE_SELECT, 4, index);
  return registerLoad(device.base + REG_QUEUE_MAX, 4);
}

function storeAddress(device: Device, register: u64, pointer: usize): void {
  const address = physical(pointer);
  registerStore(device.base + register, 4, address as u32);
  registerStore(device.base + register + 4, 4, (address >> 32) as u32);
}

/** The queue that mmioQueueMost was about is this ring. */
export function mmioQueue(device: Device, ring: Ring): void {
  const base = device.base;
  registerStore(base + REG_QUEUE_SIZE, 4, ring.size);
  if (device.modern) {
    storeAddress(device, REG_QUEUE_DESCRIPTORS, ring.memory);
    storeAddress(device, REG_QUEUE_DRIVER, ringAvailable(ring));
    storeAddress(device, REG_QUEUE_DEVICE, ringUsed(ring));
    registerStore(base + REG_QUEUE_READY, 4, 1);
  } else {
    registerStore(base + REG_QUEUE_ALIGN, 4, RING_ALIGN as u32);
    registerStore(base + REG_QUEUE_PAGE, 4, (physical(ring.memory) / RING_ALIGN) as u32);
  }
}

export function mmioNotify(device: Device, queue: u32): void {
  registerStore(device.base + REG_NOTIFY, 4, queue);
}

export function mmioAcknowledge(device: Device): void {
  const pending = registerLoad(device.base + REG_INTERRUPT, 4);
  if (pending != 0) registerStore(device.base + REG_INTERRUPT_ACK, 4, pending);
}

export function mmioConfiguration(base: u64, at: u32): u32 {
  return registerLoad(base + REG_CONFIG + (at as u64), 1);
}
