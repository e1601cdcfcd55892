// Lines in and lines out, for programs that must not stand still while they wait for either.
//
// - A line that is longer than allowed is reported and skipped; no more of it is kept in
//   memory than that. The last line needs no newline.
// - Output is gathered for a moment and written together. `full` says when its reader is
//   slow: then the program should produce less, since a pipe takes any amount.

import type { Readable, Writable } from "node:stream";

const newline = 0x0a;

export interface LineSink {
  /** Takes a line, without its newline. */
  readonly line: (bytes: Uint8Array, number: number) => void;
  /** A line was longer than allowed: so many bytes. */
  readonly tooLong: (number: number, length: number) => void;
  readonly end: () => void;
  readonly failed: (error: Error) => void;
}

/** The lines of a stream. */
export class LineReader {
  readonly #stream: Readable;
  readonly #bytesMax: () => number;
  readonly #sink: LineSink;
  #parts: Uint8Array[] = [];
  #length = 0; // of the line so far
  #number = 0;
  #paused = false;

  /** Begins to read. `bytesMax` is asked for every line. */
  constructor(stream: Readable, bytesMax: () => number, sink: LineSink) {
    this.#stream = stream;
    this.#bytesMax = bytesMax;
    this.#sink = sink;
    stream.on("data", this.#data);
    stream.on("end", this.#ended);
    stream.on("error", sink.failed);
  }

  readonly #data = (chunk: Buffer): void => {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      this.#add(chunk.subarray(from, at));
      this.#finish();
      from = at + 1;
    }
    this.#add(chunk.subarray(from));
  };

  readonly #ended = (): void => {
    if (this.#length > 0) this.#finish();
    this.#sink.end();
  };

  #add(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length <= this.#bytesMax()) this.#parts.push(part);
    else this.#parts = [];
  }

  #finish(): void {
    const [parts, length] = [this.#parts, this.#length];
    this.#parts = [];
    this.#length = 0;
    this.#number++;
    if (length > this.#bytesMax()) this.#sink.tooLong(this.#number, length);
    else this.#sink.line(Buffer.concat(parts), this.#number);
  }

  /** Reads no more for the moment; lines that were read already still come. */
  pause(on: boolean): void {
    if (on === this.#paused) return;
    this.#paused = on;
    if (on) this.#stream.pause();
    else this.#stream.resume();
  }

  /** Reads nothing any more. */
  close(): void {
    this.#stream.off("data", this.#data);
    this.#stream.off("end", this.#ended);
    this.#stream.destroy();
  }
}

const gatheredBytesMax = 65536;
const unwrittenBytesMax = 1 << 20;

/** Lines to a stream. */
export class LineWriter {
  readonly #stream: Writable;
  #gathered: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  write(line: Uint8Array | string): void {
    const bytes = typeof line === "string" ? Buffer.from(line) : line;
    this.#gathered.push(bytes, Uint8Array.of(newline));
    this.#bytes += bytes.length + 1;
    if (this.#bytes > gatheredBytesMax) this.flush();
    else if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.#scheduled = false;
    if (this.#gathered.length === 0) return;
    this.#stream.write(Buffer.concat(this.#gathered));
    this.#gathered = [];
    this.#bytes = 0;
  }

  /** A promise when the reader is far behind: it resolves when there is room again. */
  full(): undefined | Promise<void> {
    if (this.#stream.writableLength < unwrittenBytesMax) return undefined;
    return new Promise((resolve) => {
      this.#stream.once("drain", resolve);
    });
  }
}
