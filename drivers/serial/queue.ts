// What waits for a serial line: messages in order, bounded in bytes, given to the line as it can take
// them.
//
// - First in, first out: a question whether all has come must not pass what it asks about.
// - A fragment that is repeated while the first one still waits is left out.
// - What waits in the system cannot be taken back or told apart, so a slow line is given no more than
//   it sends within `aheadMs`.
// - Clock and timer come in as arguments: tests have their own time.

import { lineFacts } from "./line.js";

/** Lines up to this speed are given no more than they can send within `aheadMs`, bits a second. */
const pacedSpeedMax = 10_000_000;
const aheadMs = 20;
/** What is longer is a fragment, not a credit or a question, of which each one counts. */
const fragmentBytesMin = 128;
/** Two ENDs, a check, and a few escapes. */
const framingBytes = 10;

export interface LineQueueOptions {
  /** Bits a second. */
  readonly speed: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Calls back once, so many milliseconds later; what it answers takes that back. */
  readonly later: (milliseconds: number, action: () => void) => () => void;
  /** Gives the line a message. */
  readonly write: (message: Uint8Array) => void;
}

/** See the head of this file. */
export class LineQueue {
  readonly #options: LineQueueOptions;
  readonly #backlogBytes: number;
  /** Milliseconds of the line for a byte; 0: it is not waited for. */
  readonly #msPerByte: number;
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** Bytes in the system. */
  #written = 0;
  #freeAt = 0;
  #stop: (() => void) | null = null;

  constructor(options: LineQueueOptions) {
    this.#options = options;
    this.#backlogBytes = lineFacts(options.speed).backlogBytes;
    this.#msPerByte = options.speed > pacedSpeedMax ? 0 : 10_000 / options.speed;
  }

  /** Takes a message; false: there is no room for it. */
  add(message: Uint8Array): boolean {
    const fragment = message.length > fragmentBytesMin;
    // Where there is no room for fragments there still is for the question whether a server lives.
    if (this.#queued + this.#written >= (fragment ? 1 : 2) * this.#backlogBytes) return false;
    if (fragment && this.#queue.some((each) => Buffer.compare(each, message) === 0)) return true;
    this.#queued += message.length;
    this.#queue.push(message);
    this.#pump();
    return true;
  }

  /** So many bytes are in the system, or (below zero) no longer. */
  written(bytes: number): void {
    this.#written = Math.max(0, this.#written + bytes);
  }

  /** Gives the line what it can take now. */
  #pump(): void {
    if (this.#stop !== null) return;
    const { now, later, write } = this.#options;
    for (let at = now(); ; at = now()) {
      const early = this.#freeAt - at - aheadMs;
      if (this.#queue.length > 0 && early > 0) {
        this.#stop = later(Math.ceil(early), () => {
          this.#stop = null;
          this.#pump();
        });
        return;
      }
      const message = this.#queue.shift();
      if (message === undefined) return;
      this.#queued -= message.length;
      this.#freeAt = Math.max(at, this.#freeAt) + (message.length + framingBytes) * this.#msPerByte;
      write(message);
    }
  }

  /** Forgets everything: the line is gone, or closed. */
  clear(): void {
    this.#stop?.();
    this.#stop = null;
    this.#queue = [];
    this.#queued = 0;
    this.#written = 0;
  }
}
