// The image in other clothes: a ROM for QEMU's microvm, a UEFI application, a disk and a CD that start
// that application. image.ts makes the ELF file that all of them are made of.
//
// - The same inputs give the same bytes: the tools are told a time, and no serial number is drawn.
// - All but the ELF file carry a command line of their own; loaders put theirs before it.
// - Throws what image.ts throws, and BOOT_LINE_INVALID.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, ProteusError } from "../control/kernel/errors.js";
import { buildImage, type Image, type ImageOptions, imageCache } from "./image.js";
import { peFile, peHeaderBytes } from "./pe.js";
import { boundTool, runBootTool } from "./tools.js";

export const imageFormats = ["elf", "rom", "efi", "disk", "iso"] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** Where the command line is in a UEFI application: boot/shim/firmware.S. */
const efiLineAt = peHeaderBytes + 32;
/** COMMAND_LINE_MAX in boot/shim/shim.h, with a zero behind it. */
const lineBytes = 896;

const mebibyte = 1024 * 1024;
const romPage = 4096;
const romStep = 65536;
const romEnd = 0x1_0000_0000;
const sector = 512;
const partitionAt = mebibyte;
/** Of the FAT file system: the least that mformat makes without complaint about its size. */
const systemBytes = 2 * mebibyte;

/** The bytes of a command line, checked. Throws BOOT_LINE_INVALID. */
export function lineOf(text: string): Uint8Array {
  const complain = (why: string): ProteusError =>
    new ProteusError({
      code: "BOOT_LINE_INVALID",
      exit: exitCodes.usage,
      message: "the command line cannot be put into an image",
      why,
      unchanged: "no image was made",
      hint: 'words with blanks between them, such as "name=m1 pool=pool"',
    });
  if (!/^[\x20-\x7e]*$/.test(text)) throw complain("it has other characters than printable ASCII");
  if (text.length >= lineBytes) throw complain(`it has ${text.length} characters, ${lineBytes - 1} fit`);
  return Buffer.concat([Buffer.from(text, "latin1"), Buffer.alloc(lineBytes - text.length)]);
}

/** A UEFI application with another command line. */
export function withLine(efi: Uint8Array, text: string): Uint8Array {
  const bytes = Buffer.from(efi);
  bytes.set(lineOf(text), efiLineAt);
  return bytes;
}

interface Made {
  readonly bytes: Uint8Array;
  /** What is around the image, for the table of parts. */
  readonly around: string;
}

const common = ["-Os", "-m64", "-march=x86-64", "-mno-red-zone", "-ffreestanding", "-fpie", "-fno-ident"];
const quiet = ["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"];
const loops = ["-fno-tree-loop-distribute-patterns", "-fno-jump-tables", "-mgeneral-regs-only"];

/** The UEFI application around the flat image image.bin in `folder`. */
async function makeEfi(shim: string, folder: string): Promise<Uint8Array> {
  const cc = ["gcc", ...common, ...quiet, ...loops, `-ffile-prefix-map=${shim}=shim`, "-Wall", "-c"];
  await runBootTool([...cc, join(shim, "efi.c"), "-o", "efi.o"], folder);
  const first = ["gcc", "-c", '-DIMAGE="image.bin"', join(shim, "firmware.S"), "-o", "firmware.o"];
  await runBootTool(first, folder);
  const script = join(shim, "firmware.ld");
  const link = ["ld", "-static", "-nostdlib", "-z", "noexecstack", "--build-id=none", "-T", script];
  await runBootTool([...link, "-o", "firmware.elf", "firmware.o", "efi.o"], folder);
  await runBootTool(["objcopy", "-O", "binary", "firmware.elf", "firmware.bin"], folder);
  return peFile(readFileSync(join(folder, "firmware.bin")));
}

/** The ROM: image, gap, last page. */
async function makeRom(shim: string, folder: string): Promise<Uint8Array> {
  const flat = readFileSync(join(folder, "image.bin"));
  const size = Math.ceil((flat.length + romPage) / romStep) * romStep;
  const at = `-DIMAGE_AT=0x${(romEnd - size).toString(16)}`;
  await runBootTool(["gcc", "-c", "-m32", at, join(shim, "rom.S"), "-o", "rom.o"], folder);
  const base = `-Ttext=0x${(romEnd - romPage).toString(16)}`;
  const link = ["ld", "-m", "elf_i386", "-nostdlib", "--build-id=none", "-e", "rom", base];
  await runBootTool([...link, "-o", "rom.elf", "rom.o"], folder);
  await runBootTool(["objcopy", "-O", "binary", "-j", ".text", "rom.elf", "rom.bin"], folder);
  const bytes = Buffer.alloc(size, 0xff);
  bytes.set(flat, 0);
  bytes.set(readFileSync(join(folder, "rom.bin")), size - romPage);
  return bytes;
}

