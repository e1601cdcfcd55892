// A model of a PCI bus with configuration mechanism 1, as a machine's firmware leaves it: functions
// with their BARs placed, capabilities, and registers behind the BARs.
//
// - Written by the specification (PCI 3.0, 3.2.2.3, 6.2.5), without a look at the driver: a BAR answers
//   its size after all ones, registers answer only while decoding is on.
// - A hostile one says what it likes: `config` is anybody's to change before the machine starts.

export interface PciOptions {
  readonly vendor: number;
  readonly device: number;
  readonly subsystem?: number;
  /** By index: where it is and how big, 0 for none. */
  readonly bars: readonly { readonly base: number; readonly bytes: number; readonly wide?: boolean }[];
  /** Bytes of each capability, without the place of the next. */
  readonly capabilities: readonly (readonly number[])[];
  readonly load?: (bar: number, at: number, bytes: number) => number;
  readonly store?: (bar: number, at: number, bytes: number, value: number) => void;
  /** Takes what has come for it, once a turn. */
  readonly receive?: () => void;
}

/** Where BARs are: below the interrupt controllers. */
const devicesFrom = 0xf0000000;
const devicesTo = 0xfec00000;

export const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

export class PciFunction {
  readonly config = new Uint8Array(256);
  readonly options: PciOptions;
  /** Where each capability is. */
  readonly places: number[] = [];

  constructor(options: PciOptions) {
    this.options = options;
    const view = new DataView(this.config.buffer);
    view.setUint16(0x00, options.vendor, true);
    view.setUint16(0x02, options.device, true);
    view.setUint16(0x2e, options.subsystem ?? 0, true);
    view.setUint16(0x06, 0x10, true);
    view.setUint16(0x0a, 0x0200, true);
    options.bars.forEach(({ base, bytes, wide }, index) => {
      if (bytes > 0) view.setUint32(0x10 + 4 * index, base | (wide ? 4 : 0), true);
      if (bytes > 0 && wide && index < 5) view.setUint32(0x14 + 4 * index, Math.floor(base / 2 ** 32), true);
    });
    let at = 0x40;
    let link = 0x34;
    for (const bytes of options.capabilities) {
      this.config[link] = at;
      this.config.set([bytes[0] ?? 0, 0, ...bytes.slice(1)], at);
      this.places.push(at);
      link = at + 1;
      at = (at + bytes.length + 1 + 3) & ~3;
    }
  }

  get #view(): DataView {
    return new DataView(this.config.buffer);
  }

  field(at: number, bytes: number): number {
    const view = this.#view;
    return bytes === 1
      ? view.getUint8(at)
      : bytes === 2
        ? view.getUint16(at, true)
        : view.getUint32(at, true);
  }

  write(at: number, bytes: number, value: number): void {
    const view = this.#view;
    const index = (at - 0x10) >> 2;
    const bar = this.options.bars[index];
    if (at >= 0x10 && at < 0x28) {
      const low = view.getUint32(at & ~3, true) & 15;
      if (bar !== undefined && bar.bytes > 0 && bytes === 4)
        view.setUint32(at, ((value & ~(bar.bytes - 1)) | low) >>> 0, true);
      return;
    }
    if (at < 4 || (at >= 0x06 && at < 0x10)) return;
    if (bytes === 1) view.setUint8(at, value);
    else if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
  }

  /** The BAR that answers at an address now. */
  barAt(address: number): { readonly bar: number; readonly at: number } | undefined {
    if ((this.field(0x04, 2) & 2) === 0) return undefined;
    for (const [bar, { bytes, wide = false }] of this.options.bars.entries()) {
      const high = wide && bar < 5 ? this.field(0x14 + 4 * bar, 4) : 0;
      const base = high * 2 ** 32 + ((this.field(0x10 + 4 * bar, 4) & ~15) >>> 0);
      if (bytes > 0 && address >= base && address < base + bytes) return { bar, at: address - base };
    }
    return undefined;
  }
}

export class PciBus {
  /** By what the address port takes. */
  readonly functions: ReadonlyMap<number, PciFunction>;
  /** Places of devices that were written to where nobody is. */
  readonly strays: number[] = [];
  #address = 0;

  constructor(functions: ReadonlyMap<number, PciFunction>) {
    this.functions = functions;
  }

  portIn(port: number, bytes: number): number {
    if (port === 0xcf8) return this.#address | 0;
    const found = this.functions.get(this.#address & 0xffff00);
    if (found === undefined || this.#address >>> 31 === 0) return -1 >>> (32 - 8 * bytes);
    return found.field((this.#address & 0xfc) + (port & 3), bytes) | 0;
  }

  portOut(port: number, bytes: number, value: number): void {
    if (port === 0xcf8) this.#address = value;
    else
      this.functions.get(this.#address & 0xffff00)?.write((this.#address & 0xfc) + (port & 3), bytes, value);
  }

  #at(address: number) {
    for (const each of this.functions.values()) {
      const place = each.barAt(address);
      if (place !== undefined) return { each, ...place };
    }
    return undefined;
  }

  load(address: number, bytes: number): number | undefined {
    const found = this.#at(address);
    return found === undefined ? undefined : (found.each.options.load?.(found.bar, found.at, bytes) ?? 0);
  }

  store(address: number, bytes: number, value: number): boolean {
    const found = this.#at(address);
    if (found === undefined && address >= devicesFrom && address < devicesTo) this.strays.push(address);
    found?.each.options.store?.(found.bar, found.at, bytes, value);
    return found !== undefined;
  }

  receive(): void {
    for (const { options } of this.functions.values()) options.receive?.();
  }
}
