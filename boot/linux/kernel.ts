// The kernel of a Linux pool machine: Debian's for virtual machines (linux-image-cloud-amd64), as it is
// installed on this computer or unpacked into a folder, and the modules of it that a machine takes.
//
// - The newest that is there is taken. Modules come in the order in which they need each other, as each
//   says itself (`depends=` in its .modinfo): no depmod has run over an unpacked package.
// - Source: modinfo(8); ELF strings of .modinfo, each ended by a zero.

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";

/** What a machine of QEMU's needs; AF_PACKET is in the kernel itself. */
export const wantedModules = ["virtio_pci", "virtio_mmio", "virtio_net", "virtio-rng"] as const;

export interface LinuxKernel {
  readonly version: string;
  /** vmlinuz. */
  readonly path: string;
  /** Paths of modules, in the order in which they are loaded. */
  readonly modules: readonly string[];
}

const suffix = "-cloud-amd64";

function noKernel(folder: string, why: string): ProteusError {
  return new ProteusError({
    code: "BOOT_NO_KERNEL",
    exit: exitCodes.failed,
    message: "there is no Linux kernel to boot machines with",
    why,
    unchanged: "no image was made",
    hint:
      "apt-get install linux-image-cloud-amd64; or without installing it: apt-get download the package " +
      `that it depends on, dpkg-deb -x PACKAGE.deb FOLDER, and --kernel FOLDER (now: ${folder})`,
  });
}

/** Versions by their numbers, the newest last: 6.1.0-9 before 6.1.0-56. Pure. */
export function byVersion(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** Names of modules, `-` and `_` being the same to the kernel. */
const plain = (name: string): string => name.replaceAll("-", "_");

/** What a module says that it needs. Pure. */
export function dependsOf(module: Uint8Array): string[] {
  const text = Buffer.from(module.buffer, module.byteOffset, module.length);
  const key = Buffer.from("\0depends=", "latin1");
  const at = text.indexOf(key);
  if (at < 0) return [];
  const from = at + key.length;
  return text
    .toString("latin1", from, text.indexOf(0, from))
    .split(",")
    .filter((name) => name !== "");
}

/** Modules and what they need, in the order of loading; undefined of one that is not there. Pure. */
export function loadOrder(
  wanted: readonly string[],
  needs: (name: string) => readonly string[] | undefined,
): { readonly order: readonly string[]; readonly missing: readonly string[] } {
  const order: string[] = [];
  const missing: string[] = [];
  const seen = new Set<string>();
  const visit = (name: string): void => {
    if (seen.has(plain(name))) return;
    seen.add(plain(name));
    const own = needs(name);
    if (own === undefined) {
      missing.push(name);
      return;
    }
    for (const each of own) visit(each);
    order.push(name);
  };
  for (const name of wanted) visit(name);
  return { order, missing };
}

/** All modules of a kernel, by plain name. */
function modulesBelow(folder: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ko")) continue;
    found.set(plain(basename(entry.name, ".ko")), join(entry.parentPath, entry.name));
  }
  return found;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Where a kernel is looked for when nobody says where. */
const usualFolder = (): string => process.env.PROTEUS_BOOT_KERNEL || "/";

/** Whether there is one. */
export function hasKernel(): boolean {
  try {
    findKernel();
    return true;
  } catch (error) {
    if (error instanceof ProteusError) return false;
    throw error;
  }
}

/** The newest kernel below a folder (`/` or one that a package was unpacked into). Throws BOOT_NO_KERNEL. */
export function findKernel(folder = usualFolder()): LinuxKernel {
  const versions = namesIn(join(folder, "boot"))
    .flatMap((name) => (name.startsWith("vmlinuz-") && name.endsWith(suffix) ? [name.slice(8)] : []))
    .sort(byVersion);
  const version = versions.at(-1);
  if (version === undefined) throw noKernel(folder, `no vmlinuz-*${suffix} is in ${join(folder, "boot")}`);
  const below = join(folder, "lib", "modules", version, "kernel");
  const all = namesIn(below).length === 0 ? new Map<string, string>() : modulesBelow(below);
  const { order, missing } = loadOrder(wantedModules, (name) => {
    const path = all.get(plain(name));
    return path === undefined ? undefined : dependsOf(readFileSync(path));
  });
  if (missing.length > 0)
    throw noKernel(folder, `${missing.map((name) => `${name}.ko`).join(", ")} is not below ${below}`);
  const modules = order.map((name) => all.get(plain(name)) ?? "");
  return { version, path: join(folder, "boot", `vmlinuz-${version}`), modules };
}