/** A FAT file system with the application where firmware looks for it, as system.img in `folder`. */
async function makeSystem(efi: Uint8Array, folder: string): Promise<Uint8Array> {
  writeFileSync(join(folder, "BOOTX64.EFI"), efi);
  utimesSync(join(folder, "BOOTX64.EFI"), 0, 0);
  writeFileSync(join(folder, "system.img"), Buffer.alloc(systemBytes));
  const image = ["-i", "system.img"];
  const shape = ["-T", `${systemBytes / sector}`, "-h", "2", "-s", "32", "-N", "50524f54", "-v", "PROTEUS"];
  await runBootTool(["mformat", ...image, ...shape, "::"], folder);
  await runBootTool(["mmd", ...image, "::/EFI", "::/EFI/BOOT"], folder);
  await runBootTool(["mcopy", ...image, "-m", "BOOTX64.EFI", "::/EFI/BOOT/BOOTX64.EFI"], folder);
  return readFileSync(join(folder, "system.img"));
}

/** A disk with an MBR and one EFI system partition. Source: UEFI Specification 2.10, 5.2. */
export function diskOf(system: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(partitionAt + system.length);
  const entry = 446;
  bytes.write("PROT", 440, "latin1"); // the disk's signature
  bytes.writeUInt32LE(0xfffffe00, entry); // no addresses by cylinder and head
  bytes.writeUInt32LE(0xfffffeef, entry + 4); // an EFI system partition
  bytes.writeUInt32LE(partitionAt / sector, entry + 8);
  bytes.writeUInt32LE(system.length / sector, entry + 12);
  bytes.writeUInt16LE(0xaa55, 510);
  bytes.set(system, partitionAt);
  return bytes;
}

async function makeIso(folder: string): Promise<Uint8Array> {
  mkdirSync(join(folder, "tree"));
  renameSync(join(folder, "system.img"), join(folder, "tree", "system.img"));
  utimesSync(join(folder, "tree", "system.img"), 0, 0);
  utimesSync(join(folder, "tree"), 0, 0);
  const boot = ["-e", "system.img", "-no-emul-boot"];
  const steady = ["--set_all_file_dates", "1980010100000000", "--modification-date=1980010100000000"];
  const words = [
    "-as",
    "mkisofs",
    "-quiet",
    "-V",
    "PROTEUS",
    "-r",
    ...steady,
    ...boot,
    "-o",
    "image.iso",
    "tree",
  ];
  await runBootTool(["xorriso", ...words], folder);
  return readFileSync(join(folder, "image.iso"));
}

async function make(
  format: Exclude<ImageFormat, "elf">,
  shim: string,
  folder: string,
  line: string,
): Promise<Made> {
  if (format === "rom") {
    const rom = Buffer.from(await makeRom(shim, folder));
    rom.set(lineOf(line), rom.length - romPage);
    return { bytes: rom, around: "ROM, filled up" };
  }
  const efi = withLine(await makeEfi(shim, folder), line);
  if (format === "efi") return { bytes: efi, around: "UEFI loader and padding" };
  const system = await makeSystem(efi, folder);
  if (format === "disk") return { bytes: diskOf(system), around: "UEFI loader, partition, file system" };
  return { bytes: await makeIso(folder), around: "UEFI loader, file systems" };
}

const toolsOf: Readonly<Record<Exclude<ImageFormat, "elf">, readonly string[]>> = {
  rom: ["objcopy"],
  efi: ["objcopy"],
  disk: ["objcopy", "mformat"],
  iso: ["objcopy", "mformat", "xorriso"],
};

/** The image in that format, with this command line. The ELF file takes none. */
export async function buildFormat(format: ImageFormat, line: string, options: ImageOptions): Promise<Image> {
  lineOf(line);
  const elf = await buildImage(options);
  if (format === "elf") return elf;
  for (const tool of toolsOf[format]) boundTool(tool);
  const cache = options.cache ?? imageCache();
  const folder = join(cache, `building-${randomBytes(6).toString("hex")}`);
  mkdirSync(folder, { recursive: true });
  try {
    await runBootTool(["objcopy", "-O", "binary", elf.path, join(folder, "image.bin")], folder);
    const { bytes, around } = await make(format, join(options.root, "boot", "shim"), folder, line);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const path = join(cache, `${sha256.slice(0, 32)}.${format === "disk" ? "img" : format}`);
    writeFileSync(join(folder, "made"), bytes);
    renameSync(join(folder, "made"), path);
    const loaded = elf.parts.slice(0, -1);
    const rest = bytes.length - loaded.reduce((sum, part) => sum + part.bytes, 0);
    const parts = [...loaded, { name: around, bytes: rest }];
    return { path, bytes: bytes.length, sha256, parts };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
