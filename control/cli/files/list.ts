// `proteus ls`, `tree`, `stat`, `find`, `du`: what the pool's names stand for.
//
// - Capabilities are not shown: whoever reads over a shoulder would have them. `capability show`
//   shows one.

import type { Command } from "@commander-js/extra-typings";
import { portHex } from "../../capability/port.js";
import { claims } from "../../capability/private-part.js";
import { inOrder } from "../../capability/set.js";
import { Failures } from "../../files/failures.js";
import type { Details, Entry, Files } from "../../files/files.js";
import { findBelow, usageOf } from "../../files/survey.js";
import { usageError } from "../../kernel/errors.js";
import { emit } from "../output.js";
import { parseCount } from "../quantity.js";
import { table } from "../table.js";
import { narrateReport, shown, throwIfFailed } from "./report.js";
import { exitHelp, type FilesOptions, filesHelp, onFiles, withFiles } from "./session.js";

const letters = { directory: "d", file: "-", object: "o", lost: "?" } as const;

const bits = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;
const timeText = (time: number | undefined): string =>
  time === undefined ? "-" : new Date(time * 1000).toISOString().replace("T", " ").slice(0, 19);

/** What our capability of it allows. */
function rightsOf({ set }: Entry): number | null {
  const [first] = set === undefined ? [] : inOrder(set);
  return first === undefined ? null : claims(first.private).rights;
}

const nameText = ({ name, isDirectory }: Entry): string =>
  `${shown(name)}${isDirectory && name !== "/" ? "/" : ""}`;

/** An entry as a document; without its capability. */
function plain(entry: Entry | Details) {
  const { path, name, isDirectory, masks, time, set } = entry;
  const details = "kind" in entry ? entry : null;
  return {
    ...{ path, name, kind: details?.kind ?? (isDirectory ? "directory" : null) },
    ...{ bytes: details?.bytes ?? null, rights: rightsOf(entry), masks, time: time ?? null },
    ...{ copies: set?.members.length ?? 0 },
    ...(details?.why === undefined ? {} : { why: details.why }),
  };
}

function longText(entries: readonly Details[]): string {
  if (entries.length === 0) return "";
  const rows = entries.map((entry) => {
    const rights = rightsOf(entry);
    return [
      letters[entry.kind],
      rights === null ? "-" : bits(rights),
      entry.bytes ?? "-",
      timeText(entry.time),
      nameText(entry),
    ];
  });
  return table(["kind", "rights", "bytes", "named (UTC)", "name"], rows);
}

// ---- ls ----------------------------------------------------------------------------------

const lsHelp = `
With -l: kind (d directory, - file, o another object, ? its server does not answer), the rights of
the capability that the name gives you, length, when it got the name.
${filesHelp}

Examples:
  proteus ls
  proteus ls -l /home
  proteus ls /home --json
${exitHelp}`;

interface LsOptions extends FilesOptions {
  readonly long: boolean;
}

/** The entries of a directory, or what else stands there. */
async function listed(files: Files, path: string): Promise<readonly Entry[]> {
  const entry = await files.find(path);
  if (entry !== null && !entry.isDirectory) return [entry];
  return files.list(path);
}

async function ls(path: string, options: LsOptions): Promise<void> {
  await onFiles(options, async (files) => {
    const entries = await listed(files, path);
    const details = options.long || options.json ? await files.examineAll(entries) : [];
    const document = { path: files.absolute(path), entries: details.map(plain) };
    emit("ls", options.json, document, () =>
      options.long ? longText(details) : entries.map(nameText).join("\n"),
    );
  });
}

// ---- tree --------------------------------------------------------------------------------

const treeHelp = `
${filesHelp}

Examples:
  proteus tree /home
  proteus tree -L 2
${exitHelp}`;

interface TreeOptions extends FilesOptions {
  readonly level?: string | undefined;
}

async function tree(path: string, options: TreeOptions): Promise<void> {
  const depth = options.level === undefined ? Number.POSITIVE_INFINITY : parseCount(options.level, 1000);
  const failures = new Failures();
  const entries: Entry[] = [];
  await onFiles(options, (files) =>
    failures.until(async () => {
      for await (const entry of files.walk(path, { failures, depth })) entries.push(entry);
    }),
  );
  if (!options.json) narrateReport("tree", failures.report);
  emit("tree", options.json, { entries: entries.map(plain), ...failures.report }, () => treeText(entries));
  throwIfFailed("tree", failures, false);
}

/** Each entry behind lines that lead to the directory it stands in. */
export function treeText(entries: readonly Entry[]): string {
  const [top, ...rest] = entries;
  if (top === undefined) return "";
  const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));
  const last = new Map(rest.map(({ path }) => [parentOf(path), path]));
  const prefixes = new Map([[top.path, ""]]);
  const lines = rest.map((entry) => {
    const parent = parentOf(entry.path);
    const before = prefixes.get(parent) ?? "";
    const isLast = last.get(parent) === entry.path;
    if (entry.isDirectory) prefixes.set(entry.path, `${before}${isLast ? "    " : "│   "}`);
    return `${before}${isLast ? "└── " : "├── "}${nameText(entry)}`;
  });
  return [shown(top.path), ...lines].join("\n");
}

// ---- stat --------------------------------------------------------------------------------

const statHelp = `
Masks are the rights that each column of the directory gives at most. Of the capabilities only what
they are for is shown: proteus capability show PATH shows the first in full.
${filesHelp}

Example:
  proteus stat /home/thesis.pdf
${exitHelp}`;

