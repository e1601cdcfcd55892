// The frames that a tap has taken and nobody has fetched yet, when they come from another
// process: a bounded queue with the half of the Tap contract (tap.ts) that is about fetching.
//
// - What finds no room is counted, not kept.

import type { TapFrame } from "./tap.js";

const framesMax = 65_536;

export class WaitingFrames {
  #frames: TapFrame[] = [];
  #watcher: (() => void) | null = null;
  /** Frames that found no room. */
  overrun = 0;

  /** True when there is room for one more. */
  get hasRoom(): boolean {
    return this.#frames.length < framesMax;
  }

  /** Keeps a frame, or counts it. */
  take(frame: TapFrame): void {
    if (this.hasRoom) this.#frames.push(frame);
    else this.overrun++;
  }

  /** Tells who watches, when there is something to fetch. */
  wake(): void {
    if (this.#frames.length > 0) this.#watcher?.();
  }

  poll(): readonly TapFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    return frames;
  }

  watch(callback: (() => void) | null): void {
    this.#watcher = callback;
    if (callback !== null) setImmediate(() => this.wake());
  }
}
