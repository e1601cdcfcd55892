// `proteus put`: files and trees of this machine into the pool.
//
// - As cp has it: into a directory that is there, else under the new name; `DIR/.` is what is in it.
// - What fails is said at the end; the rest is done.

import { basename } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { isDirectory, notDirectory } from "../../files/errors.js";
import { Failures } from "../../files/failures.js";
import type { Files } from "../../files/files.js";
import { measureSource, putTree } from "../../files/trees.js";
import { usageError } from "../../kernel/errors.js";
import { DiskSource } from "../../node/disk-tree.js";
import { emit, narrate } from "../output.js";
import { TransferProgress } from "./progress.js";
import { bytesText, counted, narrateReport, shown, throwIfFailed } from "./report.js";
import { exitHelp, filesHelp, onFiles, type StoringOptions, storingHelp, withStoring } from "./session.js";

const help = `
PATH is a new name, a file that gets new contents, or a directory to put FILE into. A file is
seen under its name when all of it is stored, and takes another's place in one step. - is
standard input. Permissions, owners and times are not kept; symbolic links and what is no file
are left out, and it is said which.
${filesHelp}
${storingHelp}

Examples:
  proteus put thesis.pdf /home/thesis.pdf
  proteus put -r src test /home/project
  tar c . | proteus put - /backup/today.tar --server n2
${exitHelp}`;

interface PutOptions extends StoringOptions {
  readonly recursive: boolean;
  readonly follow: boolean;
  readonly replace: boolean;
}

interface Item {
  readonly file: string;
  readonly path: string;
}

/** Where each FILE goes. */
async function placed(files: Files, given: readonly string[], path: string): Promise<readonly Item[]> {
  const named = (file: string): string => {
    const name = file === "-" ? "" : basename(file);
    return name === "." || name === ".." || name === "" ? "" : name;
  };
  if (given.length === 1) {
    const [file = ""] = given;
    const name = named(file);
    return [{ file, path: name === "" ? files.absolute(path) : await files.into(path, name) }];
  }
  const directory = await files.find(path);
  if (directory?.isDirectory !== true) throw notDirectory(files.absolute(path));
  return Promise.all(given.map(async (file) => ({ file, path: await files.into(path, named(file)) })));
}

async function put(given: readonly string[], path: string, options: PutOptions): Promise<void> {
  const failures = new Failures();
  const progress = new TransferProgress(options.json);
  const sum = { files: 0, directories: 0, bytes: 0, replaced: 0, special: 0 };
  const began = performance.now();
  const one = async (files: Files, { file, path: to }: Item): Promise<void> => {
    if (file === "-") {
      const content = { open: () => process.stdin, again: false };
      let bytes = 0;
      const piece = (data: Uint8Array): void => {
        bytes += data.length;
        progress.moved(data.length);
      };
      const { replaced } = await files.write(to, content, { replace: options.replace, watch: { piece } });
      sum.files++;
      sum.bytes += bytes;
      if (replaced) sum.replaced++;
      return;
    }
    const source = new DiskSource(file, { follow: options.follow });
    if ((await source.top()).kind === "directory" && !options.recursive) throw isDirectory(file);
    const report = await putTree(files, source, to, { replace: options.replace, watch: progress, failures });
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += report[key];
  };
  try {
    await onFiles(options, async (files) => {
      const items = await placed(files, given, path);
      if (progress.isShown && !given.includes("-")) progress.whole = await wholeOf(items, options.follow);
      await failures.until(async () => {
        for (const item of items) await failures.around(item.file, () => one(files, item));
      });
    });
  } finally {
    progress.clear();
  }
  const seconds = (performance.now() - began) / 1000;
  narrateIn(options.json, failures, sum.special);
  emit("put", options.json, { path, ...sum, seconds, ...failures.report }, () =>
    [
      `${counted(sum.files, "file")}, ${counted(sum.directories, "new directory", "new directories")}, ` +
        `${bytesText(sum.bytes)} in ${seconds.toFixed(1)} s to ${shown(path)}`,
    ].join("\n"),
  );
  throwIfFailed("put", failures, given.length === 1 && !options.recursive);
}

function narrateIn(json: boolean, failures: Failures, special: number): void {
  if (json) return;
  narrateReport("put", failures.report);
  if (special > 0)
    narrate(
      `put: ${counted(special, "thing has", "things have")} permissions that are not kept (not 644, or 755)`,
    );
}

async function wholeOf(items: readonly Item[], follow: boolean): Promise<{ files: number; bytes: number }> {
  const whole = { files: 0, bytes: 0 };
  for (const { file } of items) {
    const part = await measureSource(new DiskSource(file, { follow })).catch(() => ({ files: 0, bytes: 0 }));
    whole.files += part.files;
    whole.bytes += part.bytes;
  }
  return whole;
}

/** Adds `put` to the program. */
export function registerPut(program: Command): void {
  const command = program
    .command("put")
    .description("store files of this machine in the pool, under a name")
    .usage("[options] <file...> <path>")
    .argument("<file...>", "files of this machine (- is standard input), and last where they go in the pool")
    .option("-r, --recursive", "whole directories", false)
    .option("-L, --follow", "what symbolic links lead to, instead of leaving them out", false)
    .option("--no-replace", "leave files alone that are there already");
  withStoring(command as unknown as Command)
    .addHelpText("after", help)
    .action((...words: readonly unknown[]) => {
      const given = words[0] as readonly string[];
      const path = given.at(-1);
      if (path === undefined || given.length < 2)
        throw usageError("it is not said where the file goes", "proteus put FILE… PATH, as cp has it");
      return put(given.slice(0, -1), path, words[1] as PutOptions);
    });
}
