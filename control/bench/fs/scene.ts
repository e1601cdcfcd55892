// Where the file systems are: two machines with mounts and one with vice on a bridge, all of them, and
// what is measured, on one core.
//
// - Mounts are seen by these machines alone and are gone with them (Machines.enterMounts): nothing of
//   this is visible in the system's own tree, also when the benchmark fails or is killed.
// - The commands are those that an administrator gives: `serve vice`, `fs volume create`, `fs mount`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { askMount, type MountWord } from "../../node/fs/control-socket.js";
import { Lan, lanInterface, machineOf } from "../group/lan.js";
import { pinned } from "../worker.js";
import { Child } from "./child.js";
import type { FsPrograms } from "./programs.js";

const program = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const [near, far, server] = [0, 1, 2];
const machines = 3;
const mtu = 9000;
const startMs = 30_000;
const stopMs = 5000;
const lookMs = 10;
/** passthrough_ll keeps a descriptor for each file that the kernel knows: it gets as many as it may have. */
const manyFiles = ["sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh"];

const readySchema = z.object({ passthrough: z.boolean(), socket: z.string(), target: z.string() });
const statusSchema = z.object({ state: z.string(), records: z.number(), calls: z.number() });
export type MountStatus = z.infer<typeof statusSchema>;

/** A mounted volume. */
export class FsMount {
  constructor(
    readonly target: string,
    readonly passthrough: boolean,
    private readonly socket: string,
    private readonly child: Child,
  ) {}

  async ask(word: MountWord): Promise<MountStatus> {
    return statusSchema.parse(await askMount(this.socket, word));
  }

  /** Waits until vice has taken everything; seconds that it took. */
  async shipped(milliseconds: number, abort: AbortSignal): Promise<number> {
    const begun = performance.now();
    for (;;) {
      abort.throwIfAborted();
      const { state, records } = await this.ask("status");
      const took = performance.now() - begun;
      if (state === "connected" && records === 0) return took / 1000;
      if (took > milliseconds) throw new Error(`${records} records were not taken in time (${state})`);
      await setTimeout(lookMs);
    }
  }

  stop(): Promise<void> {
    return this.child.stop(stopMs);
  }
}

export interface FsSceneOptions {
  /** Of the benchmark's own: everything is below it. */
  readonly root: string;
  readonly core: number;
  readonly programs: FsPrograms;
  readonly abort: AbortSignal;
}

export class FsScene {
  readonly #options: FsSceneOptions;
  readonly #lan: Lan;
  readonly #children: Child[] = [];
  #vice: Promise<unknown> | undefined;
  #last = 0;

  private constructor(options: FsSceneOptions, lan: Lan) {
    this.#options = options;
    this.#lan = lan;
  }

  static async make(options: FsSceneOptions): Promise<FsScene> {
    return new FsScene(options, await Lan.make(machines, mtu, [options.core], options.abort));
  }

  get isolation(): string {
    return this.#lan.machines.isolation;
  }

  get abort(): AbortSignal {
    return this.#options.abort;
  }

  /** A new folder below the benchmark's own. */
  folder(...names: readonly string[]): string {
    const path = join(this.#options.root, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  start(what: string, command: readonly string[], machine = near): Child {
    const enter = this.#lan.machines.enterMounts(machineOf(machine));
    const environment = {
      ...{ PROTEUS_LAB_STATE: join(this.#options.root, "state"), PROTEUS_NODE: machineOf(machine) },
      ...{ GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" },
    };
    const child = new Child(what, pinned(enter, this.#options.core, command), environment, this.abort);
    this.#children.push(child);
    return child;
  }

  /** Runs a tool to its good end. */
  run(what: string, command: readonly string[], milliseconds: number): Promise<void> {
    return this.start(what, command).done(milliseconds);
  }

  /** fs-work; `ready` is called when its preparations are over. Answers what it printed. */
  async work(
    words: readonly string[],
    milliseconds: number,
    ready: () => Promise<void> = async () => {},
  ): Promise<unknown> {
    const child = this.start(words[0] ?? "work", [this.#options.programs.work, ...words]);
    const said = await child.line(milliseconds);
    if (said !== "ready") throw new Error(`it said "${said.slice(0, 80)}"`);
    await ready();
    child.say("go");
    const answer: unknown = JSON.parse(await child.line(milliseconds));
    await child.done(milliseconds);
    return answer;
  }

  #proteus(what: string, words: readonly string[], machine: number): Child {
    return this.start(what, [process.execPath, program, ...words, "--interface", lanInterface], machine);
  }

  /** The capability of vice, which is started the first time. */
  async #capability(): Promise<string> {
    const state = this.folder("vice");
    this.#vice ??= this.#proteus("vice", ["serve", "vice", "--state", state, "--json"], server).line(startMs);
    await this.#vice;
    return `@${join(state, "vice.capability")}`;
  }

  /** A new volume. */
  async volume(semantics: "session" | "strict"): Promise<string> {
    const name = `v${++this.#last}`;
    const words = ["fs", "volume", "create", await this.#capability(), name, "--semantics", semantics];
    await this.#proteus("volume create", words, server).done(startMs);
    return name;
  }

  /** Mounts a volume on one of two machines, with a cache of its own. */
  async mount(volume: string, on: "near" | "far" = "near"): Promise<FsMount> {
    const [target, cache] = [this.folder(`${volume}-${on}`), this.folder(`${volume}-${on}-cache`)];
    const words = ["fs", "mount", await this.#capability(), target, "--volume", volume, "--cache", cache];
    const machine = on === "near" ? near : far;
    const child = this.#proteus("mount", [...words, "--machine", machineOf(machine), "--json"], machine);
    const ready = readySchema.parse(JSON.parse(await child.line(startMs)));
    return new FsMount(target, ready.passthrough, ready.socket, child);
  }

  /** Mounts a folder with passthrough_ll, with the settings that it has by itself. */
  async mountPeer(path: string): Promise<string> {
    const [source, target] = [this.folder("peer-source"), this.folder("peer")];
    const child = this.start("passthrough_ll", [...manyFiles, path, "-f", "-o", `source=${source}`, target]);
    const deadline = performance.now() + startMs;
    while (performance.now() < deadline && !child.isOver) {
      const probe = ["mountpoint", "-q", target];
      if (
        await this.run("mountpoint", probe, startMs).then(
          () => true,
          () => false,
        )
      )
        return target;
      await setTimeout(lookMs);
    }
    await child.done(0); // says why it ended
    throw new Error("passthrough_ll did not mount");
  }

  /** Takes everything off and down, in order where that is possible. */
  async remove(): Promise<void> {
    const living = this.#children.filter(({ isOver }) => !isOver).reverse();
    await Promise.all(living.map((child) => child.stop(stopMs)));
    await this.#lan.remove();
  }
}
