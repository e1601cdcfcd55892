// A disk of a lab's machines under a real NBD client, for scenarios of what may happen to it.
//
// - The disk's first half holds a file system that mke2fs made, its second half is what fio writes
//   and verifies while things happen. `whole` is the judge: fio has found no wrong byte, e2fsck
//   finds nothing, the copies of the members are equal where they are meant to be, and the disk
//   says that it is ok.
// - Members are files in the lab's folder; nobody helps the disk but where a scenario says so.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LabRunner, type Outcome } from "./lab-runner.js";
import { until } from "./programs.js";

export const MiB = 1024 * 1024;
const fileSystemBytes = 32 * MiB;
const loadBytes = 32 * MiB;
export const diskBytes = fileSystemBytes + loadBytes;
const patienceMs = 90_000;

/** What `disk show --json` says, as the issue has it. */
export interface ShownDisk {
  readonly name: string;
  readonly age: string;
  readonly size: number;
  readonly state: "ok" | "degraded" | "resyncing" | "split-brain" | "failed";
  readonly generation: string;
  readonly members: readonly {
    readonly node: string;
    readonly path: string;
    readonly state: "in-sync" | "dirty" | "resyncing" | "down" | "failed";
    readonly dirtyBytes: number;
    readonly percent: number;
  }[];
}

/** A program of the system, with what it said when it ended. */
export function system(
  command: readonly string[],
  cwd?: string,
): { child: ChildProcess; ended: Promise<Outcome> } {
  const [program = "", ...rest] = command;
  const child = spawn(program, rest, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ status: code ?? 128, stdout, stderr }));
  });
  return { child, ended };
}

