// `proteus mkdir`, `rm`, `mv`, `ln`: names of the pool made, taken away, moved, shared.
//
// - Of several paths each is tried; what failed is said at the end.
// - Names only: what they stand for stays, except with `rm --destroy`.

import type { Command } from "@commander-js/extra-typings";
import { type CapabilitySet, setOf } from "../../capability/set.js";
import { notDirectory } from "../../files/errors.js";
import { Failures } from "../../files/failures.js";
import type { Files } from "../../files/files.js";
import { removeTree } from "../../files/remove.js";
import { usageError } from "../../kernel/errors.js";
import { emit } from "../output.js";
import { parseTarget } from "../target.js";
import { counted, narrateReport, shown, throwIfFailed } from "./report.js";
import { exitHelp, type FilesOptions, filesHelp, onFiles, withFiles } from "./session.js";

const mkdirHelp = `
${filesHelp}

Examples:
  proteus mkdir /home
  proteus mkdir -p /home/alice/letters /home/bob
${exitHelp}`;

const rmHelp = `
A name goes; what it stood for stays for its other names, and is taken by ageing when it has none.
With -r a directory goes with everything below it, wherever else that directory may have a name.
${filesHelp}

Examples:
  proteus rm /home/old.txt
  proteus rm -r /home/project --dry-run
  proteus rm --destroy /home/secret.txt
${exitHelp}`;

const mvHelp = `
TO is a new name, a file whose place is taken, or a directory to move FROM into. A move within the
pool's directory servers is one step; nothing is ever without a name.
${filesHelp}

Examples:
  proteus mv /home/a.txt /home/b.txt
  proteus mv /home/a.txt /home/b.txt /archive
${exitHelp}`;

const lnHelp = `
TARGET is a path, a capability, @FILE, or NODE:SERVER of a lab. The new name gives what the
target's capability gives. Directories may have several names too.
${filesHelp}

Examples:
  proteus ln /home/thesis.pdf /public/thesis.pdf
  proteus ln @bob.capability /home/from-bob
  proteus ln n1:bullet /profile/cap/bulletsvr/n1
${exitHelp}`;

interface MkdirOptions extends FilesOptions {
  readonly parents: boolean;
}

async function mkdir(paths: readonly string[], options: MkdirOptions): Promise<void> {
  const failures = new Failures();
  const made: string[] = [];
  await onFiles(options, (files) =>
    failures.until(async () => {
      for (const path of paths)
        await failures.around(path, async () => {
          if (await files.makeDirectory(path, { parents: options.parents })) made.push(files.absolute(path));
        });
    }),
  );
  finish("mkdir", options.json, failures, { made }, made.map(shown), paths.length === 1);
}

interface RmOptions extends FilesOptions {
  readonly recursive: boolean;
  readonly dryRun: boolean;
  readonly destroy: boolean;
}

const namesMax = 10_000;

async function rm(paths: readonly string[], options: RmOptions): Promise<void> {
  const { recursive, dryRun, destroy } = options;
  const failures = new Failures();
  const sum = { files: 0, directories: 0 };
  const names: string[] = [];
  const removed = (entry: { readonly path: string; readonly isDirectory: boolean }): void => {
    if (names.length < namesMax) names.push(`${entry.path}${entry.isDirectory ? "/" : ""}`);
  };
  await onFiles(options, (files) =>
    failures.until(async () => {
      for (const path of paths)
        await failures.around(path, async () => {
          const report = await removeTree(files, path, { recursive, dryRun, destroy, failures, removed });
          sum.files += report.files;
          sum.directories += report.directories;
        });
    }),
  );
  const words =
    `${dryRun ? "would remove" : "removed"} ${counted(sum.files, "name")} of files and ` +
    counted(sum.directories, "directory", "directories");
  const lines = dryRun ? [...names.map(shown), words] : [words];
  finish(
    "rm",
    options.json,
    failures,
    { dryRun, ...sum, removed: names },
    lines,
    paths.length === 1 && !recursive,
  );
}

