// A virtio device: reset, features, queues, notification, interrupt, configuration, in the order that
// VIRTIO wants; on virtio-mmio (mmio.ts) or on PCI (pci.ts). What lies in the queues is ring.ts.
//
// - Order of setting up: openDevice (or beginDevice for one on PCI that is located already), negotiate,
//   openQueue for each queue, ready. Any step that the device refuses leaves it FAILED and answers false.
// - acknowledge() comes before looking at a ring: the line falls, and what is done after it raises
//   it again (an edge that nobody misses).
// - Source: Virtual I/O Device (VIRTIO) 1.2, sections 2.1, 2.7, 3.1.

import { Device, QUEUES_MOST } from "./device";
import { fence } from "./machine";
import {
  mmioAcknowledge,
  mmioConfiguration,
  mmioFeatures,
  mmioKind,
  mmioModern,
  mmioNotify,
  mmioQueue,
  mmioQueueMost,
  mmioSetStatus,
  mmioStatus,
  mmioTakeFeatures,
} from "./mmio";
import {
  pciAcknowledge,
  pciConfiguration,
  pciFeatures,
  pciNotify,
  pciQueue,
  pciQueueMost,
  pciSetStatus,
  pciStatus,
  pciTakeFeatures,
} from "./pci";
import { Ring, ringOpen } from "./ring";

export { Device } from "./device";

export const DEVICE_NET: u32 = 1;
export const DEVICE_BLOCK: u32 = 2;
export const DEVICE_ENTROPY: u32 = 4;

const STATUS_ACKNOWLEDGE: u32 = 1;
const STATUS_DRIVER: u32 = 2;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_FAILED: u32 = 128;
/** Looks at a device that is resetting before it is given up. */
const PATIENCE: u32 = 10000;

/** Bit 0 of the second word of features: the device is not a legacy one. */
const FEATURE_VERSION_1: u32 = 1;

/** What kind of device is behind the memory-mapped registers at `base` (DEVICE_*); 0: none. */
export function deviceKind(base: u64): u32 {
  return mmioKind(base);
}

function status(device: Device): u32 {
  return device.pci ? pciStatus(device) : mmioStatus(device);
}

function setStatus(device: Device, bits: u32): void {
  if (device.pci) pciSetStatus(device, bits);
  else mmioSetStatus(device, bits);
}

function addStatus(device: Device, bit: u32): void {
  setStatus(device, status(device) | bit);
}

function failed(device: Device): bool {
  addStatus(device, STATUS_FAILED);
  return false;
}

/** Says that the device is behind the memory-mapped registers at `base`. */
export function locateDevice(device: Device, base: u64): void {
  device.base = base;
  device.pci = false;
  device.modern = mmioModern(base);
}

/** Resets a device that is located and says that there is a driver. */
export function beginDevice(device: Device): void {
  setStatus(device, 0);
  if (device.pci) for (let left = PATIENCE; left > 0 && status(device) != 0; left--) fence();
  addStatus(device, STATUS_ACKNOWLEDGE);
  addStatus(device, STATUS_DRIVER);
}

/** Both, for a device behind memory-mapped registers. */
export function openDevice(device: Device, base: u64): void {
  locateDevice(device, base);
  beginDevice(device);
}

function features(device: Device, word: u32): u32 {
  return device.pci ? pciFeatures(device, word) : mmioFeatures(device, word);
}

function takeFeatures(device: Device, word: u32, taken: u32): void {
  if (device.pci) pciTakeFeatures(device, word, taken);
  else mmioTakeFeatures(device, word, taken);
}

/** Takes those of the wanted features that the device has. */
export function negotiate(device: Device, wanted: u32): bool {
  device.features = features(device, 0) & wanted;
  takeFeatures(device, 0, device.features);
  if (!device.modern) return true;
  if ((features(device, 1) & FEATURE_VERSION_1) == 0) return failed(device);
  takeFeatures(device, 1, FEATURE_VERSION_1);
  addStatus(device, STATUS_FEATURES_OK);
  return (status(device) & STATUS_FEATURES_OK) != 0 ? true : failed(device);
}

/** Gives the device queue `index` with `size` descriptors, in memory of ringBytes(size). */
export function openQueue(device: Device, index: u32, ring: Ring, memory: usize, size: u32): bool {
  if (index >= QUEUES_MOST) return failed(device);
  const most = device.pci ? pciQueueMost(device, index) : mmioQueueMost(device, index);
  if (most < size) return failed(device);
  ringOpen(ring, memory, size);
  if (!device.pci) mmioQueue(device, ring);
  else if (!pciQueue(device, index, ring)) return failed(device);
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
  if (device.pci) pciNotify(device, queue);
  else mmioNotify(device, queue);
}

/** Takes back the interrupt, when there is one. */
export function acknowledge(device: Device): void {
  if (device.pci) pciAcknowledge(device);
  else mmioAcknowledge(device);
}

/** A byte of the configuration of the device behind the memory-mapped registers at `base`. */
export function configurationAt(base: u64, at: u32): u32 {
  return mmioConfiguration(base, at);
}

/** A byte of the configuration of a device that is located. */
export function configuration(device: Device, at: u32): u32 {
  return device.pci ? pciConfiguration(device, at) : mmioConfiguration(device.base, at);
}
