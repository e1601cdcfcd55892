// Our disk as an administrator makes it: a lab of as many machines as members, `disk create` and
// `disk export` on it, nothing special for the benchmark.
//
// - Each step is the command itself, so what is measured is what the README promises.
// - The lab has a name of its own and is taken down again, also after a failure.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { runTool } from "../../lab/tools.js";
import type { ServedDisk } from "./peers.js";

const program = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
const diskName = "bench";
const lookMs = 50;

export interface OurPlace {
  /** For the members' files and the socket. */
  readonly folder: string;
  readonly bytes: number;
  readonly members: number;
}

const shown = z.object({
  state: z.string(),
  members: z.array(
    z.object({ node: z.string(), state: z.string(), dirtyBytes: z.number(), percent: z.number() }),
  ),
});
const disks = z.object({ disks: z.array(z.object({ name: z.string(), node: z.string().nullable() })) });
const listed = z.object({
  nodes: z.array(z.object({ name: z.string(), servers: z.record(z.string(), z.string()).optional() })),
});
const counted = z.object({ bytes: z.number() });
const movedSchema = z.tuple([z.object({ stats64: z.object({ rx: counted, tx: counted }) })]);
export type ShownDisk = z.infer<typeof shown>;

/** A lab with a disk on it. */
export class OurDisk implements ServedDisk {
  readonly #lab: string;
  readonly #stopped: () => void;

  private constructor(
    readonly place: OurPlace,
    /** Of the machine that serves it, as long as that runs. */
    readonly uri: string,
    /** Of a program that stays when machines go. */
    readonly lastingUri: string,
    lab: string,
    stopped: () => void,
  ) {
    this.#lab = lab;
    this.#stopped = stopped;
  }

  /** Makes lab and disk, and exports it; in sync when it answers. `stopped` is told when it is gone. */
  static async make(place: OurPlace, stopped: () => void = () => undefined): Promise<OurDisk> {
    const { folder, bytes, members } = place;
    const lab = `bd-${process.pid}`;
    const [near, lasting] = [join(folder, "nbd"), join(folder, "lasting")];
    const uri = (socket: string) => `nbd+unix:///${diskName}?socket=${socket}`;
    const disk = new OurDisk(place, uri(near), uri(lasting), lab, stopped);
    const nodes = Array.from({ length: members }, (_, index) => `m${index + 1}`);
    const file = join(folder, "lab.yaml");
    const lines = nodes.map((node) => `  ${node}: { kind: pool, networks: [lan0] }`);
    writeFileSync(file, ["networks: { lan0: }", "nodes:", ...lines, ""].join("\n"));
    try {
      await disk.command("lab", "up", file, "--name", lab);
      const places = nodes.flatMap((node) => ["--member", `${node}:${disk.fileOf(node)}`]);
      await disk.command("disk", "create", diskName, "--size", `${bytes}`, ...places);
      await disk.command("disk", "show", diskName, "--wait", "in-sync", "--timeout", "120s");
      await disk.command("disk", "export", diskName, "--nbd", `unix:${near}`, "--on", nodes[0] ?? "");
      await disk.command("disk", "export", diskName, "--nbd", `unix:${lasting}`);
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

  /** The machine that serves the disk. */
  async server(): Promise<string> {
    const { disks: found } = disks.parse(JSON.parse(await this.command("disk", "list", "--json")));
    const node = found.find(({ name }) => name === diskName)?.node;
    if (typeof node !== "string") throw new Error("nobody serves the disk");
    return node;
  }

  /** Waits until the disk says something of itself; milliseconds that it took. */
  async until(good: (disk: ShownDisk) => boolean, deadlineMs: number, abort: AbortSignal): Promise<number> {
    const begun = performance.now();
    for (;;) {
      abort.throwIfAborted();
      const disk = await this.show();
      const took = performance.now() - begun;
      if (good(disk)) return took;
      if (took > deadlineMs) throw new Error(`the disk stays ${JSON.stringify(disk)}`);
      await setTimeout(lookMs);
    }
  }

  /** Waits, by one command that looks now and then, until it is whole; milliseconds that it took. */
  async whole(): Promise<number> {
    const begun = performance.now();
    await this.command("disk", "show", diskName, "--wait", "in-sync", "--timeout", "600s");
    return performance.now() - begun;
  }

  /** Runs a command on the lab; what it says on stdout. Throws with its words when it fails. */
  async command(...words: readonly string[]): Promise<string> {
    const on = words[0] === "lab" && words[1] !== "kill" && words[1] !== "start" ? [] : ["--lab", this.#lab];
    const { status, output, errors } = await runTool([process.execPath, program, ...words, ...on]);
    // 6: it has been done, and something is degraded.
    if (status === 0 || (status === 6 && words[1] === "show")) return output;
    throw new Error(`proteus ${words.slice(0, 2).join(" ")} ended with ${status}: ${errors.trim()}`);
  }

  /** Runs a command on one of the machines. */
  onMachine(node: string, ...words: readonly string[]): Promise<string> {
    return this.command("lab", "exec", node, "--lab", this.#lab, "--", process.execPath, program, ...words);
  }

  /** The put-port of a machine's echo server. */
  async echoPort(node: string): Promise<string> {
    const { nodes } = listed.parse(JSON.parse(await this.command("node", "list", "--json")));
    const port = nodes.find(({ name }) => name === node)?.servers?.echo;
    if (port === undefined) throw new Error(`${node} announces no echo server`);
    return port;
  }

  /** Bytes that the machine's interface has received and sent. */
  async moved(node: string): Promise<number> {
    const command = ["ip", "-json", "-statistics", "link", "show", "dev", "eth0"]; // sysfs is the host's
    const said = await this.command("lab", "exec", node, "--lab", this.#lab, "--", ...command);
    const { rx, tx } = movedSchema.parse(JSON.parse(said))[0].stats64;
    return rx.bytes + tx.bytes;
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
    this.#stopped();
  }
}
