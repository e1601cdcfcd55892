// Where a virtio device's registers are, whatever bus it is on: what mmio.ts and pci.ts work with and
// transport.ts chooses between.
//
// - Memory-mapped (pci false): all registers are at `base`, in the layout of virtio-mmio.
// - PCI (pci true): `base` is the common configuration, the other parts are at addresses of their own;
//   who fills them in (drivers/pci/virtio.ts) has seen that they are within the device's own BARs.
// - A device has two queues at most.

export const QUEUES_MOST: u32 = 2;

@unmanaged
export class Device {
  base: u64;
  pci: bool;
  /** PCI: interrupts are messages (MSI-X), the first entry of its table. */
  messages: bool;
  /** Version 1.0 or later; PCI devices are always. */
  modern: bool;
  /** The first 32 feature bits that both sides have. */
  features: u32;
  /** PCI: where notifications go, how many bytes there are for them, and how far apart queues are. */
  notifications: u64;
  notificationBytes: u32;
  notificationStep: u32;
  notifyFirst: u64;
  notifySecond: u64;
  interrupt: u64;
  configuration: u64;
  configurationBytes: u32;
}
