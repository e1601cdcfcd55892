// Builds the image of a machine without an operating system: kernel.wasm and metal.wasm as C by
// wasm2c, with the shim (boot/shim), compiled and linked into an ELF file that QEMU and other
// multiboot or PVH loaders start.
//
// - The same inputs give the same bytes: nothing of place, time or order gets in. What is built is
//   kept under the digest of all inputs (modules, shim, flags, the compiler's version), so a second
//   time costs nothing.
// - metal.json says which kernel.wasm metal.wasm was built with; with another no image is made.
// - What nobody calls (exports of the kernel for the command line, above all) is left out by the linker.
// - Linked twice: the names of all functions go in as a table for the panic's back trace, behind
//   everything that has an address of its own.
// - Throws BOOT_NOT_BUILT, BOOT_KERNEL_DIFFERS, BOOT_TOOL_MISSING, BOOT_BUILD_FAILED.

import { createHash, randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { exitCodes, ProteusError } from "../control/kernel/errors.js";
import { boundTool, runBootTool } from "./tools.js";

/** A piece of the image, in bytes of the file. */
export interface ImagePart {
  readonly name: string;
  readonly bytes: number;
}

export interface Image {
  /** The ELF file. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly parts: readonly ImagePart[];
}

export interface ImageOptions {
  /** The folder of package.json. */
  readonly root: string;
  /** Where images are kept; default: the user's cache. */
  readonly cache?: string | undefined;
  /** One line for people. */
  readonly narrate?: (line: string) => void;
  /** Build it although it is there. */
  readonly anew?: boolean;
}

const modules = ["kernel", "metal"] as const;
const shimSources = ["boot.S", "shim.c", "machine.c", "panic.c"] as const;
const flags = [
  ...["-O2", "-m64", "-march=x86-64", "-mno-red-zone", "-mcmodel=small", "-ffreestanding", "-fno-pic"],
  ...["-fno-pie", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-strict-aliasing"],
  ...["-fno-math-errno", "-fcf-protection=none", "-fno-omit-frame-pointer"],
  ...["-fno-tree-loop-distribute-patterns", "-fno-ident", "-ffunction-sections", "-w"],
  // Empty room in front of functions and loops would take the image past a quarter of a mebibyte.
  ...["-fno-align-functions", "-fno-align-loops", "-fno-align-jumps", "-fno-align-labels"],
  "-fno-tree-vectorize",
];
/** Of all but the kernel: the rest waits for devices and does little else. The last -O is taken. */
const small = ["-Oz", "-freorder-blocks-algorithm=simple", "-fno-inline-functions"] as const;
const linkFlags = [
  ...["-n", "-static", "-nostdlib", "--gc-sections", "-z", "noexecstack", "--build-id=none", "-w"],
];

/** Where images are kept. */
export function imageCache(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "proteus", "images");
}

function notBuilt(path: string): ProteusError {
  return new ProteusError({
    code: "BOOT_NOT_BUILT",
    exit: exitCodes.failed,
    message: "the image cannot be made",
    why: `${path} is missing`,
    hint: "build it: npm run build",
  });
}

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    throw notBuilt(path);
  }
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Throws BOOT_KERNEL_DIFFERS when metal.wasm was built with another kernel.wasm. */
export function checkTogether(kernel: Uint8Array, metalFacts: string): void {
  const { kernelSha256 } = JSON.parse(metalFacts) as { kernelSha256?: string };
  if (kernelSha256 === sha256(kernel)) return;
  throw new ProteusError({
    code: "BOOT_KERNEL_DIFFERS",
    exit: exitCodes.failed,
    message: "kernel.wasm is not the one that metal.wasm was built with",
    why: `it has SHA-256 ${sha256(kernel).slice(0, 16)}…, wanted is ${(kernelSha256 ?? "none").slice(0, 16)}…`,
    unchanged: "no image was made",
    hint: "build both again: npm run build",
  });
}

/** The table of names for the back trace, in C; `listing` is what nm prints, by address. */
export function symbolTable(listing: string): string {
  const functions = listing.split("\n").flatMap((line) => {
    const [, address, name] = /^([0-9a-f]+) [tT] (.+)$/.exec(line) ?? [];
    if (address === undefined || name === undefined || name.startsWith(".")) return [];
    return [{ address: Number.parseInt(address, 16), name: readableName(name) }];
  });
  const entries: string[] = [];
  const names: string[] = [];
  let at = 0;
  for (const { address, name } of functions) {
    entries.push(`{0x${address.toString(16)}u, ${at}u}`);
    names.push(`"${name}\\0"`);
    at += name.length + 1;
  }
  const section = '__attribute__((section(".symbols")))';
  return [
    `const struct { unsigned address, name; } symbols[] ${section} = {`,
    ...entries.map((entry) => `  ${entry},`),
    "  {0, 0}};",
    `const char symbol_names[] ${section} =`,
    ...names.map((name) => `  ${name}`),
    '  "";',
    "",
  ].join("\n");
}

/** `w2c_metal_boot0x2Fmetal0x2Fecho0x2FechoServe` as `metal echoServe`. */
function readableName(name: string): string {
  const [, module, rest] = /^w2c_(kernel|metal)_(.+)$/.exec(name) ?? [];
  if (module === undefined || rest === undefined) return name;
  const parts = rest.split(/_?0x2F/);
  return `${module} ${(parts.at(-1) ?? rest).replace(/_?0x5F/g, "_").replace(/[^A-Za-z0-9_#~.]/g, "")}`;
}