interface MvOptions extends FilesOptions {
  readonly replace: boolean;
}

async function mv(given: readonly string[], options: MvOptions): Promise<void> {
  const to = given.at(-1);
  if (to === undefined || given.length < 2)
    throw usageError("it is not said where to", "proteus mv FROM… TO");
  const paths = given.slice(0, -1);
  const failures = new Failures();
  const moved: { readonly from: string; readonly to: string }[] = [];
  await onFiles(options, async (files) => {
    if (paths.length > 1) await needDirectory(files, to);
    await failures.until(async () => {
      for (const path of paths)
        await failures.around(path, async () => {
          const place = await files.move(path, to, { replace: options.replace });
          moved.push({ from: files.absolute(path), to: place });
        });
    });
  });
  const lines = moved.map((each) => `${shown(each.from)} is ${shown(each.to)} now`);
  finish("mv", options.json, failures, { moved }, lines, paths.length === 1);
}

async function needDirectory(files: Files, path: string): Promise<void> {
  if ((await files.find(path))?.isDirectory !== true) throw notDirectory(files.absolute(path));
}

interface LnOptions extends FilesOptions {
  readonly replace: boolean;
}

async function ln(target: string, path: string, options: LnOptions): Promise<void> {
  const { lab, control, controlCa, tokenFile, replace } = options;
  const isPath = target.startsWith("/");
  const named = isPath
    ? null
    : setOf(await parseTarget(target, "bullet", { lab, control, controlCa, tokenFile }));
  await onFiles(options, async (files) => {
    const set: CapabilitySet = named ?? (await files.names.lookup(target));
    const place = isPath
      ? await files.into(path, target.slice(target.lastIndexOf("/") + 1))
      : files.absolute(path);
    const replaced = await files.link(set, place, { replace });
    emit("ln", options.json, { path: place, replaced }, () => shown(place));
  });
}

function finish(
  command: string,
  json: boolean,
  failures: Failures,
  document: object,
  lines: readonly string[],
  single: boolean,
): void {
  if (!json && !(single && failures.count > 0)) narrateReport(command, failures.report);
  if (json || lines.length > 0)
    emit(command, json, { ...document, ...failures.report }, () => lines.join("\n"));
  throwIfFailed(command, failures, single);
}

/** Adds the options of all, and what is done; `words` are the arguments and then the options. */
function done(command: unknown, help: string, work: (...words: never[]) => Promise<void>): void {
  withFiles(command as Command)
    .addHelpText("after", help)
    .action((...words: readonly unknown[]) => work(...(words as never[])));
}

export function registerMkdir(program: Command): void {
  const command = program
    .command("mkdir")
    .description("make directories in the pool")
    .argument("<path...>", "their names")
    .option("-p, --parents", "those on the way too; one that is there is no error", false);
  done(command, mkdirHelp, mkdir);
}

export function registerRm(program: Command): void {
  const command = program
    .command("rm")
    .description("take names of the pool away")
    .argument("<path...>", "names of files, or of empty directories")
    .option("-r, --recursive", "directories with everything below them", false)
    .option("-n, --dry-run", "only say what would go", false)
    .option("--destroy", "end the files too: their other names lead to nothing then", false);
  done(command, rmHelp, rm);
}

export function registerMv(program: Command): void {
  const command = program
    .command("mv")
    .description("move names of the pool")
    .usage("[options] <from...> <to>")
    .argument("<from...>", "names of the pool, and last where they go")
    .option("--no-replace", "leave a file alone that has the new name");
  done(command, mvHelp, mv);
}

export function registerLn(program: Command): void {
  const command = program
    .command("ln")
    .description("give something another name in the pool")
    .argument("<target>", "a path, a capability, @FILE, or NODE:SERVER")
    .argument("<path>", "the new name")
    .option("--replace", "take the place of a file that has the name", false);
  done(command, lnHelp, ln);
}
