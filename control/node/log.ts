// The log of a program that runs for long: what happens, to stderr, as lines for people or
// as JSON documents. Never on the way of a frame: what happens a thousand times a second
// is a counter.
//
// - Written in the background: a reader that stands still stops no frame. `flush` writes
//   the rest at the end. What a standing reader has not taken is bounded; more is dropped.
// - pino's levels; `time` is ISO 8601 in JSON.

import { type Logger, pino } from "pino";
import { prettyFactory } from "pino-pretty";

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  readonly format: "pretty" | "json";
  /** Who writes: a field of every JSON line. */
  readonly name: string;
  readonly colours: boolean;
}

const stderr = 2;
const unwrittenBytesMax = 4 * 1024 * 1024;

/** A log and how to end it. */
export function openLog(options: LogOptions): { readonly log: Log; readonly flush: () => void } {
  const destination = pino.destination({ dest: stderr, sync: false, maxLength: unwrittenBytesMax });
  destination.on("error", () => undefined); // a reader that is gone ends no node
  const settings = {
    level: options.level,
    base: { node: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const words = prettyFactory({
    colorize: options.colours,
    ignore: "node,pid",
    singleLine: true,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
  });
  const lines = {
    write(line: string): void {
      destination.write(words(line));
    },
  };
  const stream = options.format === "json" ? destination : lines;
  const flush = (): void => {
    try {
      destination.flushSync();
    } catch {
      // Its reader is gone, or it has not been opened yet: nothing can be written there.
    }
  };
  return { log: pino(settings, stream), flush };
}
