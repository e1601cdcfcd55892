// The image of a Linux pool machine: Debian's kernel, and an initramfs with this computer's Node, its
// shared libraries, the project as it is built here, and the first process (init.c).
//
// - The same inputs give the same bytes: cpio.ts writes no times and no owners, entries are sorted, and
//   the init's compiler is told nothing of this computer. Not compressed: unpacking takes a machine that
//   QEMU translates longer than loading.
// - Only what an agent needs is in it: no declarations, no maps, no documents, no packages for pictures,
//   benchmarks or images.
// - The three that were made last are kept in the user's cache, by the digest of their parts.
// - Throws BOOT_NO_KERNEL, BOOT_NOT_BUILT, BOOT_TOOL_MISSING, BOOT_BUILD_FAILED.

import { createHash, type Hash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";
import { type ImageOptions, type ImagePart, imageCache } from "../image.js";
import { boundTool, runBootTool } from "../tools.js";
import { type CpioEntry, cpioPieces } from "./cpio.js";
import { findKernel } from "./kernel.js";

export interface LinuxImage {
  /** vmlinuz. */
  readonly kernel: string;
  /** The initramfs. */
  readonly path: string;
  readonly version: string;
  /** Of kernel and initramfs together. */
  readonly bytes: number;
  readonly sha256: string;
  readonly parts: readonly ImagePart[];
}

export interface LinuxImageOptions extends ImageOptions {
  /** Where boot/vmlinuz-* and lib/modules are; default PROTEUS_BOOT_KERNEL, else `/`. */
  readonly kernelFolder?: string | undefined;
}

/** Words of the kernel's own, before those of the machine. */
export const linuxWords = ["console=ttyS0", "quiet", "panic=3"] as const;
/** Memory that such a machine takes to start, MiB: the initramfs is in it twice for a moment. */
export const linuxMebibytes = 768;

const keptImages = 3;

/** Packages that no agent loads: pictures, benchmarks, images, the driver's substitute, completion. */
const leftOut = new RegExp(
  [
    "^(@hpcc-js/|@grpc/|protobufjs|@protobufjs/|@nats-io/|nats|wabt$|koffi$|@koffi|@koromix/",
    "|linkedom$|@observablehq/|d3|hdr-histogram-js$|@bomb\\.sh/)",
  ].join(""),
);
const leftOutFiles =
  /\.(ts|mts|cts|map|md|markdown|h|c|cc|cpp|o|yml)$|(^|\/)(docs|examples|test|tests|deps|src\/native)(\/|$)/;
const initFlags = ["-Os", "-static", "-s", "-fno-ident", "-Wl,--build-id=none", "-Wall", "-Werror"];

/** Whether a file of opt/proteus is for an agent; `path` is relative to opt/proteus/lib. Pure. */
export function isForAgent(path: string): boolean {
  const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  if (name !== undefined && leftOut.test(name)) return false;
  if (name === undefined && /^(core-wasm|boot|drivers|examples|docs|scripts|test)\//.test(path)) return false;
  if (name === undefined && /^dist\/(simulation|control\/bench)\//.test(path)) return false;
  return !leftOutFiles.test(path);
}

/** Paths of shared libraries, as ldd prints them. Pure. */
export function librariesIn(listing: string): string[] {
  return listing.split("\n").flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

interface Part {
  readonly name: string;
  readonly entries: readonly CpioEntry[];
}

const file = (path: string, bytes: Uint8Array, program = false): CpioEntry => ({
  ...{ kind: "file", path, bytes, program },
});

const notBuilt = (why: string): ProteusError =>
  new ProteusError({
    code: "BOOT_NOT_BUILT",
    exit: exitCodes.failed,
    message: "the image of Linux machines cannot be made",
    why,
    hint: "build it: npm run build",
  });

/** Every file below a folder, sorted, by its path from there. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Node without its symbols, and the libraries that it and the driver are linked with. */
async function nodePart(folder: string, driver: string): Promise<Part> {
  const node = join(folder, "node");
  await runBootTool(["strip", "-s", "-o", node, realpathSync(process.execPath)], folder);
  const listings = [process.execPath, driver].map((path) => runBootTool(["ldd", path], folder));
  const libraries = [...new Set((await Promise.all(listings)).flatMap(librariesIn))].sort();
  return {
    name: "Node and libraries",
    entries: [
      file("opt/proteus/bin/node", readFileSync(node), true),
      ...libraries.map((path) => file(path.slice(1), readFileSync(path), true)),
    ],
  };
}

/** The project, as `npm run bundle` lays it out, without what no agent needs. */
async function projectPart(root: string, folder: string): Promise<Part> {
  for (const path of [
    "dist/control/cli/linux-main.js",
    "build/release/kernel.wasm",
    "build/native/ethernet.node",
  ])
    if (!existsSync(join(root, path))) throw notBuilt(`${path} is missing`);
  const bundle = pathToFileURL(join(root, "scripts", "bundle.mjs")).href;
  const { layOut } = (await import(bundle)) as {
    layOut: (to: string, wanted: (path: string) => boolean) => void;
  };
  layOut(folder, isForAgent);
  const lib = join(folder, "opt", "proteus", "lib");
  const entries = filesBelow(lib)
    .filter(isForAgent)
    .map((path) => file(`opt/proteus/lib/${path}`, readFileSync(join(lib, path))));
  return { name: "project", entries };
}

async function initPart(root: string, folder: string, modules: readonly string[]): Promise<Part> {
  const source = join(root, "boot", "linux", "init.c");
  const prefix = `-ffile-prefix-map=${dirname(source)}=linux`;
  await runBootTool(["gcc", ...initFlags, prefix, source, "-o", "init"], folder);
  const numbered = modules.map((path, index) => {
    const place = `${index}`.padStart(2, "0");
    return file(`modules/${place}-${path.split("/").at(-1)}`, readFileSync(path));
  });
  return {
    name: "init and modules",
    entries: [file("init", readFileSync(join(folder, "init")), true), ...numbered],
  };
}

/** Entries with the folders that they are in, each before what is in it. Pure. */
export function withFolders(entries: readonly CpioEntry[]): CpioEntry[] {
  const folders = new Set<string>();
  for (const { path } of entries)
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) folders.add(path.slice(0, at));
  for (const own of ["dev", "proc", "sys", "run", "tmp"]) folders.add(own);
  const made = [...folders].sort().map((path): CpioEntry => ({ kind: "folder", path }));
  return [...made, ...entries];
}

function writePieces(path: string, entries: readonly CpioEntry[], hash: Hash): number {
  const to = openSync(path, "w", 0o644);
  let bytes = 0;
  try {
    for (const piece of cpioPieces(entries)) {
      for (let at = 0; at < piece.length; ) at += writeSync(to, piece, at);
      hash.update(piece);
      bytes += piece.length;
    }
  } finally {
    closeSync(to);
  }
  return bytes;
}

const bytesOf = ({ entries }: Part): number =>
  entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.bytes.length : 0), 0);

/** What tells one image from another without making it: names, sizes and times of what goes into it. */
function keyOf(root: string, kernel: string): string {
  const hash = createHash("sha256").update(JSON.stringify([2, kernel, process.version, initFlags]));
  const seen = (path: string): void => {
    if (!existsSync(path)) return;
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const path of [kernel, realpathSync(process.execPath)]) seen(path);
  for (const path of ["package-lock.json", "boot/linux/init.c", "build/native/ethernet.node"])
    seen(join(root, path));
  for (const folder of ["dist", "build/release"])
    if (existsSync(join(root, folder)))
      for (const path of filesBelow(join(root, folder))) seen(join(root, folder, path));
  return hash.digest("hex").slice(0, 32);
}

/** Removes images that were made before the newest ones: each is a hundred megabytes. */
function prune(cache: string): void {
  const made = readdirSync(cache)
    .filter((name) => /^linux-[0-9a-f]+\.cpio$/.test(name))
    .map((name) => ({ name, at: statSync(join(cache, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { name } of made.slice(keptImages))
    for (const each of [name, name.replace(/cpio$/, "json")]) rmSync(join(cache, each), { force: true });
}

/** The image of what is built here, made when it is not there yet. */
export async function buildLinuxImage(options: LinuxImageOptions): Promise<LinuxImage> {
  const { root, narrate, anew = false } = options;
  const cache = options.cache ?? imageCache();
  const found = findKernel(options.kernelFolder);
  for (const tool of ["gcc", "strip"]) boundTool(tool);
  const key = keyOf(root, found.path);
  const facts = join(cache, `linux-${key}.json`);
  const kept = join(cache, `linux-${key}.cpio`);
  if (!anew && existsSync(facts) && existsSync(kept))
    return JSON.parse(readFileSync(facts, "utf8")) as LinuxImage;
  narrate?.("building the image of Linux machines; it is kept for the next time");
  const folder = join(cache, `building-${randomBytes(6).toString("hex")}`);
  mkdirSync(folder, { recursive: true });
  try {
    const parts = [
      await initPart(root, folder, found.modules),
      await nodePart(folder, join(root, "build", "native", "ethernet.node")),
      await projectPart(root, folder),
    ];
    const kernel = readFileSync(found.path);
    const hash = createHash("sha256").update(kernel);
    const made = join(folder, "initramfs");
    const bytes = writePieces(made, withFolders(parts.flatMap(({ entries }) => entries)), hash);
    const inside = parts.map((part) => ({ name: part.name, bytes: bytesOf(part) }));
    const headers = bytes - inside.reduce((sum, part) => sum + part.bytes, 0);
    const image: LinuxImage = {
      ...{ kernel: found.path, path: kept, version: found.version },
      ...{ bytes: kernel.length + bytes, sha256: hash.digest("hex") },
      parts: [
        { name: "kernel", bytes: kernel.length },
        ...inside,
        { name: "names and padding", bytes: headers },
      ],
    };
    writeFileSync(join(folder, "facts"), JSON.stringify(image));
    renameSync(made, kept);
    renameSync(join(folder, "facts"), facts);
    prune(cache);
    return image;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