/** Runs one that must succeed. */
export async function must(...command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await system(command).ended;
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}\n${stderr}\n${stdout}`);
  return stdout;
}

export interface DiskLabOptions {
  /** Pool machines n1, n2 …; default 3. */
  readonly nodes?: number;
  /** Machines that have a member; default all. */
  readonly members?: readonly string[];
  /** More words for `disk create`. */
  readonly create?: readonly string[];
}

/** A lab, a disk `d` on it that is exported, and the judge. */
export class DiskLab {
  readonly lab = new LabRunner();
  readonly socket = join(this.lab.folder, "nbd");
  readonly uri = `nbd+unix:///d?socket=${this.socket}`;
  #load: ReturnType<typeof system> | null = null;

  fileOf(node: string, name = "d"): string {
    return join(this.lab.folder, "media", `${node}-${name}`);
  }

  memberOf(node: string, name = "d"): string {
    return `${node}:${this.fileOf(node, name)}`;
  }

  /** Starts the machines. */
  async up(nodes = 3): Promise<void> {
    mkdirSync(join(this.lab.folder, "media"), { recursive: true });
    const names = Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
    const lines = names.map((node) => `  ${node}: { kind: pool, networks: [lan0] }`);
    const path = join(this.lab.folder, "lab.yaml");
    writeFileSync(path, ["networks: { lan0: { mtu: 1500 } }", "nodes:", ...lines, ""].join("\n"));
    await this.lab.must(["lab", "up", path]);
  }

  /** Machines, a disk of them, exported, with a file system in its first half. */
  async make({ nodes = 3, members, create = [] }: DiskLabOptions = {}): Promise<void> {
    await this.up(nodes);
    const having = members ?? Array.from({ length: nodes }, (_, index) => `n${index + 1}`);
    await this.create(
      "d",
      diskBytes,
      having.map((node) => this.memberOf(node)),
      ...create,
    );
    await this.export();
    await this.fill();
  }

  async create(
    name: string,
    bytes: number,
    places: readonly string[],
    ...more: readonly string[]
  ): Promise<void> {
    const members = places.flatMap((place) => ["--member", place]);
    await this.disk("create", name, "--size", `${bytes}`, ...members, ...more);
    await this.shown((disk) => disk.state === "ok", name);
  }

  /** `proteus disk WORDS…`, which must succeed. */
  async disk(...words: readonly string[]): Promise<string> {
    return (await this.lab.must(["disk", ...words])).stdout;
  }

  async export(name = "d", socket = this.socket, ...more: readonly string[]): Promise<void> {
    await this.disk("export", name, "--nbd", `unix:${socket}`, ...more);
  }

  async show(name = "d"): Promise<ShownDisk | undefined> {
    const { stdout } = await this.lab.run(["disk", "show", name, "--json"]);
    try {
      return JSON.parse(stdout) as ShownDisk;
    } catch {
      return undefined;
    }
  }

  /** Waits for what the disk says of itself. */
  async shown(good: (disk: ShownDisk) => boolean, name = "d", milliseconds = patienceMs): Promise<ShownDisk> {
    let last: ShownDisk | undefined;
    try {
      return await until(
        `disk ${name}`,
        async () => {
          last = await this.show(name);
          return last !== undefined && good(last) ? last : undefined;
        },
        milliseconds,
      );
    } catch (cause) {
      throw new Error(`disk ${name} stays ${JSON.stringify(last)}`, { cause });
    }
  }

  isWhole = ({ state, members }: ShownDisk): boolean =>
    state === "ok" && members.every((member) => member.state === "in-sync" && member.dirtyBytes === 0);

  /** The machine that serves the disk now. */
  async server(name = "d"): Promise<string> {
    return until(`somebody who serves ${name}`, async () => {
      const { disks } = JSON.parse(await this.disk("list", "--json")) as {
        disks: { name: string; node: string | null }[];
      };
      return disks.find((each) => each.name === name)?.node ?? undefined;
    });
  }

  kill = (node: string) => this.lab.must(["lab", "kill", node]);
  start = (node: string) => this.lab.must(["lab", "start", node]);

  // ---- what is on the disk ----------------------------------------------------------------

  async fill(): Promise<void> {
    const tree = join(this.lab.folder, "tree");
    mkdirSync(tree, { recursive: true });
    for (let file = 0; file < 40; file++)
      writeFileSync(join(tree, `file${file}`), Buffer.alloc(10_000 * file, `${file} `));
    const image = join(this.lab.folder, "image");
    await must("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image, `${fileSystemBytes / MiB}M`);
    await must("nbdcopy", "--flush", image, this.uri);
  }

  /** Begins to write at random and to verify it; `end` waits for it. */
  load(seconds = 10): void {
    const state = join(this.lab.folder, `fio-${Math.trunc(performance.now())}`);
    mkdirSync(state);
    this.#load = system(
      [
        ...["fio", "--name=load", "--ioengine=nbd", `--uri=${this.uri}`, "--rw=randwrite", "--bs=4k-64k"],
        ...[`--offset=${fileSystemBytes}`, `--size=${loadBytes}`, "--iodepth=8", "--fsync=32"],
        ...[
          "--verify=crc32c",
          "--verify_fatal=1",
          "--do_verify=1",
          `--runtime=${seconds}s`,
          "--time_based=1",
        ],
        ...["--rate_iops=400", "--verify_state_save=0"],
      ],
      state,
    );
  }

  /** Waits for fio; it must have written and verified everything. */
  async loaded(): Promise<void> {
    const running = this.#load;
    this.#load = null;
    if (running === null) return;
    const { status, stdout, stderr } = await running.ended;
    if (status !== 0) throw new Error(`fio ended with ${status}\n${stderr}\n${stdout}`);
  }

  /** The judge. */
  async whole(options: { readonly members?: readonly string[] } = {}): Promise<void> {
    await this.loaded();
    await this.shown(this.isWhole);
    const copy = join(this.lab.folder, "copy");
    await must("nbdcopy", this.uri, copy);
    await must("e2fsck", "-f", "-n", await this.#cut(copy));
    for (const node of options.members ?? [])
      await must("cmp", `--bytes=${diskBytes}`, copy, this.fileOf(node));
  }

  async #cut(copy: string): Promise<string> {
    const image = `${copy}.image`;
    await must("dd", `if=${copy}`, `of=${image}`, "bs=1M", `count=${fileSystemBytes / MiB}`, "status=none");
    return image;
  }

  bytesOf(node: string): Buffer {
    return existsSync(this.fileOf(node)) ? readFileSync(this.fileOf(node)) : Buffer.alloc(0);
  }

  async close(): Promise<void> {
    this.#load?.child.kill("SIGKILL");
    await this.lab.run(["disk", "unexport", "d"]);
    await this.lab.close();
  }
}
