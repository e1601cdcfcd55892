// What each machine is given: by HTTP to iPXE and to UEFI's HTTP boot, and the files that dnsmasq gives
// by TFTP.
//
// - A machine is its MAC address. Who gets which system, name and command line is toldTo's
//   (machines.ts), asked anew each time: the pool learns while this serves.
// - TFTP's are written when a machine asks for an address: in a folder that is called after it. No more
//   machines than `machinesMax` get one.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withLine } from "../formats.js";
import { biosLoader, uefiIpxe, uefiLoader } from "./dnsmasq.js";
import type { HttpFile } from "./http.js";
import {
  type BootSystem,
  initramfsFile,
  ipxeLinuxScript,
  ipxeScript,
  type Known,
  linuxKernelFile,
  type Machines,
  type Told,
  toldTo,
} from "./machines.js";
import { machinesMax } from "./progress.js";

export interface LinuxFiles {
  readonly kernel: string;
  readonly initramfs: string;
  readonly words: readonly string[];
}

export interface BootFilesOptions {
  readonly machines: Machines;
  /** By MAC address the machines that the pool knows; asked anew for each machine. */
  readonly registry: () => ReadonlyMap<string, Known>;
  /** What those get of whom nothing is said. */
  readonly system: BootSystem;
  /** Kernel, initramfs and first words of Linux machines; left out: there are none. */
  readonly linux?: LinuxFiles | undefined;
  /** Words for every machine. */
  readonly words: readonly string[];
  /** The usual images. */
  readonly elf: string;
  readonly efi: string;
  /** The folder of iPXE's loaders; without it a BIOS without iPXE gets none. */
  readonly loaders: string;
}

const binary = (bytes: Uint8Array): HttpFile => ({ type: "application/octet-stream", bytes });

/** See the head of this file. */
export class BootFiles {
  readonly #options: BootFilesOptions;
  readonly #elf: Uint8Array;
  readonly #efi: Uint8Array;
  readonly #prepared = new Set<string>();

  /** Reads the usual images; throws where they cannot be read. */
  constructor(options: BootFilesOptions) {
    this.#options = options;
    this.#elf = readFileSync(options.elf);
    this.#efi = readFileSync(options.efi);
  }

  told(mac: string): Told {
    const { machines, registry, words, system } = this.#options;
    return toldTo(mac, machines, registry(), words, system);
  }

  isLinux(mac: string): boolean {
    return this.#options.linux !== undefined && this.told(mac).system === "linux";
  }

  /** The UEFI application of a machine: the metal's with its command line, or iPXE for Linux. */
  #application(mac: string): Uint8Array {
    const own = this.#options.machines.get(mac)?.efi;
    if (own !== undefined) return readFileSync(own);
    if (this.isLinux(mac)) return readFileSync(join(this.#options.loaders, uefiIpxe));
    return withLine(this.#efi, this.told(mac).line);
  }

  /** What a machine gets by HTTP; undefined: there is no such file. `http`: where this is served. */
  overHttp(asked: string, mac: string, http: string): HttpFile | undefined {
    const { linux, machines } = this.#options;
    if (asked === "boot.ipxe") {
      const { line } = this.told(mac);
      const script = this.isLinux(mac)
        ? ipxeLinuxScript(http, [...(linux?.words ?? []), line].join(" "))
        : ipxeScript(http, line);
      return { type: "text/plain", bytes: Buffer.from(script) };
    }
    if (linux !== undefined && (asked === linuxKernelFile || asked === initramfsFile)) {
      const path = asked === initramfsFile ? linux.initramfs : linux.kernel;
      return { type: "application/octet-stream", path };
    }
    if (asked === "proteus.elf") {
      const own = machines.get(mac)?.elf;
      return binary(own === undefined ? this.#elf : readFileSync(own));
    }
    // iPXE gives the command line too; what is called with it comes first.
    if (asked === uefiLoader) return { type: "application/efi", bytes: this.#application(mac) };
    return undefined;
  }

  /** Makes TFTP's folder, with what a machine gets that nothing was prepared for. */
  prepareFolder(folder: string): void {
    mkdirSync(folder, { mode: 0o755 });
    const usual = withLine(this.#efi, this.#options.words.join(" "));
    writeFileSync(join(folder, uefiLoader), usual, { mode: 0o644 });
  }

  /** Writes what TFTP gives a machine; once, unless `again`. */
  prepare(folder: string, mac: string, again: boolean): void {
    const first = !this.#prepared.has(mac);
    if (first ? this.#prepared.size >= machinesMax : !again) return;
    this.#prepared.add(mac);
    const into = join(folder, mac.replaceAll(":", "-"));
    mkdirSync(into, { recursive: true, mode: 0o755 });
    writeFileSync(join(into, uefiLoader), this.#application(mac), { mode: 0o644 });
    try {
      copyFileSync(join(this.#options.loaders, biosLoader), join(into, biosLoader));
    } catch {
      // Without the package ipxe: told of by the caller.
    }
  }
}
