// The host's side of a device, for tests: a memory, a way to send bytes, a way to get them.

import type { Device } from "../../../drivers/device.js";

const WASM_PAGE = 65_536;
export const BROADCAST = Uint8Array.of(255, 255, 255, 255, 255, 255);

/** A whole frame: header and `payload`. */
export function frame(to: Uint8Array, from: Uint8Array, payload: Uint8Array, ethertype = 0x8146): Uint8Array {
  const bytes = new Uint8Array(14 + payload.length);
  bytes.set(to);
  bytes.set(from, 6);
  new DataView(bytes.buffer).setUint16(12, ethertype);
  bytes.set(payload, 14);
  return bytes;
}

/** A payload that can be told from others, at least 46 bytes so that nothing is padded. */
export function payload(seed: number, length = 100): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7) & 0xff);
}

/** A device with a memory of its own: two pages for what is sent, then the device's region. */
export class TestHost<Kind extends Device = Device> {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly base = 8 * WASM_PAGE;
  private next = 1024;

  constructor(readonly device: Kind) {
    const pages = this.base / WASM_PAGE + device.regionBytes / WASM_PAGE + 1;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.memory.buffer);
    device.attach({ memory: this.memory, base: this.base, length: device.regionBytes });
  }

  /** Queues a frame in two pieces, cut at `cut`; every frame lies elsewhere until 7 pages are used up. */
  queue(bytes: Uint8Array, cut = bytes.length): number {
    if (this.next + bytes.length > this.base) {
      this.device.flush();
      this.next = 1024;
    }
    const at = this.next;
    this.bytes.set(bytes, at);
    this.next += bytes.length;
    return this.device.transmit(at, cut, at + cut, bytes.length - cut);
  }

  send(to: Uint8Array, data: Uint8Array, ethertype = 0x8146): void {
    this.queue(frame(to, this.device.address, data, ethertype), 14);
    this.device.flush();
  }

  /** Copies of the frames of one poll. */
  poll(spinMicroseconds = 0): Uint8Array[] {
    const count = this.device.poll(spinMicroseconds);
    return Array.from({ length: count }, (_, index) => {
      const pointer = this.device.arrived[2 * index] ?? 0;
      return this.bytes.slice(pointer, pointer + (this.device.arrived[2 * index + 1] ?? 0));
    });
  }

  /** Everything that comes, until two polls of 20 ms in a row find nothing. */
  drain(spinMicroseconds = 20_000): Uint8Array[] {
    const all: Uint8Array[] = [];
    for (let quiet = 0; quiet < 2; ) {
      const some = this.poll(spinMicroseconds);
      quiet = some.length === 0 ? quiet + 1 : 0;
      all.push(...some);
    }
    return all;
  }
}
