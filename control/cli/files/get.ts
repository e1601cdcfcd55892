// `proteus get` and `proteus cat`: files and trees of the pool out to this machine.
//
// - A file appears when it is whole. Nothing is written outside of the place that was named,
//   whatever names and links say (node/disk-tree.ts).

import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { isDirectory } from "../../files/errors.js";
import { Failures } from "../../files/failures.js";
import type { Files } from "../../files/files.js";
import { lastOf } from "../../files/places.js";
import { usageOf } from "../../files/survey.js";
import { getTree } from "../../files/trees.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { DiskTarget } from "../../node/disk-tree.js";
import { emit } from "../output.js";
import { parseSize } from "../quantity.js";
import { TransferProgress } from "./progress.js";
import { bytesText, counted, narrateReport, shown, throwIfFailed } from "./report.js";
import { exitHelp, type FilesOptions, filesHelp, onFiles, withFiles } from "./session.js";

const getHelp = `
With one PATH FILE may be left out: it goes into this directory, under its own name. FILE is a new
name, a file that gets new contents, or a directory to put PATH into; - is standard output.
A file appears when it is whole. What is no file is left out, and so are names that would lead
out of FILE; a symbolic link that stands in the way is never followed.
${filesHelp}

Examples:
  proteus get /home/thesis.pdf
  proteus get -r /home/project build/
  proteus get /backup/today.tar - | tar x
${exitHelp}`;

const catHelp = `
${filesHelp}

Examples:
  proteus cat /home/notes.txt
  proteus cat /logs/big --from 1G --bytes 64K | less
${exitHelp}`;

interface GetOptions extends FilesOptions {
  readonly recursive: boolean;
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );

async function toStandardOutput(pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (!process.stdout.write(piece)) await once(process.stdout, "drain");
  }
  return bytes;
}

async function get(given: readonly string[], options: GetOptions): Promise<void> {
  const paths = given.length === 1 ? given : given.slice(0, -1);
  const file = given.length === 1 ? "." : (given.at(-1) ?? ".");
  if (file === "-") {
    if (options.json || paths.length !== 1)
      throw usageError("standard output takes the bytes of one file", "give one PATH, and no --json");
    return cat(paths, { ...options });
  }
  const isInto = await isFolder(file);
  if (!isInto && (paths.length > 1 || file.endsWith("/")))
    throw new ProteusError({
      code: "FILES_NOT_DIRECTORY",
      exit: exitCodes.notFound,
      message: `${file} is no directory of this machine`,
      why: "several things, or one with a / behind it, need one",
      unchanged: "nothing was written",
      hint: `make it first: mkdir -p ${file}`,
    });
  const failures = new Failures();
  const progress = new TransferProgress(options.json);
  const sum = { files: 0, directories: 0, bytes: 0 };
  const began = performance.now();
  const one = async (files: Files, path: string): Promise<void> => {
    const place = files.absolute(path);
    const isTree = (await files.stat(place)).kind === "directory";
    if (isTree && !options.recursive) throw isDirectory(place);
    const name = lastOf(place);
    const target = new DiskTarget(isInto && name !== "" ? join(file, name) : file);
    try {
      const report = await getTree(files, place, target, { watch: progress, failures });
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += report[key];
    } finally {
      await target.close();
    }
  };
  try {
    await onFiles(options, async (files) => {
      if (progress.isShown) progress.whole = await wholeOf(files, paths);
      await failures.until(async () => {
        for (const path of paths) await failures.around(path, () => one(files, path));
      });
    });
  } finally {
    progress.clear();
  }
  const seconds = (performance.now() - began) / 1000;
  if (!options.json) narrateReport("get", failures.report);
  emit("get", options.json, { file, ...sum, seconds, ...failures.report }, () =>
    [
      `${counted(sum.files, "file")}, ${counted(sum.directories, "directory", "directories")}, ` +
        `${bytesText(sum.bytes)} in ${seconds.toFixed(1)} s to ${shown(file)}`,
    ].join("\n"),
  );
  throwIfFailed("get", failures, paths.length === 1 && !options.recursive);
}

async function wholeOf(files: Files, paths: readonly string[]): Promise<{ files: number; bytes: number }> {
  const whole = { files: 0, bytes: 0 };
  for (const path of paths) {
    const usage = (await usageOf(files, path, new Failures()).catch(() => [])).at(-1);
    whole.files += usage?.files ?? 0;
    whole.bytes += usage?.bytes ?? 0;
  }
  return whole;
}

interface CatOptions extends FilesOptions {
  readonly from?: string | undefined;
  readonly bytes?: string | undefined;
}

async function cat(paths: readonly string[], options: CatOptions): Promise<void> {
  const range = {
    ...(options.from === undefined ? {} : { position: parseSize(options.from, Number.MAX_SAFE_INTEGER) }),
    ...(options.bytes === undefined ? {} : { length: parseSize(options.bytes, Number.MAX_SAFE_INTEGER) }),
  };
  await onFiles(options, async (files) => {
    for (const path of paths) {
      if (!options.json) {
        await toStandardOutput(files.read(path, range));
        continue;
      }
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      for await (const piece of files.read(path, range)) {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > jsonBytesMax)
          throw usageError(
            `${path} is too long for a JSON document`,
            "leave out --json, or take a part: --bytes 1M",
          );
      }
      const data = Buffer.concat(pieces);
      emit("cat", true, { path: files.absolute(path), bytes, base64: data.toString("base64") }, () => "");
    }
  });
}

const jsonBytesMax = 16 * 1024 * 1024;

/** Adds `get` to the program. */
export function registerGet(program: Command): void {
  const command = program
    .command("get")
    .description("fetch files of the pool to this machine")
    .usage("[options] <path...> [file]")
    .argument("<path...>", "what is fetched; behind it where it goes (- is standard output)")
    .option("-r, --recursive", "whole directories", false);
  withFiles(command as unknown as Command)
    .addHelpText("after", getHelp)
    .action((...words: readonly unknown[]) => get(words[0] as readonly string[], words[1] as GetOptions));
}

/** Adds `cat` to the program. */
export function registerCat(program: Command): void {
  const command = program
    .command("cat")
    .description("write files of the pool to standard output")
    .argument("<path...>", "one after the other")
    .option("--from <position>", "first byte: 100, 64K, 5G")
    .option("--bytes <count>", "at most so many bytes of each");
  withFiles(command as unknown as Command)
    .addHelpText("after", catHelp)
    .action((...words: readonly unknown[]) => cat(words[0] as readonly string[], words[1] as CatOptions));
}