/** Bytes of the image by object file, as the linker's map has them; what is zeros takes none. */
export function loadedBytes(map: string): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  const [, placed = ""] = map.split("Linker script and memory map");
  const [image = ""] = placed.split(/^\.bss/m);
  for (const [, size = "", name = ""] of image.matchAll(/ 0x[0-9a-f]+ +0x([0-9a-f]+) (\S+\.o)$/gm))
    sizes.set(name, (sizes.get(name) ?? 0) + Number.parseInt(size, 16));
  return sizes;
}

function wasm2c(): string {
  const manifest = createRequire(import.meta.url).resolve("wabt/package.json");
  return join(dirname(manifest), "bin", "wasm2c");
}

/** Builds the image in `folder`, an empty one. */
async function build(root: string, folder: string): Promise<Image> {
  const shim = join(root, "boot", "shim");
  const cc = (...words: string[]) => runBootTool(["gcc", ...flags, ...words], folder);
  const include = [`-ffile-prefix-map=${folder}=.`, `-ffile-prefix-map=${shim}=shim`, `-I${shim}`, "-I."];
  await Promise.all(
    modules.map(async (name) => {
      const from = join(root, "build", "release", `${name}.wasm`);
      await runBootTool([process.execPath, wasm2c(), from, "-n", name, "-o", `${name}.c`], folder);
      await cc(...include, ...(name === "kernel" ? [] : small), "-c", `${name}.c`, "-o", `${name}.o`);
    }),
  );
  for (const source of shimSources)
    await cc(...include, ...small.slice(1), "-c", join(shim, source), "-o", source.replace(/\.[cS]$/, ".o"));
  const library = (await runBootTool(["gcc", "-print-libgcc-file-name"], folder)).trim();
  const objects = [...shimSources.map((source) => source.replace(/\.[cS]$/, ".o")), "kernel.o", "metal.o"];
  const link = async (table: string, output: string) => {
    writeFileSync(join(folder, "symbols.c"), table);
    await cc("-c", "symbols.c", "-o", "symbols.o");
    const words = ["-T", join(shim, "link.ld"), "-Map", "map", "-o", output];
    words.push(...objects, "symbols.o", library);
    await runBootTool(["ld", ...linkFlags, ...words], folder);
  };
  await link(symbolTable(""), "first.elf");
  await link(symbolTable(await runBootTool(["nm", "-n", "first.elf"], folder)), "image.elf");
  const linked = await runBootTool(["nm", "-n", "image.elf"], folder);
  const places = (listing: string): string =>
    listing
      .split("\n")
      .filter((line) => / [tT] /.test(line))
      .join("\n");
  if (places(linked) !== places(await runBootTool(["nm", "-n", "first.elf"], folder)))
    throw new Error("the table of names moved the functions");
  await runBootTool(["strip", "-s", "image.elf"], folder);
  const bytes = readFileSync(join(folder, "image.elf"));
  const loaded = loadedBytes(readFileSync(join(folder, "map"), "utf8"));
  const of = (...names: string[]): number => names.reduce((sum, name) => sum + (loaded.get(name) ?? 0), 0);
  const parts = [
    { name: "kernel", bytes: of("kernel.o") },
    { name: "metal", bytes: of("metal.o") },
    { name: "shim", bytes: of(...shimSources.map((source) => source.replace(/\.[cS]$/, ".o"))) },
    { name: "names", bytes: of("symbols.o") },
  ];
  const rest = bytes.length - parts.reduce((sum, part) => sum + part.bytes, 0);
  const all = [...parts, { name: "headers and padding", bytes: rest }];
  return { path: join(folder, "image.elf"), bytes: bytes.length, sha256: sha256(bytes), parts: all };
}

/** The image for what is built here, made when it is not there yet. */
export async function buildImage(options: ImageOptions): Promise<Image> {
  const { root, narrate, anew = false } = options;
  const cache = options.cache ?? imageCache();
  const release = join(root, "build", "release");
  const kernel = bytesOf(join(release, "kernel.wasm"));
  const metal = bytesOf(join(release, "metal.wasm"));
  checkTogether(kernel, Buffer.from(bytesOf(join(release, "metal.json"))).toString("utf8"));
  for (const tool of ["gcc", "ld", "nm", "strip"]) boundTool(tool);
  boundTool("simde");
  const hash = createHash("sha256").update(JSON.stringify([flags, small, linkFlags, 4]));
  hash.update(sha256(kernel)).update(sha256(metal));
  const shim = join(root, "boot", "shim");
  for (const name of readdirSync(shim).sort()) hash.update(name).update(bytesOf(join(shim, name)));
  for (const tool of ["gcc", "ld"]) hash.update(await runBootTool([tool, "--version"], root));
  const key = hash.digest("hex").slice(0, 32);
  const facts = join(cache, `${key}.json`);
  const kept = join(cache, `${key}.elf`);
  if (!anew && existsSync(facts) && existsSync(kept))
    return { ...(JSON.parse(readFileSync(facts, "utf8")) as Image), path: kept };
  narrate?.("building the image of machines without an operating system; it is kept for the next time");
  const folder = join(cache, `building-${randomBytes(6).toString("hex")}`);
  mkdirSync(folder, { recursive: true });
  try {
    const image = await build(root, folder);
    copyFileSync(image.path, join(folder, "kept"));
    writeFileSync(join(folder, "facts"), JSON.stringify({ ...image, path: kept }));
    renameSync(join(folder, "kept"), kept);
    renameSync(join(folder, "facts"), facts);
    return { ...image, path: kept };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