async function stat(paths: readonly string[], options: FilesOptions): Promise<void> {
  const found: Details[] = [];
  await onFiles(options, async (files) => {
    for (const path of paths) found.push(await files.stat(path));
  });
  const members = ({ set }: Entry) =>
    (set?.members ?? []).map(({ capability, current }) => ({
      ...{ port: portHex(capability.port), ...claims(capability.private), current },
    }));
  const documents = found.map((entry) => ({ ...plain(entry), members: members(entry) }));
  emit("stat", options.json, { entries: documents }, () =>
    found
      .map((entry) =>
        [
          `path    ${shown(entry.path)}`,
          `kind    ${entry.kind}${entry.why === undefined ? "" : `: ${shown(entry.why)}`}`,
          ...(entry.bytes === undefined ? [] : [`bytes   ${entry.bytes}`]),
          ...(entry.time === undefined ? [] : [`named   ${timeText(entry.time)} UTC`]),
          ...(entry.masks.length === 0 ? [] : [`masks   ${entry.masks.map(bits).join(" ")}`]),
          ...members(entry).map(
            ({ port, object, rights, current }) =>
              `at      ${port}, object ${object}, rights ${bits(rights)}${current ? "" : ", out of date"}`,
          ),
        ].join("\n"),
      )
      .join("\n\n"),
  );
}

// ---- find --------------------------------------------------------------------------------

const kinds = { d: "directory", f: "file", o: "object", l: "lost" } as const;

const findHelp = `
Types: d directory, f file, o another object, l lost: its server does not answer, or it is gone.
${filesHelp}

Examples:
  proteus find /home --name '*.ts' --type f
  proteus find --type l
${exitHelp}`;

interface FindOptions extends FilesOptions {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
}

async function find(path: string, options: FindOptions): Promise<void> {
  const { name, type } = options;
  const kind = type === undefined ? undefined : kinds[type as keyof typeof kinds];
  if (type !== undefined && kind === undefined)
    throw usageError(`"${type}" is no type`, "it is d (directory), f (file), o (another object) or l (lost)");
  const failures = new Failures();
  const found: (Entry | Details)[] = [];
  await onFiles(options, (files) =>
    failures.until(async () => {
      const wanted = { ...(name === undefined ? {} : { name }), ...(kind === undefined ? {} : { kind }) };
      for await (const entry of findBelow(files, path, wanted, failures)) found.push(entry);
    }),
  );
  if (!options.json) narrateReport("find", failures.report);
  emit("find", options.json, { entries: found.map(plain), ...failures.report }, () =>
    found.map((entry) => shown(entry.path)).join("\n"),
  );
  throwIfFailed("find", failures, false);
}

// ---- du ----------------------------------------------------------------------------------

const duHelp = `
A file with several names counts once, at the first. Servers that keep the same content once need
less: proteus bullet status says what they hold.
${filesHelp}

Examples:
  proteus du /home
  proteus du -s /home --json
${exitHelp}`;

interface DuOptions extends FilesOptions {
  readonly summarize: boolean;
}

async function du(path: string, options: DuOptions): Promise<void> {
  const failures = new Failures();
  const all = await onFiles(options, (files) => usageOf(files, path, failures));
  const some = options.summarize ? all.slice(-1) : all;
  if (!options.json) narrateReport("du", failures.report);
  emit("du", options.json, { usage: some, ...failures.report }, () =>
    table(
      ["bytes", "files", "path"],
      some.map((each) => [each.bytes, each.files, shown(each.path)]),
    ),
  );
  throwIfFailed("du", failures, false);
}

// ---- all ---------------------------------------------------------------------------------

type Work<Options> = (path: string, options: Options) => Promise<void>;

/** A command for one path, which is the root when it is left out. */
function onPath<Options>(command: Command, help: string, work: Work<Options>): void {
  command.argument("[path]", "where to look; default the root", "/");
  withFiles(command)
    .addHelpText("after", help)
    .action((...words: readonly unknown[]) => work(String(words[0]), words[1] as Options));
}

export function registerLs(program: Command): void {
  const command = program
    .command("ls")
    .description("list the names of a directory of the pool")
    .option("-l, --long", "with kind, rights, length and time", false);
  onPath(command as unknown as Command, lsHelp, ls);
}

export function registerTree(program: Command): void {
  const command = program
    .command("tree")
    .description("draw what is below a directory of the pool")
    .option("-L, --level <count>", "so many levels deep");
  onPath(command as unknown as Command, treeHelp, tree);
}

export function registerFind(program: Command): void {
  const command = program
    .command("find")
    .description("find names of the pool by pattern and type")
    .option("--name <pattern>", "names as a shell's pattern has them: '*.ts', '[a-c]?'")
    .option("--type <letter>", "d, f, o or l");
  onPath(command as unknown as Command, findHelp, find);
}

export function registerDu(program: Command): void {
  const command = program
    .command("du")
    .description("how much the directories of the pool hold")
    .option("-s, --summarize", "only the whole", false);
  onPath(command as unknown as Command, duHelp, du);
}

export function registerStat(program: Command): void {
  const command = program
    .command("stat")
    .description("what a name of the pool stands for")
    .argument("<path...>", "names of the pool");
  withFiles(command as unknown as Command)
    .addHelpText("after", statHelp)
    .action((...words: readonly unknown[]) => stat(words[0] as readonly string[], words[1] as FilesOptions));
}
