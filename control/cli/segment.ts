// `proteus segment`: the commands of the segment table, with reads and writes of any size and
// from and to files, in pieces (control/stub/segments.ts).
//
// - A file that is read into appears when all of it is there: it is written beside its place and
//   takes it by rename. What is no ordinary file (a pipe, /dev/null) is written as it comes.
// - On a terminal long ones show how far they are; elsewhere they are quiet.
// - Memory does not grow with the segment, except for data in an argument.

import { createReadStream, createWriteStream, type Stats } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "@commander-js/extra-typings";
import { SEGMENT_PIECE_BYTES, segmentTable } from "../interface/segment.js";
import { usageError } from "../kernel/errors.js";
import { findSegment } from "../node/segment-map.js";
import { type Chunks, readSegment, writeSegment } from "../stub/segments.js";
import { ProgressLine } from "./bench-options.js";
import { type Calling, registerServer, type Special } from "./operations.js";
import { emit, narrate } from "./output.js";

type Values = Readonly<Record<string, unknown>>;
type Planned = ((calling: Calling) => Promise<void>) | undefined;

const quietMs = 500;
const mebibyte = 1024 * 1024;

/** Says how far a long transfer is, on a terminal, when it takes a while. */
class Progress {
  readonly #line = new ProgressLine();
  readonly #began = Date.now();
  readonly #all: number | undefined;

  constructor(all: number | undefined) {
    this.#all = all;
  }

  say(done: number): void {
    const milliseconds = Date.now() - this.#began;
    if (milliseconds < quietMs) return;
    const all = this.#all ?? done;
    const [now, whole] = [done, all].map((bytes) => (bytes / mebibyte).toFixed(1));
    const rate = (done / mebibyte / (milliseconds / 1000)).toFixed(0);
    this.#line.say([`${now} of ${whole} MiB`, `${rate} MiB/s`], done, Math.max(all, 1));
  }

  clear(): void {
    this.#line.clear();
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

async function ordinary(path: string): Promise<Stats | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function planWrite(given: Values, options: Values): Planned {
  const file = textOf(options.file);
  const data = given.data instanceof Uint8Array ? given.data : undefined;
  if ((file === undefined) === (data === undefined))
    throw usageError(
      file === undefined ? "nothing is to be written" : "--data and --file are both given",
      "give --data BYTES, or --file FILE (- for standard input)",
    );
  if (data !== undefined && data.length <= SEGMENT_PIECE_BYTES) return undefined;
  const position = numberOf(given.position) ?? 0;
  return async ({ via, capability, locateTimeoutMs }) => {
    const length = data?.length ?? (file === undefined ? undefined : (await ordinary(file))?.size);
    const source = (): Chunks =>
      data !== undefined
        ? [data]
        : file === undefined || file === "-"
          ? process.stdin
          : createReadStream(file);
    const progress = new Progress(length);
    try {
      const bytes = await writeSegment(via, capability, source(), {
        ...{ position, locateTimeoutMs, written: (done: number) => progress.say(done) },
        ...(length === undefined ? {} : { length }),
      });
      progress.clear();
      if (options.json === true) emit("segment write", true, { bytes }, () => "");
      else narrate(`segment write: ${bytes} bytes`);
    } finally {
      progress.clear();
    }
  };
}

/** Writes pieces to where `output` says; answers how many bytes those were. */
async function save(pieces: AsyncIterable<Uint8Array>, output: string): Promise<number> {
  let bytes = 0;
  const counted = async function* () {
    for await (const piece of pieces) {
      bytes += piece.length;
      yield piece;
    }
  };
  // A piece in the stream and one on its way: no more.
  const source = Readable.from(counted(), { highWaterMark: 1 });
  if (output === "-") {
    await pipeline(source, process.stdout, { end: false });
    return bytes;
  }
  const special = (await exists(output)) && (await ordinary(output)) === undefined;
  const path = special ? output : `${output}.part-${process.pid}`;
  try {
    await pipeline(source, createWriteStream(path, special ? {} : { flags: "wx" }));
    if (!special) await rename(path, output);
  } catch (error) {
    if (!special) await rm(path, { force: true });
    throw error;
  }
  return bytes;
}

function planRead(given: Values, options: Values): Planned {
  const output = textOf(options.output);
  const length = numberOf(given.length);
  if (output === undefined && (length ?? 0) <= SEGMENT_PIECE_BYTES) return undefined;
  if (output === undefined && (options.json === true || process.stdout.isTTY))
    throw usageError(
      `${length} bytes are too many to show`,
      "give --output FILE, or a pipe and no --json",
      "LENGTH_INVALID",
    );
  const [position, count] = [numberOf(given.position) ?? 0, numberOf(given.count)];
  return async ({ via, capability, locateTimeoutMs }) => {
    const wanted = length ?? count;
    const progress = new Progress(wanted);
    const shown = async function* () {
      let done = 0;
      const range = wanted === undefined ? { position } : { position, length: wanted };
      for await (const piece of readSegment(via, capability, { ...range, locateTimeoutMs })) {
        yield piece;
        done += piece.length;
        progress.say(done);
      }
    };
    try {
      const bytes = await save(shown(), output ?? "-");
      progress.clear();
      if (output === undefined || output === "-") return;
      emit(
        "segment read",
        options.json === true,
        { bytes, file: output },
        () => `${bytes} bytes in ${output}`,
      );
    } finally {
      progress.clear();
    }
  };
}

function planMap(given: Values, options: Values): Planned {
  const write = given.write === true;
  return async ({ via, capability, locateTimeoutMs }) => {
    const { path, bytes, tag } = await findSegment(via, capability, { write, locateTimeoutMs });
    const shown = { path, bytes, tag, write };
    emit("segment map", options.json === true, shown, () => `${bytes} bytes at ${path} (proteus-${tag})`);
  };
}

const specials: Readonly<Record<string, Special>> = {
  write: {
    options: { "--file <file>": "write this file's bytes, of any length; - is standard input" },
    instead: ["data"],
    notes: `  proteus segment write SEGMENT --file image.bin

Data of more than 1 MiB goes in pieces; another writer may come between two of them. A file is
refused before its first byte when it does not fit into the segment.`,
    plan: planWrite,
  },
  map: {
    options: {},
    instead: [],
    notes: `  head -c 64 "$(proteus segment map SEGMENT --json | jq -r .path)" | hexdump -C

Only for processes of the segment's own machine, which may look at its agent (the same user, or
root). The file is there until the segment grows or is destroyed, or the agent ends; who has it
mapped then keeps what it last held. Programs map it with mapSegment() of the library.`,
    plan: planMap,
  },
  read: {
    options: {
      "-o, --output <file>": "write the bytes into this file, to the segment's end; - is standard output",
    },
    instead: [],
    notes: `  proteus segment read SEGMENT -o image.bin
  proteus segment read SEGMENT --position 1M --length 16M -o - | sha256sum

With --output, and for a --length of more than 1 MiB, bytes come in pieces; another writer may
come between two of them. The file appears when all of them are there.`,
    plan: planRead,
  },
};

/** Adds `segment` to the program. */
export function registerSegment(program: Command): void {
  registerServer(program, segmentTable, specials);
}
