// Where captured frames go: lines for people, JSON documents, a pcap or pcapng file.
//
// - A file has every frame of a round when the round is over: what kills the capture costs
//   nothing that was shown. `-` is standard output.
// - A file that ends in .pcapng gets that format (interfaces, directions, losses), every other
//   plain pcap.

import { closeSync, openSync, writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { pcapHead, pcapRecord } from "../../drivers/capture/pcap.js";
import { pcapngHead, pcapngRecord, pcapngStatistics } from "../../drivers/capture/pcapng.js";
import type { TapFrame } from "../../drivers/tap.js";
import { ProteusError } from "../kernel/errors.js";
import { exitOf } from "../kernel/file-errors.js";
import type { OfflineKernel } from "../kernel/offline.js";
import { dissect } from "../kernel/wire.js";
import type { FrameSink, Totals } from "./capture-session.js";
import { summary } from "./decode.js";
import { LineWriter } from "./lines.js";
import { packageVersion } from "./package-files.js";

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day here, to the microsecond. */
function clockTime(timeUs: number): string {
  const date = new Date(Math.floor(timeUs / 1000));
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${time}.${String(timeUs % 1_000_000).padStart(6, "0")}`;
}

/** 2026-01-02T03:04:05.678901Z */
export function isoTime(timeUs: number): string {
  const seconds = new Date(Math.floor(timeUs / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(timeUs % 1_000_000).padStart(6, "0")}Z`;
}

const directionOf = ({ outgoing }: TapFrame): "out" | "in" | null =>
  outgoing === undefined ? null : outgoing ? "out" : "in";

/** A line for each frame on a stream. */
export function textSink(kernel: OfflineKernel, names: readonly string[], stream: Writable): FrameSink {
  const writer = new LineWriter(stream);
  const width = Math.max(...names.map((name) => name.length));
  return {
    frame: (place, frame) => {
      const head = `${clockTime(frame.timeUs)} ${(names[place] ?? "").padEnd(width)}`;
      writer.write(
        `${head} ${(directionOf(frame) ?? "-").padEnd(3)} ${summary(dissect(kernel, frame.bytes))}`,
      );
    },
    flush: () => writer.flush(),
    close: () => writer.flush(),
  };
}

/** A JSON document for each frame on a stream, unless `quiet`, and one with the totals at the end. */
export function jsonSink(
  kernel: OfflineKernel,
  names: readonly string[],
  stream: Writable,
  quiet = false,
): FrameSink {
  const writer = new LineWriter(stream);
  const write = (document: object): void => writer.write(JSON.stringify({ schema: 1, ...document }));
  return {
    frame: (place, frame) => {
      if (quiet) return;
      write({
        time: isoTime(frame.timeUs),
        interface: names[place],
        direction: directionOf(frame),
        bytes: frame.bytes.length,
        ...dissect(kernel, frame.bytes),
      });
    },
    flush: () => writer.flush(),
    close: (totals) => {
      write({ summary: totals });
      writer.flush();
    },
  };
}

function fileFault(path: string, error: unknown, unchanged: string | undefined): ProteusError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new ProteusError({
    code: "CAPTURE_FILE",
    exit: exitOf(error),
    message: `${path} cannot be written`,
    why: code === "ENOENT" ? "the folder does not exist" : message,
    unchanged,
    hint: "choose another file with -w",
    cause: error,
  });
}

/** How a format writes what a capture has. */
interface Format {
  readonly head: readonly Uint8Array[];
  readonly record: (place: number, frame: TapFrame) => Uint8Array;
  readonly tail: (totals: Totals, lastUs: number) => readonly Uint8Array[];
}

function formatOf(path: string, names: readonly string[]): Format {
  if (!path.endsWith(".pcapng"))
    return {
      head: [pcapHead()],
      record: (_, { timeUs, bytes }) => pcapRecord(timeUs, bytes),
      tail: () => [],
    };
  return {
    head: pcapngHead(`proteus ${packageVersion()}`, names),
    record: (place, { timeUs, outgoing, bytes }) => pcapngRecord(place, timeUs, outgoing, bytes),
    tail: ({ interfaces }, lastUs) =>
      interfaces.map(({ frames, dropped }, place) =>
        pcapngStatistics(place, lastUs, { received: frames + dropped, dropped }),
      ),
  };
}

/** A file, begun at once. Throws CAPTURE_FILE, also later when the disk is full. */
export function fileSink(path: string, names: readonly string[]): FrameSink {
  const { head, record, tail } = formatOf(path, names);
  const toStdout = path === "-";
  let fd = -1;
  let gathered: Uint8Array[] = [...head];
  let lastUs = 0;
  const flush = (): void => {
    if (gathered.length === 0) return;
    const blocks = gathered;
    gathered = [];
    if (toStdout) process.stdout.write(Buffer.concat(blocks));
    else writeAll(fd, path, Buffer.concat(blocks));
  };
  try {
    if (!toStdout) fd = openSync(path, "w");
  } catch (error) {
    throw fileFault(path, error, "nothing was captured");
  }
  flush();
  return {
    frame: (place, frame) => {
      lastUs = frame.timeUs;
      gathered.push(record(place, frame));
    },
    flush,
    close: (totals) => {
      gathered.push(...tail(totals, lastUs));
      flush();
      if (!toStdout) closeSync(fd);
    },
  };
}

/** For a capture on another machine (capture-remote.ts): pcapng, whose head ends with statistics. */
export function feedSink(names: readonly string[], stream: Writable): FrameSink {
  const unread = { received: 0, dropped: 0 };
  let gathered = [
    ...pcapngHead(`proteus ${packageVersion()}`, names),
    ...names.map((_, place) => pcapngStatistics(place, 0, unread)),
  ];
  let lastUs = 0;
  const flush = (): void => {
    if (gathered.length > 0) stream.write(Buffer.concat(gathered));
    gathered = [];
  };
  flush();
  return {
    frame: (place, { timeUs, outgoing, bytes }) => {
      lastUs = timeUs;
      gathered.push(pcapngRecord(place, timeUs, outgoing, bytes));
    },
    flush,
    close: ({ interfaces }) => {
      gathered.push(
        ...interfaces.map(({ frames, dropped }, place) =>
          pcapngStatistics(place, lastUs, { received: frames + dropped, dropped }),
        ),
      );
      flush();
    },
  };
}

function writeAll(fd: number, path: string, bytes: Buffer): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw fileFault(path, error, "what was captured before is in it");
  }
}
