// A capture that runs: frames from taps, in the order of their times, to what takes them.
//
// - One round polls every tap once and hands the frames over before the next poll may
//   overwrite them. A few rounds a call from the event loop: timers and signals get a turn.
// - Ends after so many frames, or when `stop` is called; a frame beyond the limit is not
//   handed over. Nothing is lost but what the taps themselves count.

import type { Tap, TapFrame } from "../../drivers/tap.js";

const roundsMax = 16;

/** Takes frames. `place` is the tap's place in the list. */
export interface FrameSink {
  frame(place: number, frame: TapFrame): void;
  /** The frames of a round have been handed over. */
  flush(): void;
  close(totals: Totals): void;
}

export interface InterfaceTotals {
  readonly name: string;
  readonly frames: number;
  /** Passed, but were lost to the capture. */
  readonly dropped: number;
}

export interface Totals {
  readonly frames: number;
  readonly dropped: number;
  readonly interfaces: readonly InterfaceTotals[];
}

export class CaptureSession {
  readonly #taps: readonly Tap[];
  readonly #sinks: readonly FrameSink[];
  readonly #count: number;
  readonly #frames: number[];
  readonly #ended: (error?: unknown) => void;
  #total = 0;
  #closed = false;

  /** Begins at once. `ended` is called after `count` frames, or with the error of a sink. */
  constructor(
    taps: readonly Tap[],
    sinks: readonly FrameSink[],
    count: number,
    ended: (error?: unknown) => void,
  ) {
    this.#taps = taps;
    this.#sinks = sinks;
    this.#count = count;
    this.#frames = taps.map(() => 0);
    this.#ended = ended;
    for (const tap of taps) tap.watch(() => this.#awake());
  }

  #awake(): void {
    try {
      this.#drain();
    } catch (error) {
      this.#ended(error);
    }
  }

  #drain(): void {
    for (let round = 0; round < roundsMax && !this.#closed && this.#total < this.#count; round++) {
      if (!this.#round()) return;
    }
  }

  /** Whether there was anything. */
  #round(): boolean {
    const polled = this.#taps.map((tap) => tap.poll());
    const frames = polled.flatMap((some, place) => some.map((frame) => ({ place, frame })));
    if (frames.length === 0) return false;
    if (this.#taps.length > 1) frames.sort((one, other) => one.frame.timeUs - other.frame.timeUs);
    for (const { place, frame } of frames.slice(0, this.#count - this.#total)) {
      this.#total++;
      this.#frames[place] = (this.#frames[place] ?? 0) + 1;
      for (const sink of this.#sinks) sink.frame(place, frame);
    }
    for (const sink of this.#sinks) sink.flush();
    if (this.#total >= this.#count) this.#ended();
    return true;
  }

  /** Takes what has come, closes taps and sinks, and says what was captured. */
  stop(): Totals {
    this.#drain();
    this.#closed = true;
    const interfaces = this.#taps.map(({ name }, place) => ({
      name,
      frames: this.#frames[place] ?? 0,
      dropped: this.#taps[place]?.dropped() ?? 0,
    }));
    for (const tap of this.#taps) tap.close();
    const dropped = interfaces.reduce((sum, each) => sum + each.dropped, 0);
    const totals = { frames: this.#total, dropped, interfaces };
    for (const sink of this.#sinks) sink.close(totals);
    return totals;
  }
}
