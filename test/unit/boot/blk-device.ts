// A model of a virtio-blk device on virtio-mmio, as the driver of metal machines sees one: registers, one
// split queue of chains in the machine's memory, sectors in an array.
//
// - Its answers follow VIRTIO 1.2, 2.7, 4.2 and 5.2, written without a look at the driver. A chain that
//   the driver made wrongly is an error of the test.
// - It answers when it has its turn, in the order that `order` says; `spoil` may bend what it writes.

const magic = 0x74726976;
const blockDevice = 2;
const queueMax = 128;
const featureReadOnly = 1 << 5;
const featureFlush = 1 << 9;
const sectorBytes = 512;
const kinds: Readonly<Record<number, string>> = { 0: "read", 1: "write", 4: "flush" };

export interface BlkDeviceOptions {
  readonly version: 1 | 2;
  readonly physicalBase: number;
  readonly memory: WebAssembly.Memory;
  readonly sectors: number;
  readonly readOnly?: boolean;
  readonly flush?: boolean;
  /** It answers these with an error. */
  readonly fails?: (kind: string) => boolean;
  /** It answers nothing. */
  readonly silent?: boolean;
  /** What it says of a request that it has done: the head of the chain, and how much it wrote. */
  readonly spoil?: (head: number, length: number) => readonly [number, number];
}

interface Part {
  readonly at: number;
  readonly length: number;
  readonly writes: boolean;
}

const align = (at: number, to: number): number => Math.ceil(at / to) * to;

export class BlkDevice {
  readonly #options: BlkDeviceOptions;
  readonly #registers = new Map<number, number>();
  readonly disk: Uint8Array;
  /** What it was asked, in order. */
  readonly asked: string[] = [];
  /** Where the used ring is; 0: nowhere. */
  used = 0;
  #size = 0;
  #descriptors = 0;
  #available = 0;
  #seen = 0;
  status = 0;
  interrupt = 0;
  resets = 0;

  constructor(options: BlkDeviceOptions) {
    this.#options = options;
    this.disk = Uint8Array.from(
      { length: options.sectors * sectorBytes },
      (_, i) => (i * 11 + (i >> 9)) & 0xff,
    );
  }

  get #view(): DataView {
    return new DataView(this.#options.memory.buffer);
  }

  get size(): number {
    return this.#size;
  }

  load(at: number, bytes: number): number {
    const { version, sectors, readOnly, flush = true } = this.#options;
    if (at >= 0x100) return bytes === 1 && at < 0x108 ? Math.floor(sectors / 256 ** (at - 0x100)) & 0xff : 0;
    const features = (readOnly ? featureReadOnly : 0) | (flush ? featureFlush : 0);
    const answers: Readonly<Record<number, number>> = {
      ...{ 0: magic, 4: version, 8: blockDevice, 52: queueMax, 96: this.interrupt },
      16: (this.#registers.get(0x14) ?? 0) === 0 ? features : version === 2 ? 1 : 0,
      112: this.status,
    };
    return answers[at] ?? 0;
  }

  store(at: number, value: number): void {
    this.#registers.set(at, value);
    if (at === 0x38) this.#size = value;
    else if (at === 0x40) this.#place(value * 4096);
    else if (at === 0x44) this.#placeModern();
    else if (at === 0x64) this.interrupt &= ~value;
    else if (at === 0x70) {
      this.status = value;
      if (value !== 0) return;
      this.resets++;
      [this.used, this.#seen] = [0, 0];
    }
  }

  #place(physical: number): void {
    this.#descriptors = physical - this.#options.physicalBase;
    this.#available = this.#descriptors + 16 * this.#size;
    this.used = align(this.#available + 6 + 2 * this.#size, 4096);
  }

  #placeModern(): void {
    const address = (register: number): number =>
      (this.#registers.get(register) ?? 0) +
      (this.#registers.get(register + 4) ?? 0) * 0x100000000 -
      this.#options.physicalBase;
    [this.#descriptors, this.#available, this.used] = [address(0x80), address(0x90), address(0xa0)];
  }

  #chain(head: number): Part[] {
    const view = this.#view;
    const parts: Part[] = [];
    for (let index = head; parts.length <= this.#size; ) {
      const at = this.#descriptors + 16 * index;
      const flags = view.getUint16(at + 12, true);
      parts.push({
        at: Number(view.getBigUint64(at, true)) - this.#options.physicalBase,
        length: view.getUint32(at + 8, true),
        writes: (flags & 2) !== 0,
      });
      if ((flags & 1) === 0) return parts;
      index = view.getUint16(at + 14, true);
    }
    throw new Error("a chain without an end");
  }

  /** Does what it was asked since the last time. */
  receive(): void {
    if (this.used === 0 || (this.status & 4) === 0 || this.#options.silent) return;
    const view = this.#view;
    while (this.#seen !== view.getUint16(this.#available + 2, true)) {
      const head = view.getUint16(this.#available + 4 + 2 * (this.#seen % this.#size), true);
      this.#seen = (this.#seen + 1) & 0xffff;
      const [id, length] = (this.#options.spoil ?? ((...words) => words))(
        head,
        this.#serve(this.#chain(head)),
      );
      const index = view.getUint16(this.used + 2, true);
      view.setUint32(this.used + 4 + 8 * (index % this.#size), id, true);
      view.setUint32(this.used + 8 + 8 * (index % this.#size), length, true);
      view.setUint16(this.used + 2, (index + 1) & 0xffff, true);
      this.interrupt |= 1;
    }
  }

  /** Bytes that it wrote. */
  #serve(parts: readonly Part[]): number {
    const memory = new Uint8Array(this.#options.memory.buffer);
    const [header, status] = [parts[0], parts.at(-1)];
    if (header === undefined || status === undefined || header.length !== 16 || header.writes)
      throw new Error("a request begins with 16 bytes for the device to read");
    if (status.length !== 1 || !status.writes) throw new Error("a request ends with a byte for its status");
    const view = this.#view;
    const kind = kinds[view.getUint32(header.at, true)] ?? "unknown";
    const sector = Number(view.getBigUint64(header.at + 8, true));
    const data = parts.slice(1, -1);
    const bytes = data.reduce((sum, { length }) => sum + length, 0);
    this.asked.push(kind === "flush" ? kind : `${kind} ${sector} ${bytes}`);
    if (data.some(({ writes }) => writes !== (kind === "read")))
      throw new Error(`${kind} the wrong way round`);
    const outside = sector * sectorBytes + bytes > this.disk.length || bytes % sectorBytes !== 0;
    const bad = kind === "unknown" || outside || (this.#options.fails?.(kind) ?? false);
    memory[status.at] = bad ? 1 : 0;
    if (bad) return 1;
    let at = sector * sectorBytes;
    for (const part of data) {
      if (kind === "read") memory.set(this.disk.subarray(at, at + part.length), part.at);
      else this.disk.set(memory.subarray(part.at, part.at + part.length), at);
      at += part.length;
    }
    return kind === "read" ? bytes + 1 : 1;
  }
}
