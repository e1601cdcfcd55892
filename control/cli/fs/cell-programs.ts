// The programs that mount the volumes of cells: one a volume, so that one that is killed takes no other
// with it. It is started again, and goes on from its cache.
//
// - The capability goes to it in a file of its user alone: what a program is called with anybody can read.
// - At most so many start at a time, and so many are there at all: each is a Node with a kernel of its own.
// - One that ended by itself without an error was told to (`proteus fs umount` of that volume): it stays off.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { VolumeState } from "./cells-status.js";
import { capabilityFileOf } from "./mounts.js";
import { hexOfObject } from "./which.js";

export const programsMax = 64;
const startingMax = 4;
const againMs = 250;
const againMsMax = 30_000;
/** One that was there so long failed for another reason than the one before. */
const steadyMs = 10_000;
const endMs = 8000;
const program = fileURLToPath(new URL("../main.js", import.meta.url));

export interface ProgramVolume {
  readonly target: string;
  /** What the volume is called. */
  readonly name: string;
  readonly cache: string;
}

export class CellPrograms {
  readonly #words: readonly string[];
  readonly #all = new Map<string, Program>();

  /** `words`: options that all of them are given. */
  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** Has a volume mounted from now on, with this capability. False: there are too many. */
  have(volume: ProgramVolume, capability: string): boolean {
    const known = this.#all.get(volume.target);
    if (known !== undefined) known.capability(capability);
    else if (this.#all.size >= programsMax) return false;
    else this.#all.set(volume.target, new Program(volume, capability, this.#words, () => this.#pump()));
    this.#pump();
    return true;
  }

  state(target: string): VolumeState {
    return this.#all.get(target)?.state ?? "waiting";
  }

  /** Whether each has been mounted, or has failed to. */
  get areSettled(): boolean {
    return [...this.#all.values()].every(({ isTried }) => isTried);
  }

  #pump(): void {
    const all = [...this.#all.values()];
    let starting = all.filter(({ state }) => state === "starting").length;
    for (const each of all) if (starting < startingMax && each.start()) starting++;
  }

  /** Ends them all; each takes its volume off. Resolves when they have ended. */
  async end(): Promise<void> {
    await Promise.all([...this.#all.values()].map((each) => each.end()));
  }
}

class Program {
  state: VolumeState = "waiting";
  isTried = false;
  readonly #volume: ProgramVolume;
  readonly #words: readonly string[];
  readonly #changed: () => void;
  #capability: string;
  #child: ChildProcess | null = null;
  #failures = 0;
  #isEnding = false;
  /** It is to end and be started again: with another capability. */
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(volume: ProgramVolume, capability: string, words: readonly string[], changed: () => void) {
    this.#volume = volume;
    this.#capability = capability;
    this.#words = words;
    this.#changed = changed;
  }

  /** Another one of the same volume; a folder never becomes another volume's while it is mounted. */
  capability(now: string): void {
    if (now === this.#capability || now.slice(0, hexOfObject) !== this.#capability.slice(0, hexOfObject))
      return;
    this.#capability = now;
    this.#isStale = this.#child !== null;
    this.#child?.kill("SIGTERM");
  }

  /** Starts it when it is its turn; whether it did. */
  start(): boolean {
    if (this.state !== "waiting" || this.#isEnding || this.#timer !== undefined) return false;
    const { target, name, cache } = this.#volume;
    const file = capabilityFileOf(target);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    rmSync(file, { force: true });
    writeFileSync(file, `${this.#capability}\n`, { mode: 0o600, flag: "wx" });
    const words = ["fs", "mount", `@${file}`, target, "--volume", name, "--cache", cache, ...this.#words];
    this.state = "starting";
    const began = performance.now();
    const child = spawn(process.execPath, [program, ...words], {
      // Of a session of its own: Ctrl-C ends the root, which ends them in their order.
      ...{ cwd: "/", detached: true, stdio: ["ignore", "pipe", "inherit"] },
    });
    this.#child = child;
    child.stdout?.once("data", () => {
      if (this.state === "starting") this.state = "mounted";
      this.isTried = true;
      rmSync(file, { force: true });
      this.#changed();
    });
    child.once("error", () => undefined); // "close" follows
    child.once("close", (code) => {
      this.#child = null;
      this.isTried = true;
      rmSync(file, { force: true });
      this.#ended(code === 0 && !this.#isStale, performance.now() - began);
    });
    return true;
  }

  #ended(wasTold: boolean, livedMs: number): void {
    this.state = wasTold ? "unmounted" : "ended";
    this.#failures = livedMs > steadyMs || this.#isStale ? 0 : this.#failures + 1;
    this.#isStale = false;
    if (!wasTold && !this.#isEnding)
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.state = "waiting";
          this.#changed();
        },
        Math.min(againMs * 2 ** Math.min(this.#failures, 10), againMsMax),
      );
    this.#changed();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null) return;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), endMs);
    await ended.finally(() => clearTimeout(timer));
  }
}
