// Segments that other processes of the machine map: which, where they lie, when that ends.
//
// - A mapped segment lies on pages of its own, in an allocation of a page more than they take;
//   it moves there when it is first mapped. Nothing else is on those pages.
// - Mapped for reading alone, its pages are sealed: nobody outside can write. Mapped for writing,
//   whoever opens them can; so only capabilities with that right get to know where they are.
// - Withdrawn before the memory is given to others: what comes there later nobody sees.
// - What lies there may change at any time: these are bytes, nothing that is relied upon.

import {
  STD_ARGBAD,
  STD_COMBAD,
  STD_DENIED,
  STD_NOMEM,
  STD_NOSPACE,
  STD_NOTNOW,
} from "../../../core-wasm/status.js";
import type { SharedMemory, SharedPages } from "../../../drivers/shared-memory.js";
import { refuse } from "../../stub/refused.js";
import type { Parameter } from "../../stub/standard.js";

/** What the server needs of the kernel's allocator: handles above zero, statuses below. */
export interface SegmentMemory {
  create(bytes: number): number;
  destroy(handle: number): number;
  grow(handle: number, bytes: number): number;
  bytes(handle: number): Uint8Array | null;
  stat(): {
    readonly regionBytes: number;
    readonly takenBytes: number;
    readonly largestFreeBytes: number;
    readonly count: number;
    readonly most: number;
  };
}

interface Shared {
  readonly pages: SharedPages;
  /** Where the segment begins in its allocation, and its length. */
  readonly start: number;
  readonly length: number;
  readonly writable: boolean;
}

export interface Segment {
  handle: number;
  /** How many programs on this kernel have mapped it. */
  mapped: number;
  /** Where other processes map it. */
  shared?: Shared | undefined;
}

/** What MAP answers. */
export interface Place {
  readonly bytes: number;
  readonly path: string;
  readonly tag: string;
  readonly boot: string;
}

const mostDefault = 64;
const mostPossible = 4096;

export class Sharing {
  readonly #memory: SegmentMemory;
  readonly #shared: SharedMemory | undefined;
  #count = 0;
  #most = mostDefault;

  /** Without `shared` every share() is refused. */
  constructor(memory: SegmentMemory, shared: SharedMemory | undefined) {
    this.#memory = memory;
    this.#shared = shared;
  }

  get parameters(): readonly Parameter[] {
    if (this.#shared === undefined) return [];
    const accept = (value: string) => {
      const most = /^\d{1,4}$/.test(value) ? Number(value) : mostPossible + 1;
      if (most > mostPossible) return undefined;
      return () => {
        this.#most = most;
      };
    };
    const type = `count from 0 to ${mostPossible}`;
    const meaning = "segments that other processes may have mapped at a time";
    return [{ name: "maps", type, meaning, accept, read: () => String(this.#most) }];
  }

  status(): readonly string[] {
    return this.#shared === undefined ? [] : [`mapped by processes ${this.#count} of ${this.#most}`];
  }

  /** A segment's own bytes, no copy; null when there is none of that handle. */
  bytes({ handle, shared }: Segment): Uint8Array | null {
    const all = this.#memory.bytes(handle);
    return shared === undefined || all === null
      ? all
      : all.subarray(shared.start, shared.start + shared.length);
  }

  /** Where other processes find it. Refuses; then it is as it was. */
  share(segment: Segment, write: boolean, mayWrite: boolean): Place {
    if (this.#shared === undefined) refuse(STD_COMBAD);
    if (write && !mayWrite) refuse(STD_DENIED);
    if (segment.shared === undefined) this.#move(segment, this.#shared, write);
    return placeOf(segment.shared, write, mayWrite);
  }

  /** Moves it onto pages that others can map. */
  #move(segment: Segment, shared: SharedMemory, write: boolean): void {
    const { pageBytes } = shared;
    const before = this.bytes(segment);
    if (before === null || before.length === 0) refuse(STD_ARGBAD);
    if (segment.mapped > 0) refuse(STD_NOTNOW);
    if (this.#count >= this.#most) refuse(STD_NOSPACE);
    const length = Math.ceil(before.length / pageBytes) * pageBytes;
    const handle = this.#memory.create(length + pageBytes);
    const room = handle > 0 ? this.#memory.bytes(handle) : null;
    if (room === null) refuse(STD_NOSPACE);
    const start = (pageBytes - (room.byteOffset % pageBytes)) % pageBytes;
    const pages = shared.share(room.subarray(start, start + length), !write);
    if (pages === undefined) {
      this.#memory.destroy(handle);
      refuse(STD_NOMEM);
    }
    room.set(before, start);
    this.#memory.destroy(segment.handle);
    segment.handle = handle;
    segment.shared = { pages, start, length: before.length, writable: write };
    this.#count++;
  }

  /**
   * Ends that others can map it; its bytes are zeros then, where they were shared. False when the
   * system refuses: it is shared still, and its memory must not be given to anyone.
   */
  withdraw(segment: Segment): boolean {
    if (segment.shared === undefined) return true;
    if (!segment.shared.pages.withdraw()) return false;
    segment.shared = undefined;
    this.#count--;
    return true;
  }
}

function placeOf(shared: Shared | undefined, write: boolean, mayWrite: boolean): Place {
  if (shared === undefined) refuse(STD_NOTNOW);
  // Who may only read must not get to know pages that can be written.
  if (shared.writable ? !mayWrite : write) refuse(STD_NOTNOW);
  const { path, tag, boot } = shared.pages;
  return { bytes: shared.length, path, tag, boot };
}
