// A machine of QEMU's that runs the image: its command line, its process, its console.
//
// - microvm: virtio over memory-mapped registers, a serial port, nothing else. pc and q35: PCs with a
//   BIOS and PCI, where a network card is virtio's or Intel's 82574L (e1000e).
// - Each network is a tap device that is there already; the machine has the MAC address that it is given.
// - `accelerator` auto: KVM where a probe boot with it was quicker than one without; a /dev/kvm that is
//   there may be slower than translation, or fail, where this computer is a virtual machine itself.
// - The console is lines; one that begins with "serves " says that the machine answers.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import type { Readable, Writable } from "node:stream";
import { dies } from "../control/lab/tools.js";
import type { MetalMachine } from "../control/lab/topology.js";
import { eachLine } from "./lines.js";
import { type NetworkMachine, networkMachineArguments } from "./network-machine.js";
import { boundTool } from "./tools.js";

export type Accelerator = "auto" | "tcg" | "kvm";

/** In the lab's words too: control/lab/topology.ts. */
export type MachineType = MetalMachine["machine"];
export type NetworkCard = MetalMachine["nic"];

/** Where random bytes come from: the processor, a device of the host's, nowhere. */
export const randomSources = ["rdrand", "virtio", "none"] as const;
export type RandomSource = (typeof randomSources)[number];

export interface MachineNetwork {
  readonly tap: string;
  /** With colons. */
  readonly mac: string;
}

export interface MachineOptions {
  /** The image: of a Linux machine its kernel. */
  readonly path: string;
  /** Of a Linux machine. */
  readonly initramfs?: string | undefined;
  readonly memoryMebibytes: number;
  readonly networks: readonly MachineNetwork[];
  /** Words of the machine's command line. */
  readonly words: readonly string[];
  readonly accelerator: "tcg" | "kvm";
  /** Left out: microvm, virtio, rdrand. */
  readonly machine?: MachineType;
  readonly nic?: NetworkCard;
  readonly random?: RandomSource;
  /** A file that is its disk, of whole sectors. */
  readonly disk?: string | undefined;
  /** More words for QEMU. */
  readonly more?: readonly string[];
}

export const qemuProgram = "qemu-system-x86_64";

/** The name of a device on the machine's bus. `romfile=`: the BIOS has nothing to boot from it. */
function deviceWord(
  kind: "virtio-net" | "virtio-rng" | "virtio-blk" | "e1000e",
  machine: MachineType,
): string {
  const bare = kind === "virtio-rng" || kind === "virtio-blk" ? "" : ",romfile=";
  if (kind === "e1000e") return `e1000e${bare}`;
  return machine === "microvm" ? `${kind}-device` : `${kind}-pci${bare}`;
}

/** The processor of a Linux machine: Node's WebAssembly takes these for kernel.wasm. */
export const linuxProcessor = "qemu64,+rdrand,+ssse3,+sse4.1,+sse4.2,+popcnt";

const machineWord: Readonly<Record<MachineType, string>> = {
  microvm: "microvm,rtc=off,pit=on,pic=on,isa-serial=on",
  pc: "pc,usb=off",
  q35: "q35,usb=off",
};

/** What QEMU is told of a file that is a disk. In its lists a comma is written twice. */
function diskWords(path: string, machine: MachineType): string[] {
  const drive = `file=${path.replaceAll(",", ",,")},if=none,id=disk,format=raw`;
  return ["-drive", drive, "-device", `${deviceWord("virtio-blk", machine)},drive=disk`];
}

/** The words behind the program's name. */
export function qemuArguments(options: MachineOptions): string[] {
  const { path, memoryMebibytes, networks, words, accelerator } = options;
  const { machine = "microvm", nic = "virtio", random = "rdrand", disk, initramfs, more = [] } = options;
  const plain = random === "rdrand" ? "qemu64,+rdrand" : "qemu64";
  const card = deviceWord(nic === "virtio" ? "virtio-net" : nic, machine);
  const order = networks.map(({ mac }) => mac).join(",");
  const line = [...words, ...(order === "" ? [] : [`network=${order}`])].join(" ");
  return [
    ...["-M", machineWord[machine], "-accel", accelerator === "kvm" ? "kvm" : "tcg,tb-size=16"],
    ...["-cpu", initramfs === undefined ? plain : linuxProcessor, "-smp", "1"],
    ...["-m", `${memoryMebibytes}M`, "-kernel", path, "-append", line],
    ...(initramfs === undefined ? [] : ["-initrd", initramfs]),
    ...(random === "virtio" ? ["-device", deviceWord("virtio-rng", machine)] : []),
    ...["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"],
    ...(disk === undefined ? [] : diskWords(disk, machine)),
    ...networks.flatMap(({ tap, mac }, index) => [
      ...["-netdev", `tap,id=n${index},ifname=${tap},script=no,downscript=no`],
      ...["-device", `${card},netdev=n${index},mac=${mac}`],
    ]),
    ...more,
  ];
}

export type MachineProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts QEMU with these words; it dies with this process. */
export function spawnMachine(words: readonly string[]): MachineProcess {
  boundTool(qemuProgram);
  const [program = "", ...rest] = [...dies, qemuProgram, ...words];
  return spawn(program, rest, { stdio: ["pipe", "pipe", "pipe"] });
}

/** Starts the machine; it dies with this process. `said` gets each line of its console. */
export function startMachine(
  options: MachineOptions | NetworkMachine,
  said: (line: string) => void,
): MachineProcess {
  const child = spawnMachine(
    "firmware" in options ? networkMachineArguments(options) : qemuArguments(options),
  );
  eachLine(child.stdout, said);
  return child;
}

/** The document of a line that says that the machine serves; undefined: another line. */
export function servesLine(line: string): Readonly<Record<string, unknown>> | undefined {
  const at = line.indexOf("serves {");
  if (at < 0) return undefined;
  try {
    return JSON.parse(line.slice(at + "serves ".length)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

const probeMs = 3000;

/** Milliseconds until a machine without a network says so; Infinity: it did not. */
function probe(path: string, accelerator: "tcg" | "kvm"): Promise<number> {
  return new Promise((resolve) => {
    const began = performance.now();
    const finish = (took: number): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      resolve(took);
    };
    const options = { path, memoryMebibytes: 16, networks: [], words: ["name=probe"], accelerator };
    const child = startMachine(options, (line) => {
      if (line.includes("cannot serve")) finish(performance.now() - began);
    });
    child.on("error", () => finish(Number.POSITIVE_INFINITY));
    child.on("exit", () => finish(Number.POSITIVE_INFINITY));
    const timer = setTimeout(() => finish(Number.POSITIVE_INFINITY), probeMs);
  });
}

/**
 * Which accelerator to take, by a probe boot with each where there is a choice. What was found is
 * kept beside the image: the next machine does not wait for it.
 */
export async function chooseAccelerator(path: string, wanted: Accelerator): Promise<"tcg" | "kvm"> {
  if (wanted !== "auto") return wanted;
  const kept = `${path}.accelerator`;
  try {
    if (readFileSync(kept, "utf8") === "kvm") return "kvm";
    return "tcg";
  } catch {
    const found = await probeBoth(path);
    writeFileSync(kept, found);
    return found;
  }
}

async function probeBoth(path: string): Promise<"tcg" | "kvm"> {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return "tcg";
  }
  const kvm = await probe(path, "kvm");
  if (kvm === Number.POSITIVE_INFINITY) return "tcg";
  return kvm < (await probe(path, "tcg")) ? "kvm" : "tcg";
}
