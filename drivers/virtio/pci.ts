// The registers of a modern virtio device on PCI: the common configuration and the places for
// notifications, that drivers/pci/virtio.ts has found. transport.ts says in which order they are used.
//
// - Queues and the configuration share the first message of the device's MSI-X table, or have none and
//   are looked at from time to time.
// - Where the device wants notifications must be inside of what it has for them, or the queue is refused.
// - Source: Virtual I/O Device (VIRTIO) 1.2, section 4.1.

import { Device } from "./device";
import { physical, registerLoad, registerStore } from "./machine";
import { Ring, ringAvailable, ringUsed } from "./ring";

const DEVICE_FEATURES_SELECT: u64 = 0x00;
const DEVICE_FEATURES: u64 = 0x04;
const DRIVER_FEATURES_SELECT: u64 = 0x08;
const DRIVER_FEATURES: u64 = 0x0c;
const CONFIG_MESSAGE: u64 = 0x10;
const STATUS: u64 = 0x14;
const QUEUE_SELECT: u64 = 0x16;
const QUEUE_SIZE: u64 = 0x18;
const QUEUE_MESSAGE: u64 = 0x1a;
const QUEUE_ENABLE: u64 = 0x1c;
const QUEUE_NOTIFY: u64 = 0x1e;
const QUEUE_DESCRIPTORS: u64 = 0x20;
const QUEUE_DRIVER: u64 = 0x28;
const QUEUE_DEVICE: u64 = 0x30;
/** Bytes of the common configuration up to here. */
export const COMMON_BYTES: u32 = 0x38;
const NO_MESSAGE: u32 = 0xffff;

export function pciStatus(device: Device): u32 {
  return registerLoad(device.base + STATUS, 1);
}

export function pciSetStatus(device: Device, status: u32): void {
  registerStore(device.base + STATUS, 1, status);
}

export function pciFeatures(device: Device, word: u32): u32 {
  registerStore(device.base + DEVICE_FEATURES_SELECT, 4, word);
  return registerLoad(device.base + DEVICE_FEATURES, 4);
}

export function pciTakeFeatures(device: Device, word: u32, features: u32): void {
  registerStore(device.base + DRIVER_FEATURES_SELECT, 4, word);
  registerStore(device.base + DRIVER_FEATURES, 4, features);
}

/** The most descriptors that queue `index` may have, which it is about from here on. */
export function pciQueueMost(device: Device, index: u32): u32 {
  registerStore(device.base + QUEUE_SELECT, 2, index);
  return registerLoad(device.base + QUEUE_SIZE, 2);
}

function storeAddress(device: Device, register: u64, pointer: usize): void {
  const address = physical(pointer);
  registerStore(device.base + register, 4, address as u32);
  registerStore(device.base + register + 4, 4, (address >> 32) as u32);
}

/** The queue that pciQueueMost was about, `index`, is this ring. False: the device cannot have that. */
export function pciQueue(device: Device, index: u32, ring: Ring): bool {
  const base = device.base;
  const far = (registerLoad(base + QUEUE_NOTIFY, 2) as u64) * (device.notificationStep as u64);
  if (far + 2 > (device.notificationBytes as u64)) return false;
  const at = device.notifications + far;
  if (index == 0) device.notifyFirst = at;
  else device.notifySecond = at;
  registerStore(base + QUEUE_SIZE, 2, ring.size);
  registerStore(base + CONFIG_MESSAGE, 2, NO_MESSAGE);
  const message: u32 = device.messages ? 0 : NO_MESSAGE;
  registerStore(base + QUEUE_MESSAGE, 2, message);
  if (registerLoad(base + QUEUE_MESSAGE, 2) != message) return false; // it has no room for it
  storeAddress(device, QUEUE_DESCRIPTORS, ring.memory);
  storeAddress(device, QUEUE_DRIVER, ringAvailable(ring));
  storeAddress(device, QUEUE_DEVICE, ringUsed(ring));
  registerStore(base + QUEUE_ENABLE, 2, 1);
  return true;
}

export function pciNotify(device: Device, queue: u32): void {
  registerStore(queue == 0 ? device.notifyFirst : device.notifySecond, 2, queue);
}

/** Reading takes the interrupt back; messages need no taking back. */
export function pciAcknowledge(device: Device): void {
  if (!device.messages) registerLoad(device.interrupt, 1);
}

/** A byte of the device's own configuration; 0 past its end. */
export function pciConfiguration(device: Device, at: u32): u32 {
  return at < device.configurationBytes ? registerLoad(device.configuration + (at as u64), 1) : 0;
}
