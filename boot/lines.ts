// Whole lines of what a program writes, as they come.
//
// - A line that does not end is cut: only the last of it is kept.

import type { Readable } from "node:stream";

const lineMax = 65_536;

/** Calls `said` with each line of a stream of bytes, without its end; whatever bytes there are. */
export function eachLine(stream: Readable, said: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("latin1").on("data", (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = (lines.pop() ?? "").slice(-lineMax);
    for (const line of lines) said(line);
  });
}
