// What fuzzing reaches in core-wasm/flip, rpc and group: branches, by folder.
//
// - scripts/coverage-kernel.mjs builds the kernel that notes them; here the notes of all
//   machines of a run come together.
// - PROTEUS_COVERAGE=list names those that were not reached.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../control/cli/package-files.js";
import type { Machine } from "./machine.js";

interface Branch {
  readonly file: string;
  readonly line: number;
  readonly what: string;
  readonly in: string;
}

export class Coverage {
  readonly module: WebAssembly.Module;
  readonly #base: number;
  readonly #branches: readonly Branch[];
  readonly #reached: Uint8Array;

  constructor() {
    execFileSync(process.execPath, [join(packageRoot, "scripts", "coverage-kernel.mjs")], { stdio: "pipe" });
    const folder = join(packageRoot, "build", "coverage");
    this.module = new WebAssembly.Module(readFileSync(join(folder, "kernel.wasm")));
    const map = JSON.parse(readFileSync(join(folder, "branches.json"), "utf8")) as {
      mapBase: number;
      branches: readonly Branch[];
    };
    this.#base = map.mapBase;
    this.#branches = map.branches;
    this.#reached = new Uint8Array(map.branches.length);
  }

  /** Adds what this machine, which runs the instrumented kernel, has reached. */
  add(machine: Machine): void {
    for (let i = 0; i < this.#reached.length; i++) {
      if (machine.bytes[this.#base + i] !== 0) this.#reached[i] = 1;
    }
  }

  /** Share of a folder's branches that was reached, 0 to 1. */
  share(folder: string): number {
    const { reached, all } = this.#count(folder);
    return reached / all;
  }

  #count(folder: string): { reached: number; all: number } {
    let reached = 0;
    let all = 0;
    this.#branches.forEach((branch, index) => {
      if (!branch.file.startsWith(`core-wasm/${folder}/`)) return;
      all++;
      reached += this.#reached[index] as number;
    });
    return { reached, all };
  }

  /** One line for people; more with PROTEUS_COVERAGE=list. */
  report(): string {
    const words = ["flip", "rpc", "group"].map((folder) => {
      const { reached, all } = this.#count(folder);
      return `${folder}/ ${((100 * reached) / all).toFixed(1)} % (${reached} of ${all} branches)`;
    });
    const lines = [`coverage of fuzzing: ${words.join(", ")}`];
    if (process.env.PROTEUS_COVERAGE === "list") {
      this.#branches.forEach((branch, index) => {
        if (this.#reached[index]) return;
        lines.push(`  not reached: ${branch.file}:${branch.line} ${branch.what} in ${branch.in}`);
      });
    }
    return lines.join("\n");
  }
}
