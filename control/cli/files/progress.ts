// How far a transfer is: a bar with rate and time left, on a terminal.
//
// - Elsewhere, and with --json, nothing is written. Nor is it in the first half second.
// - Time left goes by the bytes so far; it is not said before there is a rate.

import { ProgressLine } from "../bench-options.js";

const quietMs = 500;
const everyMs = 100;
const barWidth = 24;
const mebibyte = 1024 * 1024;

export interface Whole {
  readonly files: number;
  readonly bytes: number;
}

interface Stream {
  readonly isTTY?: boolean;
  readonly write: (text: string) => unknown;
}

/** `0:07`, `12:00`, `3:04:05` */
export function clockText(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export class TransferProgress {
  readonly #stream: Stream;
  readonly #now: () => number;
  readonly #line: ProgressLine;
  readonly #began: number;
  readonly #quiet: boolean;
  #whole: Whole | null = null;
  #files = 0;
  #bytes = 0;
  #said = 0;

  constructor(json: boolean, stream: Stream = process.stderr, now = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
    this.#line = new ProgressLine(stream as typeof process.stderr, now);
    this.#began = now();
    this.#quiet = json || stream.isTTY !== true;
  }

  /** Whether somebody looks: only then it is worth to find out how much there is. */
  get isShown(): boolean {
    return !this.#quiet && this.#stream.isTTY === true;
  }

  /** How much there is; without it there is neither bar nor time left. */
  set whole(whole: Whole) {
    this.#whole = whole;
  }

  readonly moved = (bytes: number): void => {
    this.#bytes += bytes;
    this.#say();
  };

  readonly file = (): void => {
    this.#files++;
    this.#say();
  };

  clear(): void {
    if (this.isShown) this.#line.clear();
  }

  #say(): void {
    const now = this.#now();
    if (!this.isShown || now - this.#began < quietMs || now - this.#said < everyMs) return;
    this.#said = now;
    const rate = (this.#bytes / (now - this.#began)) * 1000;
    const speed = `${(rate / mebibyte).toFixed(1)} MiB/s`;
    const done = (this.#bytes / mebibyte).toFixed(1);
    if (this.#whole === null) {
      this.#stream.write(`\r\x1b[K${this.#files} files  ${done} MiB  ${speed}`);
      return;
    }
    const { files, bytes } = this.#whole;
    // Files without bytes are work too.
    const [part, all] = bytes > 0 ? [Math.min(this.#bytes, bytes), bytes] : [this.#files, Math.max(files, 1)];
    const filled = Math.round((barWidth * part) / all);
    const left = rate > 0 ? [`${clockText((bytes - Math.min(this.#bytes, bytes)) / rate)} left`] : [];
    this.#line.say(
      [
        `[${"=".repeat(filled)}${" ".repeat(barWidth - filled)}]`,
        `${this.#files}/${files} files`,
        `${done}/${(bytes / mebibyte).toFixed(1)} MiB`,
        speed,
        ...left,
      ],
      part,
      all,
    );
  }
}
