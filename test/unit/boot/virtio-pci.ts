// Models of virtio devices on PCI: a network card and a source of random bytes, by VIRTIO 1.2, 4.1.
//
// - The queues and what is behind them are those of the model on virtio-mmio; here are the places of
//   the common configuration, of notifications and of the interrupt, and the messages' table.
// - `parts` may be bent by a test: offsets, lengths and BARs are what the device says they are.

import type { NetDevice } from "./net-device.js";
import { PciFunction, u32 } from "./pci-bus.js";

export const registersAt = 0xfe000000;

export interface Part {
  readonly kind: number;
  bar: number;
  offset: number;
  length: number;
}

export const goodParts = (): Part[] => [
  { kind: 1, bar: 4, offset: 0x0000, length: 0x38 },
  { kind: 3, bar: 4, offset: 0x1000, length: 1 },
  { kind: 4, bar: 4, offset: 0x2000, length: 20 },
  { kind: 2, bar: 4, offset: 0x3000, length: 0x1000 },
];

/** What a virtio-mmio register of the model is called in the common configuration. */
const names = new Map([
  [0x00, 0x14],
  [0x08, 0x24],
  [0x0c, 0x20],
  [0x14, 0x70],
  [0x16, 0x30],
  [0x18, 0x38],
  ...[0x20, 0x24, 0x28, 0x2c, 0x30, 0x34].map((at): [number, number] => [
    at,
    0x80 + ((at - 0x20) >> 3) * 0x10 + (at & 4),
  ]),
]);

interface Options {
  readonly parts?: readonly Part[];
  readonly base?: number;
  /** Bytes between the places of notifications. */
  readonly step?: number;
  readonly transitional?: boolean;
  readonly messages?: boolean;
  /** Where in its BAR the table of messages begins. */
  readonly table?: number;
}

/** The model of a network card as a function of a PCI bus. */
export function virtioPci(device: NetDevice, options: Options = {}): PciFunction {
  const {
    parts = goodParts(),
    base = registersAt,
    step = 4,
    transitional = false,
    messages = true,
  } = options;
  const { table = 0x800 } = options;
  const registers = new Map<number, number>();
  return new PciFunction({
    vendor: 0x1af4,
    device: transitional ? 0x1000 : 0x1041,
    subsystem: 1,
    bars: [
      { base: 0, bytes: 0 },
      { base: registersAt + 0x10000, bytes: 0x1000 },
      { base: 0, bytes: 0 },
      { base: 0, bytes: 0 },
      { base, bytes: 0x4000, wide: true },
      { base: 0, bytes: 0 },
    ],
    capabilities: [
      ...(messages ? [[0x11, 1, 0, ...u32(table | 1), ...u32(1)]] : []),
      ...parts.map(({ kind, bar, offset, length }) => [
        ...[0x09, kind === 2 ? 20 : 16, kind, bar, 0, 0, 0],
        ...[...u32(offset), ...u32(length), ...(kind === 2 ? u32(step) : [])],
      ]),
    ],
    load: (bar, at, bytes) => {
      if (bar !== 4) return 0;
      if (at >= 0x2000) return device.load(0x100 + at - 0x2000, bytes);
      if (at === 0x04) return device.load(0x10, 4);
      if (at === 0x18) return device.load(0x34, 4);
      if (at === 0x1e) return registers.get(0x16) ?? 0;
      if (at === 0x14) return device.load(0x70, 4) & 0xff;
      return registers.get(at) ?? 0;
    },
    store: (bar, at, _bytes, value) => {
      if (bar !== 4) return;
      registers.set(at, value);
      if (at >= 0x3000) device.store(0x50, value);
      else if (at === 0x1c) device.store(0x44, 1);
      else if (at === 0x00 || names.has(at)) device.store(names.get(at) ?? 0, value);
    },
    receive: () => device.receive(),
  });
}

/** A source of random bytes: one queue; `answers` fills a buffer and says how many bytes it claims. */
export function rngPci(
  memory: WebAssembly.Memory,
  physicalBase: number,
  answers: (at: Uint8Array) => number,
) {
  const registers = new Map<number, number>();
  let seen = 0;
  const place = (at: number): number => (registers.get(at) ?? 0) - physicalBase;
  const serve = (): void => {
    const view = new DataView(memory.buffer);
    const [descriptors, available, used] = [place(0x20), place(0x28), place(0x30)];
    const size = registers.get(0x18) ?? 1;
    while (seen !== view.getUint16(available + 2, true)) {
      const head = view.getUint16(available + 4 + 2 * (seen % size), true);
      const at = Number(view.getBigUint64(descriptors + 16 * head, true)) - physicalBase;
      const length = view.getUint32(descriptors + 16 * head + 8, true);
      view.setUint32(used + 4 + 8 * (seen % size), head, true);
      view.setUint32(used + 8 + 8 * (seen % size), answers(new Uint8Array(memory.buffer, at, length)), true);
      seen = (seen + 1) & 0xffff;
      view.setUint16(used + 2, seen, true);
    }
  };
  return new PciFunction({
    vendor: 0x1af4,
    device: 0x1044,
    bars: [{ base: registersAt + 0x20000, bytes: 0x4000 }],
    capabilities: [1, 3, 2].map((kind, index) => [
      ...[0x09, kind === 2 ? 20 : 16, kind, 0, 0, 0, 0],
      ...[...u32(0x1000 * index), ...u32(0x100), ...(kind === 2 ? u32(4) : [])],
    ]),
    load: (_bar, at) => {
      if (at === 0x04) return (registers.get(0x00) ?? 0) === 1 ? 1 : 0;
      if (at === 0x18) return 8;
      return at === 0x1e ? 0 : (registers.get(at) ?? 0);
    },
    store: (_bar, at, _bytes, value) => {
      registers.set(at, value);
      if (at === 0x2000) serve();
    },
  });
}
