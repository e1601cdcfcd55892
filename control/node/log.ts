// The log of a program that runs for long: what happens, to stderr, as lines for people or
// as JSON documents. Never on the way of a frame: what happens a thousand times a second
// is a counter.
//
// - Written in the background: a reader that stands still stops no frame. `close` writes
//   the rest, in order, and waits for that, but not long. What a standing reader has not
//   taken is bounded; more is dropped.
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
const closePatienceMs = 1000;

/** A log and how to end it. */
export function openLog(options: LogOptions): { readonly log: Log; readonly close: () => Promise<void> } {
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
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, closePatienceMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      destination.once("close", done);
      try {
        destination.end();
      } catch {
        done(); // its reader is gone
      }
    });
  return { log: pino(settings, stream), close };
}
