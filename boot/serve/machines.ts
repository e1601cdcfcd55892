// Who gets what: machines by their MAC address, and what each is told. Pure.
//
// - A machine is named by an option, else as the pool knew it last under one of its addresses, else
//   after its address. Two machines must not have one name: LAN_MACHINES_AMBIGUOUS is the caller's.
// - What a machine runs is said by an option (system=linux), else by the pool, which knew it as a metal
//   machine or as one with Linux, else it is the usual one. Where no Linux image is, all are metal.
// - An image of its own is an ELF file (for iPXE on a BIOS) or a UEFI application; the other kind of
//   firmware gets the usual one.

import type { NodeDocument } from "../../control/interface/node.js";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";
import { isName, nameRule } from "../../control/lab/names.js";

/** What an option said of a machine. */
export interface MachineWish {
  readonly name?: string;
  readonly elf?: string;
  readonly efi?: string;
  readonly system?: BootSystem;
  /** More words of its command line. */
  readonly words: readonly string[];
}

/** What a machine boots: our own code alone, or Linux. */
export const bootSystems = ["metal", "linux"] as const;
export type BootSystem = (typeof bootSystems)[number];

/** As the pool knows a machine. */
export interface Known {
  readonly name: string;
  readonly system: BootSystem;
}

export type Machines = ReadonlyMap<string, MachineWish>;

const macPattern = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

function complain(text: string, why: string): ProteusError {
  return new ProteusError({
    code: "BOOT_MACHINE_INVALID",
    exit: exitCodes.usage,
    message: `"${text}" does not say what a machine gets`,
    why,
    unchanged: "nothing was started",
    hint: "--machine 02:00:00:00:00:07=m1, =images/other.efi or =network=02:00:00:00:00:07",
  });
}

/** Adds `MAC=NAME`, `MAC=FILE.elf`, `MAC=FILE.efi`, `MAC=system=linux`, `MAC=WORD=VALUE`. BOOT_MACHINE_INVALID. */
export function withMachine(text: string, before: Machines): Machines {
  const at = text.indexOf("=");
  const mac = text.slice(0, Math.max(at, 0)).toLowerCase();
  const value = text.slice(at + 1);
  if (at < 0 || !macPattern.test(mac)) throw complain(text, "it does not begin with a MAC address and =");
  if ((Number.parseInt(mac, 16) & 1) !== 0)
    throw complain(text, "this is the address of a group of machines");
  const known = before.get(mac) ?? { words: [] };
  const add = (more: Partial<MachineWish>): Machines => new Map(before).set(mac, { ...known, ...more });
  if (value.endsWith(".elf")) return add({ elf: value });
  if (value.endsWith(".efi")) return add({ efi: value });
  if (value.startsWith("system=")) {
    const system = bootSystems.find((each) => value === `system=${each}`);
    if (system === undefined) throw complain(text, `a system is ${bootSystems.join(" or ")}`);
    return add({ system });
  }
  if (/^[a-z]+=[\x21-\x7e]+$/.test(value)) return add({ words: [...known.words, value] });
  if (!isName(value)) throw complain(text, `a name is ${nameRule}; an image ends with .elf or .efi`);
  for (const [other, { name }] of before)
    if (name === value && other !== mac) throw complain(text, `${other} has that name already`);
  return add({ name: value });
}

/** By MAC address the machines that the pool knows or knew; with Linux only where there is an image of it. */
export function registryOf(
  nodes: readonly { readonly name: string; readonly kind: string; readonly status: NodeDocument | null }[],
  withLinux = false,
): ReadonlyMap<string, Known> {
  const names = new Map<string, Known>();
  for (const { name, kind, status } of nodes) {
    if ((kind !== "metal" && !(withLinux && kind === "pool")) || !isName(name)) continue;
    const system = kind === "metal" ? "metal" : "linux";
    for (const { mac } of status?.interfaces ?? [])
      if (typeof mac === "string" && /^[0-9a-f]{12}$/.test(mac))
        names.set(mac.replace(/..(?!$)/g, "$&:"), { name, system });
  }
  return names;
}

/** What a machine without a name is called. */
export const nameAfter = (mac: string): string => `m-${mac.replaceAll(":", "").slice(6)}`;

export interface Told {
  readonly name: string;
  readonly system: BootSystem;
  /** The command line. */
  readonly line: string;
}

/** What the machine with this address is told. */
export function toldTo(
  mac: string,
  machines: Machines,
  registry: ReadonlyMap<string, Known>,
  common: readonly string[],
  usual: BootSystem = "metal",
): Told {
  const wish = machines.get(mac);
  const known = registry.get(mac);
  const name = wish?.name ?? known?.name ?? nameAfter(mac);
  const system = wish?.system ?? known?.system ?? usual;
  const own = wish?.words ?? [];
  const key = (word: string): string => word.slice(0, word.indexOf("="));
  const rest = common.filter((word) => !own.some((other) => key(other) === key(word)));
  return { name, system, line: [`name=${name}`, ...own, ...rest].join(" ") };
}

/** What iPXE does, on a BIOS and under UEFI; `at` is our HTTP server. */
export function ipxeScript(at: string, line: string): string {
  const start = (file: string): string[] => [`kernel ${at}/${file} ${line}`, "boot"];
  const choice = ["#!ipxe", "iseq $" + "{platform} efi && goto efi ||"];
  return [...choice, ...start("proteus.elf"), ":efi", ...start("proteus.efi"), ""].join("\n");
}

/** The same for a Linux machine: a kernel that is told of its initramfs, under UEFI by its name. */
export function ipxeLinuxScript(at: string, line: string): string {
  const kernel = `kernel ${at}/${linuxKernelFile} initrd=${initramfsFile} ${line}`;
  return ["#!ipxe", kernel, `initrd --name ${initramfsFile} ${at}/${initramfsFile}`, "boot", ""].join("\n");
}

/** What our HTTP server calls them. */
export const linuxKernelFile = "vmlinuz";
export const initramfsFile = "initramfs";
