// Our disk as an administrator makes it: a lab of as many machines as members, `disk create` and
// `disk export` on it, nothing special for the benchmark.
//
// - Each step is the command itself, so what is measured is what the README promises.
// - The lab has a name of its own and is taken down again, also after a failure.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { runTool } from "../../lab/tools.js";
import type { ServedDisk } from "./peers.js";

const program = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const diskName = "bench";

export interface OurPlace {
  /** For the members' files and the socket. */
  readonly folder: string;
  readonly bytes: number;
  readonly members: number;
}

const shown = z.object({
  state: z.string(),
  members: z.array(z.object({ state: z.string(), dirtyBytes: z.number(), percent: z.number() })),
});
export type ShownDisk = z.infer<typeof shown>;

/** A lab with a disk on it. */
export class OurDisk implements ServedDisk {
  readonly #lab: string;

  private constructor(
    readonly place: OurPlace,
    readonly uri: string,
    lab: string,
  ) {
    this.#lab = lab;
  }

  /** Makes lab and disk, and exports it; in sync when it answers. */
  static async make(place: OurPlace): Promise<OurDisk> {
    const { folder, bytes, members } = place;
    const lab = `bench-disk-${process.pid}`;
    const socket = join(folder, "nbd");
    const disk = new OurDisk(place, `nbd+unix:///${diskName}?socket=${socket}`, lab);
    const nodes = Array.from({ length: members }, (_, index) => `m${index + 1}`);
    const file = join(folder, "lab.yaml");
    const lines = nodes.map((node) => `  ${node}: { kind: pool, networks: [lan0] }`);
    writeFileSync(file, ["networks: { lan0: }", "nodes:", ...lines, ""].join("\n"));
    try {
      await disk.command("lab", "up", file, "--name", lab);
      const places = nodes.flatMap((node) => ["--member", `${node}:${disk.fileOf(node)}`]);
      await disk.command("disk", "create", diskName, "--size", `${bytes}`, ...places);
      await disk.command("disk", "show", diskName, "--wait", "in-sync", "--timeout", "120s");
      await disk.command("disk", "export", diskName, "--nbd", `unix:${socket}`);
    } catch (error) {
      await disk.stop();
      throw error;
    }
    return disk;
  }

  /** The file of the member on a machine `m1`, `m2` … */
  fileOf(node: string): string {
    return join(this.place.folder, node);
  }

  async show(): Promise<ShownDisk> {
    return shown.parse(JSON.parse(await this.command("disk", "show", diskName, "--json")));
  }

  /** Runs a command on the lab; what it says on stdout. Throws with its words when it fails. */
  async command(...words: readonly string[]): Promise<string> {
    const on = words[0] === "lab" ? [] : ["--lab", this.#lab];
    const { status, output, errors } = await runTool([process.execPath, program, ...words, ...on]);
    // 6: it has been done, and something is degraded.
    if (status === 0 || (status === 6 && words[1] === "show")) return output;
    throw new Error(`proteus ${words.slice(0, 2).join(" ")} ended with ${status}: ${errors.trim()}`);
  }

  async stop(): Promise<void> {
    for (const words of [
      ["disk", "unexport", diskName],
      ["lab", "down", this.#lab],
    ])
      try {
        await this.command(...words);
      } catch {
        // There may be none: the lab is what must go, and says so itself when it cannot.
      }
  }
}
