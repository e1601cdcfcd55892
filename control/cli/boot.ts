// `proteus boot`: machines without an operating system. `image` builds what they run, `run` starts
// one in QEMU on interfaces of this network namespace (boot/ does both).
//
// - Data to stdout: of `image` the parts and their sizes, of `run` the machine's console.
// - `run` is what a lab starts for a node of kind metal: it writes the ready file when the machine
//   serves.

import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { buildFormat, type ImageFormat, imageFormats } from "../../boot/formats.js";
import { buildImage } from "../../boot/image.js";
import { buildLinuxImage, type LinuxImage, linuxMebibytes, linuxWords } from "../../boot/linux/image.js";
import type { Firmware } from "../../boot/network-machine.js";
import {
  type Accelerator,
  chooseAccelerator,
  type MachineType,
  type NetworkCard,
  type RandomSource,
  randomSources,
} from "../../boot/qemu.js";
import { runMachine } from "../../boot/run.js";
import { type BootSystem, bootSystems } from "../../boot/serve/machines.js";
import { wire } from "../../boot/wiring.js";
import { PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import { ProteusError } from "../kernel/errors.js";
import { isName, nameRule } from "../lab/names.js";
import { groupNameRule, isGroupName, metalCards, metalFault, metalMachines } from "../lab/topology.js";
import { registerBootServe } from "./boot-serve.js";
import { interruptible, jsonOption, labOption } from "./lab-options.js";
import { emit, narrate } from "./output.js";
import { packageRoot } from "./package-files.js";
import { parseSize } from "./quantity.js";

const imageHelp = `
The image has the kernel that Linux machines run, byte for byte, drivers and servers of its
own, and a shim of assembly and C. The same inputs give the same bytes. QEMU starts it with
-kernel; so does any loader that speaks multiboot 1 or PVH. --system linux is another machine,
for programs that need Linux: Debian's kernel for virtual machines and an initramfs with this
computer's Node and Proteus, whose agent serves as any other's. Other formats: rom is firmware for
a microvm of QEMU's (-bios), efi an application for today's PCs, disk and iso start that one
from a disk (a memory stick) or a CD.

Examples:
  proteus boot image
  proteus boot image -o proteus.elf --json
  proteus boot image --system linux --kernel /tmp/unpacked -o proteus.cpio
  proteus boot image --format disk --command-line "name=m1 pool=pool" -o m1.img`;

const runHelp = `
The interface becomes part of a bridge with the machine: it gives its MAC address away and
loses its IP address. Do that in a namespace, as the lab does, and not with the interface
that you work through. PROTEUS_CONSOLE_SOCKET is a path where others find its console.

A microvm has virtio alone; pc and q35 have a BIOS and PCI, and either network card.
Where the processor gives no random bytes (--random), they must come from a virtio-rng device.

Examples:
  proteus boot run --name m1 --interface eth0 --mac 02:00:00:00:00:07
  proteus boot run --name m2 --machine q35 --nic e1000e --interface eth0 --mac 02:00:00:00:00:08`;

const diskMost = 2 ** 40;

interface ImageCommand {
  readonly output?: string;
  readonly format: ImageFormat;
  readonly commandLine: string;
  readonly system: BootSystem;
  readonly kernel?: string;
  readonly anew: boolean;
  readonly json: boolean;
}

async function linuxImage({ output, format, commandLine, kernel, anew, json }: ImageCommand): Promise<void> {
  if (format !== "elf" || commandLine !== "")
    throw new ProteusError({
      code: "USAGE",
      exit: 2,
      message: "the image of a Linux machine is a kernel and an initramfs",
      why: "it has no other format, and no command line of its own: who boots it gives one",
      hint: "leave --format and --command-line out",
    });
  const image = await buildLinuxImage({ root: packageRoot, narrate, anew, kernelFolder: kernel });
  if (output !== undefined) copyFileSync(image.path, output);
  const document = { ...image, path: output ?? image.path, system: "linux" };
  emit("boot image", json, document, () =>
    [
      ...partRows(image.parts, image.bytes),
      `sha256 ${image.sha256}`,
      `kernel ${image.kernel}`,
      document.path,
    ].join("\n"),
  );
}

/** Parts with their sizes, one below the other. */
function partRows(parts: LinuxImage["parts"], bytes: number): string[] {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const row = (name: string, size: number): string => `${name.padEnd(width)}  ${String(size).padStart(7)}`;
  return [...parts.map((part) => row(part.name, part.bytes)), row("in all", bytes)];
}

async function imageCommand(options: ImageCommand): Promise<void> {
  if (options.system === "linux") return linuxImage(options);
  const { output, format, commandLine, anew, json } = options;
  if (format === "elf" && commandLine !== "")
    throw new ProteusError({
      code: "USAGE",
      exit: 2,
      message: "an ELF image has no command line of its own",
      why: "its loader gives it one: -append in QEMU",
      hint: "leave --command-line out, or choose another --format",
    });
  const built = await buildFormat(format, commandLine, { root: packageRoot, narrate, anew });
  const { path, bytes, sha256, parts } = built;
  if (output !== undefined) copyFileSync(path, output);
  const document = { path: output ?? path, format, bytes, sha256, parts };
  emit("boot image", json, document, () =>
    [...partRows(parts, bytes), `sha256 ${sha256}`, document.path].join("\n"),
  );
}

interface RunCommand {
  readonly name: string;
  readonly pool?: string;
  readonly group?: string;
  readonly interface: readonly string[];
  readonly mac: readonly string[];
  readonly memory: number;
  readonly accelerator: Accelerator;
  readonly from: "image" | "network";
  readonly system: BootSystem;
  readonly firmware: Firmware;
  readonly machine: MachineType;
  readonly nic: NetworkCard;
  readonly random: RandomSource;
  readonly disk?: string;
  readonly diskSize?: number;
}

function writeReady(document: object): void {
  const path = process.env.PROTEUS_READY_FILE ?? "";
  if (path === "") return;
  writeFileSync(`${path}.new`, `${JSON.stringify(document)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** As a Linux machine's ready file has it. What sys lets anyone do takes its port, and nothing private. */
function givenOut({ servers, capabilities }: Readonly<Record<string, unknown>>): object {
  const { echo, sys } = (servers ?? {}) as { readonly echo?: unknown; readonly sys?: unknown };
  const own = (capabilities ?? {}) as Readonly<Record<string, unknown>>;
  return { echo, status: sys, capabilities: { ...own, sys: `${sys}${"00".repeat(PRIVATE_BYTES)}` } };
}

/** The file of a disk; made, of zeros, when there is none and `bytes` says how long it is to be. */
function prepareDisk(path: string, bytes: number | undefined): string {
  const unusable = (why: string, hint: string, cause?: unknown): ProteusError =>
    new ProteusError({ code: "BOOT_DISK", exit: 1, message: `${path} cannot be a disk`, why, hint, cause });
  try {
    if (bytes !== undefined && !existsSync(path)) closeSync(openSync(path, "wx", 0o600));
    const { size } = statSync(path);
    if (bytes !== undefined && size < bytes) truncateSync(path, bytes);
    const length = statSync(path).size;
    if (length > 0 && length % 512 === 0) return path;
    throw unusable(
      `it has ${length} bytes: whole sectors of 512 are needed`,
      "give --disk-size, such as 64M",
    );
  } catch (error) {
    if (error instanceof ProteusError) throw error;
    throw unusable((error as Error).message, "name a file that is there, or give --disk-size too", error);
  }
}

async function runCommand(options: RunCommand): Promise<void> {
  const { name, pool, interface: names, mac: macs, memory: memoryMebibytes, machine, nic, random } = options;
  const fault = metalFault({ machine, nic });
  if (fault !== undefined)
    throw new ProteusError({
      code: "USAGE",
      exit: 2,
      message: "there is no such machine",
      why: fault,
      hint: "proteus boot run --name m1 --machine pc --nic e1000e --interface eth0 --mac 02:00:00:00:00:07",
    });
  if (names.length === 0 || names.length !== macs.length)
    throw new ProteusError({
      code: "USAGE",
      exit: 2,
      message: "each --interface needs a --mac",
      why: `there are ${names.length} interfaces and ${macs.length} addresses`,
      hint: "proteus boot run --name m1 --interface eth0 --mac 02:00:00:00:00:07",
    });
  const wired = () => wire(names.map((each, index) => ({ name: each, mac: macs[index] ?? "" })));
  const prepared = async () => {
    const linux = options.system === "linux";
    const enough = linux ? Math.max(memoryMebibytes, linuxMebibytes) : memoryMebibytes;
    if (options.from === "network")
      return { firmware: options.firmware, memoryMebibytes: enough, linux, networks: await wired() };
    const disk = options.disk === undefined ? undefined : prepareDisk(options.disk, options.diskSize);
    const given = { root: packageRoot, narrate };
    const image = linux ? await buildLinuxImage(given) : undefined;
    const { path } = image === undefined ? await buildImage(given) : { path: image.kernel };
    const accelerator = await chooseAccelerator(
      image === undefined ? path : (await buildImage(given)).path, // that one is quick to try
      options.accelerator,
    );
    narrate(`accelerator: ${accelerator}`);
    const words = [`name=${name}`, ...(pool === undefined ? [] : [`pool=${pool}`])];
    if (options.group !== undefined) words.push(`group=${options.group}`);
    const networks = await wired();
    const common = { path, networks, accelerator, nic, random, disk, memoryMebibytes: enough };
    return image === undefined
      ? { ...common, words, machine }
      : { ...common, words: [...linuxWords, ...words], machine: "pc" as const, initramfs: image.path };
  };
  const started = await prepared();
  await interruptible(
    (abort) =>
      runMachine({
        machine: started,
        // What it boots, and when, is a matter of who serves it: it is up when it is switched on.
        started: (pid) => (options.from === "network" ? writeReady({ pid, name }) : undefined),
        said: (line) => process.stdout.write(`${line}\n`),
        serves: (document, pid) => writeReady({ pid, ...document, ...givenOut(document) }),
        console: process.env.PROTEUS_CONSOLE_SOCKET || undefined,
        abort,
      }),
    "the machine is off",
  );
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

function macAddress(value: string, before: readonly string[]): string[] {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(value) || (Number.parseInt(value, 16) & 1) !== 0)
    throw new InvalidArgumentError("It is a MAC address of one machine, such as 02:00:00:00:00:07.");
  return collect(value, before);
}

function machineName(value: string): string {
  if (!isName(value)) throw new InvalidArgumentError(`A name is ${nameRule}.`);
  return value;
}

function groupName(value: string): string {
  if (!isGroupName(value)) throw new InvalidArgumentError(`It is none: ${groupNameRule}.`);
  return value;
}

function mebibytes(value: string): number {
  const amount = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (amount < 8 || amount > 1024) throw new InvalidArgumentError("It is a number of MiB, 8 to 1024.");
  return amount;
}

function diskSize(value: string): number {
  return parseSize(value, diskMost);
}

const consoleHelp = `
The machine's monitor answers lines of one word: help lists them.

Examples:
  proteus boot console m1
  echo status | proteus boot console m1`;

/** Adds `boot` to the program. */
export function registerBoot(program: Command): void {
  const boot = program.command("boot").description("machines without an operating system");
  boot
    .command("image")
    .description("build what they run, and tell its size by part")
    .option("-o, --output <file>", "where to put it too")
    .addOption(new Option("--format <kind>", "what for").choices(imageFormats).default("elf"))
    .option("--command-line <text>", "what the machine is told, unless its loader tells it", "")
    .addOption(new Option("--system <kind>", "what the machine runs").choices(bootSystems).default("metal"))
    .option(
      "--kernel <folder>",
      "of linux: where boot and lib/modules of Debian's kernel are (PROTEUS_BOOT_KERNEL)",
    )
    .option("--anew", "build it although it is there", false)
    .addOption(jsonOption())
    .addHelpText("after", imageHelp)
    .action((options) => imageCommand(options as ImageCommand));
  boot
    .command("run")
    .description("start one in QEMU, on interfaces of this namespace; its console is here")
    .addOption(new Option("--name <name>", "what it is called").argParser(machineName).makeOptionMandatory())
    .option("--pool <name>", "the pool that it announces itself to")
    .addOption(
      new Option("--group <name>", "a group that it is a member of, and creates if there is none").argParser(
        groupName,
      ),
    )
    .addOption(
      new Option("--interface <name>", "whose network it is on; may be repeated")
        .argParser(collect)
        .default([]),
    )
    .addOption(
      new Option("--mac <address>", "its address there, in the same order").argParser(macAddress).default([]),
    )
    .addOption(new Option("--memory <number>", "its memory").argParser(mebibytes).default(32))
    .addOption(
      new Option("--accelerator <way>", "how QEMU runs it; auto tries")
        .choices(["auto", "tcg", "kvm"] as const)
        .default("auto"),
    )
    .addOption(
      new Option("--from <source>", "what it boots: the image, or what a server on its first network has")
        .choices(["image", "network"] as const)
        .default("image"),
    )
    .addOption(
      new Option("--system <kind>", "what it runs; linux is a pc with 768 MiB or more")
        .choices(bootSystems)
        .default("metal"),
    )
    .addOption(
      new Option("--firmware <kind>", "what boots it from the network")
        .choices(["bios", "uefi"] as const)
        .default("bios"),
    )
    .addOption(
      new Option("--machine <type>", "what QEMU makes of it").choices(metalMachines).default("microvm"),
    )
    .option("--disk <file>", "a file that is its disk")
    .addOption(new Option("--disk-size <bytes>", "how long that file is made at least").argParser(diskSize))
    .addOption(new Option("--nic <card>", "its network cards").choices(metalCards).default("virtio"))
    .addOption(
      new Option("--random <source>", "where its random bytes come from")
        .choices(randomSources)
        .default("rdrand"),
    )
    .addHelpText("after", runHelp)
    .action((options) => runCommand(options as RunCommand));
  registerBootServe(boot as unknown as Command);
  boot
    .command("console <node>")
    .description("the console of a metal machine of a lab, in this terminal")
    .addOption(labOption())
    .addHelpText("after", consoleHelp)
    .action(async (node, options) => (await import("./boot-console.js")).consoleCommand(node, options));
}
