// Segments as the kernel offers them: core-wasm/memory/calls.ts in TypeScript's terms. The
// server that gives capabilities for them is another's matter.
//
// - Sizes are in bytes, any number; a handle is above 0, an answer below 0 a status of
//   core-wasm/status.ts. Nothing changed then.
// - A segment lies in the kernel's memory: its address may be given to a call as its data. It
//   must not be destroyed before that call has completed.
// - How large the region is: `segmentBytes` and `segments` of limits.ts. Without them every
//   create answers STD_NOMEM.

import * as layout from "../../core-wasm/layout.js";
import { STD_ARGBAD } from "../../core-wasm/status.js";
import type { KernelExports } from "./exports.js";

export interface SegmentInfo {
  /** Where it begins in the kernel's memory; 16-byte aligned. */
  readonly address: number;
  /** As asked for. */
  readonly bytes: number;
  /** Bytes that it takes of the region: the next multiple of 16. */
  readonly room: number;
}

export interface SegmentStat {
  readonly regionBytes: number;
  readonly takenBytes: number;
  /** Creating a segment of this size works, unless there are as many as may be. */
  readonly largestFreeBytes: number;
  readonly count: number;
  /** Segments at a time. */
  readonly most: number;
}

/** What the calls need of their kernel. */
export interface SegmentHost {
  readonly exports: KernelExports;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const outAt = layout.SCRATCH_ADDRESS;
const sizeMax = 0xffff_ffff;

const isSize = (bytes: number): boolean => Number.isInteger(bytes) && bytes >= 0 && bytes <= sizeMax;

/** The segments of one kernel. */
export class Segments {
  readonly #host: SegmentHost;

  constructor(host: SegmentHost) {
    this.#host = host;
  }

  /**
   * A new segment, all zeros: its handle. STD_NOMEM: no free piece is that long; KERNEL_FULL:
   * too many segments; STD_ARGBAD: not a size.
   */
  create(bytes: number): number {
    return isSize(bytes) ? this.#host.exports.segment_create(bytes) : STD_ARGBAD;
  }

  /** Gives it back. STD_OK, or KERNEL_BADHANDLE: it is gone already, or never was. */
  destroy(handle: number): number {
    return this.#host.exports.segment_destroy(handle);
  }

  /**
   * Makes it longer where it is; what is added is zeros. STD_NOMEM: what lies behind it is
   * taken (create another, copy, destroy this one); STD_ARGBAD: shorter than it is, or not a
   * size; KERNEL_BADHANDLE.
   */
  grow(handle: number, bytes: number): number {
    return isSize(bytes) ? this.#host.exports.segment_grow(handle, bytes) : STD_ARGBAD;
  }

  /** Where and how long it is; null when there is none of that handle. */
  info(handle: number): SegmentInfo | null {
    if (this.#host.exports.segment_info(handle, outAt) < 0) return null;
    return {
      address: this.#field(layout.SEGMENT_INFO_ADDRESS),
      bytes: this.#field(layout.SEGMENT_INFO_LENGTH),
      room: this.#field(layout.SEGMENT_INFO_ROOM),
    };
  }

  /** The segment's own bytes, no copy; null when there is none of that handle. */
  bytes(handle: number): Uint8Array | null {
    const info = this.info(handle);
    return info === null ? null : this.#host.bytes.subarray(info.address, info.address + info.bytes);
  }

  stat(): SegmentStat {
    this.#host.exports.segment_stat(outAt);
    return {
      regionBytes: this.#field(layout.SEGMENT_STAT_REGION),
      takenBytes: this.#field(layout.SEGMENT_STAT_TAKEN),
      largestFreeBytes: this.#field(layout.SEGMENT_STAT_LARGEST),
      count: this.#field(layout.SEGMENT_STAT_COUNT),
      most: this.#field(layout.SEGMENT_STAT_MOST),
    };
  }

  #field(offset: number): number {
    return this.#host.view.getUint32(outAt + offset, true);
  }
}
