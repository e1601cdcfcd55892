// A wrapper for the networks of a machine that is no router: what it sends is its own.
//
// - Every kernel on two networks forwards between them. A control daemon stands on all
//   networks of a pool to see its machines; it must not join what an administrator, or a lab,
//   keeps apart.
// - A packet that was forwarded has crossed a network before: its hop count is more than one
//   crossing. Those are dropped on their way out. LOCATE does not get through, so nobody ever
//   learns of a way through this machine.
// - Wraps a device and is a device.

import {
  ETHERNET_HEADER,
  ETHERNET_WEIGHT,
  FC_CHECK_BYTES,
  FC_CHECKED,
  FC_DATA,
  FLIP_ACT_HOP_AT,
} from "../core-wasm/wire/formats.js";
import type { Device, DeviceCounters, DeviceRegion } from "./device.js";

const controlBytes = 2;

export class EndHost implements Device {
  readonly #inner: Device;
  #bytes: DataView | null = null;

  constructor(inner: Device) {
    this.#inner = inner;
  }

  get name(): string {
    return this.#inner.name;
  }
  get address(): Uint8Array {
    return this.#inner.address;
  }
  get mtu(): number {
    return this.#inner.mtu;
  }
  get weight(): number | undefined {
    return this.#inner.weight;
  }
  get trusted(): boolean | undefined {
    return this.#inner.trusted;
  }
  get receiveFrames(): number {
    return this.#inner.receiveFrames;
  }
  get regionBytes(): number {
    return this.#inner.regionBytes;
  }
  get arrived(): Int32Array {
    return this.#inner.arrived;
  }
  get polledAt(): number | undefined {
    return this.#inner.polledAt;
  }
  get pollBegan(): number | undefined {
    return this.#inner.pollBegan;
  }

  attach(region: DeviceRegion): void {
    this.#bytes = new DataView(region.memory.buffer);
    this.#inner.attach(region);
  }

  transmit(head: number, headLength: number, body: number, bodyLength: number): number {
    return this.#isForwarded(head, headLength) ? 0 : this.#inner.transmit(head, headLength, body, bodyLength);
  }

  /** The head of a frame holds the whole FLIP header. */
  #isForwarded(head: number, headLength: number): boolean {
    const bytes = this.#bytes;
    if (bytes === null || headLength < ETHERNET_HEADER + controlBytes) return false;
    const type = bytes.getUint8(head + ETHERNET_HEADER);
    if (type !== FC_DATA && type !== FC_CHECKED) return false;
    const flip = ETHERNET_HEADER + controlBytes + (type === FC_CHECKED ? FC_CHECK_BYTES : 0);
    if (headLength < flip + FLIP_ACT_HOP_AT + 2) return false;
    return bytes.getUint16(head + flip + FLIP_ACT_HOP_AT, true) > (this.weight ?? ETHERNET_WEIGHT);
  }

  flush(): void {
    this.#inner.flush();
  }
  poll(spinMicroseconds: number): number {
    return this.#inner.poll(spinMicroseconds);
  }
  watch(callback: (() => void) | null): void {
    this.#inner.watch(callback);
  }
  joinMulticast(address: Uint8Array): void {
    this.#inner.joinMulticast(address);
  }
  leaveMulticast(address: Uint8Array): void {
    this.#inner.leaveMulticast(address);
  }
  counters(): DeviceCounters {
    return this.#inner.counters();
  }
  close(): void {
    this.#inner.close();
  }
}
