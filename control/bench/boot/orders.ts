// What the process that starts machines is told (boot-main.ts), and what it answers.
//
// - One order after the other, as ../channel.ts has it. Machines that were started run until `stop`.

import type { MachineOptions } from "../../../boot/qemu.js";

export type BootOrder =
  /** Starts machines at one moment and calls each until it has answered. */
  | { readonly boot: readonly MachineOptions[]; readonly wasm: string; readonly interfaceName: string }
  /** Starts one and waits until it serves, without a kernel of its own on the wire. */
  | { readonly run: MachineOptions }
  /** The same QEMU, until it would run its first instruction. */
  | { readonly alone: MachineOptions }
  /** What the machines that run cost for so long. */
  | { readonly idle: { readonly milliseconds: number } }
  | { readonly stop: true };

export type BootAnswer =
  /** Milliseconds from the start of each machine's process to its first answer. */
  | { readonly bootedMs: readonly number[] }
  /** The put-port of its echo server. */
  | { readonly echo: string }
  | { readonly aloneMs: number }
  | { readonly idleCpu: number; readonly residentBytes: readonly number[] }
  | { readonly stopped: true };
