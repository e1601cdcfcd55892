// A disk of a lab's machines under real clients, for scenarios of what may happen to it.
//
// - `scenario` plays one: a new disk on machines that were on, joined and had no disk before; four
//   machines n1 to n4, the same ones for the scenarios of a file, unless one failed. How often: 20
//   times in the nightly tier, once in others; PROTEUS_SCENARIO_TIMES says another number.
// - `whole` is the judge: no client has seen a wrong byte or an error; the disk says that it is ok; what
//   the clients read when they ended is there, and every block that was acknowledged; e2fsck finds
//   nothing; the copies of the members are equal.
// - Nobody helps the disk but where a scenario says so.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, it } from "vitest";
import { diskBytes, fileSystemBytes, Ledger, Load, MiB, makeFileSystems, must } from "./disk-clients.js";
import { LabRunner } from "./lab-runner.js";
import { until, within } from "./programs.js";

const tier = process.env.PROTEUS_TIER ?? "quick";
const times = Number(process.env.PROTEUS_SCENARIO_TIMES ?? (tier === "nightly" ? 20 : 1));
const patienceMs = 90_000;
const scenarioMs = 600_000;
const nodes = ["n1", "n2", "n3", "n4"] as const;
/** Machines that have a member, unless a scenario says others. */
export const three: readonly string[] = ["n1", "n2", "n3"];

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

export interface DiskOptions {
  /** Machines that have a member. */
  readonly members?: readonly string[];
  /** More words for `disk create`. */
  readonly create?: readonly string[];
}

/** The machines, and two file systems. */
class Machines {
  readonly lab = new LabRunner();
  images: readonly string[] = [];

  async up(): Promise<void> {
    const lines = nodes.map((node) => `  ${node}: { kind: pool, networks: [lan0] }`);
    const path = join(this.lab.folder, "lab.yaml");
    writeFileSync(path, ["networks: { lan0: { mtu: 1500 } }", "nodes:", ...lines, ""].join("\n"));
    await this.lab.must(["lab", "up", path]);
    this.images = await makeFileSystems(this.lab.folder);
  }

  /** The ends of the machines' logs. */
  logs(): string {
    const folder = join(this.lab.state, "lab", "nodes");
    return nodes
      .map((node) => {
        const path = join(folder, node, "agent.log");
        return `${node}:\n${existsSync(path) ? readFileSync(path, "utf8").slice(-4000) : ""}`;
      })
      .join("\n");
  }
}

/** A disk that is exported, the machines that it is of, and the judge. */
export class DiskLab {
  readonly lab: LabRunner;
  readonly ledger = new Ledger();
  readonly folder: string;
  readonly #machines: Machines;
  readonly #disks: string[] = [];
  readonly #exports = new Set<string>();
  readonly #off = new Set<string>();
  readonly #impaired = new Set<string>();
  readonly #paused = new Map<string, readonly number[]>();
  #load: Load | null = null;
  /** The file system that is on the disk. */
  #image = "";

  constructor(
    machines: Machines,
    readonly name: string,
  ) {
    this.#machines = machines;
    this.lab = machines.lab;
    this.folder = join(this.lab.folder, name);
    mkdirSync(this.folder);
  }

  get uri(): string {
    return this.uriOf(this.name);
  }

  uriOf(name: string): string {
    return `nbd+unix:///${name}?socket=${join(this.folder, `${name}.sock`)}`;
  }

  fileOf(node: string, name = this.name): string {
    return join(this.folder, `${node}-${name}`);
  }

  placeOf(node: string, name = this.name): string {
    return `${node}:${this.fileOf(node, name)}`;
  }

  /** A disk of its own name, with a file system. */
  async make({ members = three, create = [] }: DiskOptions = {}): Promise<void> {
    const places = members.map((node) => this.placeOf(node));
    await this.create(this.name, diskBytes, places, ...create);
    await this.export();
    await this.fill();
  }

  /** A disk on n4 and on `middle`, which lies on n3 and on `inner`, which lies on n1 and n2. */
  async tree(): Promise<void> {
    const any = ["--serve", "any"];
    const inner = ["n1", "n2"].map((node) => this.placeOf(node, "inner"));
    await this.create("inner", 3 * diskBytes, inner, ...any);
    await this.create("middle", 2 * diskBytes, ["n1:disk:inner", this.placeOf("n3", "middle")], ...any);
    await this.create(this.name, diskBytes, ["n1:disk:middle", this.placeOf("n4")], ...any);
    await this.export();
    await this.fill();
  }

  async create(name: string, bytes: number, places: readonly string[], ...more: string[]): Promise<void> {
    const members = places.flatMap((place) => ["--member", place]);
    this.#disks.unshift(name);
    await this.#run("create", name, "--size", `${bytes}`, ...members, ...more);
  }

  /** `proteus disk WHAT NAME WORDS…` of this disk, which must succeed. */
  disk(what: string, ...words: readonly string[]): Promise<string> {
    return this.#run(what, this.name, ...words);
  }

  async #run(...words: readonly string[]): Promise<string> {
    return (await this.lab.must(["disk", ...words])).stdout;
  }

  async export(name = this.name): Promise<void> {
    this.#exports.add(name);
    await this.#run("export", name, "--nbd", `unix:${join(this.folder, `${name}.sock`)}`);
  }

  async unexport(name = this.name): Promise<void> {
    await this.#run("unexport", name);
    this.#exports.delete(name);
  }

  /** As kill -9 of the program that exports the disk. */
  killExport(): void {
    for (const pid of this.lab.processes()) {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (words.includes("export-main")) process.kill(pid, "SIGKILL");
    }
    this.#exports.delete(this.name);
  }

  // ---- what the disk says of itself --------------------------------------------------------

  /** Waits for what the disk says; it is asked from now on. */
  async shown(good: (disk: ShownDisk) => boolean, name = this.name): Promise<ShownDisk> {
    let last = "nothing";
    const end = performance.now() + patienceMs;
    while (performance.now() < end) {
      const words = ["disk", "show", name, "--json", "--watch", "--timeout", "30s"];
      const running = this.lab.start(words);
      const seen = new Promise<ShownDisk | null>((resolve) => {
        let text = "";
        running.child.stdout?.on("data", (more: string) => {
          const lines = (text + more).split("\n");
          text = lines.pop() ?? "";
          for (const line of lines) {
            last = line;
            const disk = JSON.parse(line) as ShownDisk;
            if (good(disk)) resolve(disk);
          }
        });
        running.outcome.then(
          ({ stderr }) => {
            last = `${last}\n${stderr}`;
            resolve(null);
          },
          () => resolve(null),
        );
      });
      const left = Math.max(1, end - performance.now());
      const disk = await within("", seen, left).catch(() => null);
      running.child.kill("SIGKILL");
      await running.outcome;
      if (disk !== null) return disk;
    }
    throw new Error(`disk ${name} stays ${last}`);
  }

  isWhole = ({ state, members }: ShownDisk): boolean =>
    state === "ok" && members.every((member) => member.state === "in-sync" && member.dirtyBytes === 0);

  isDown = (node: string, name = this.name): Promise<ShownDisk> =>
    this.shown(({ members }) => members.some((each) => each.node === node && each.state === "down"), name);

  /** Waits until all members are in sync, as an administrator does. */
  async settled(name = this.name): Promise<ShownDisk> {
    const words = ["--wait", "in-sync", "--timeout", `${patienceMs}ms`, "--json"];
    const disk = JSON.parse(await this.#run("show", name, ...words)) as ShownDisk;
    if (this.isWhole(disk)) return disk;
    throw new Error(`disk ${name} was in sync, and then ${JSON.stringify(disk)}`);
  }

  /** The machine that serves the disk now; `other`: waits until it is another one than that. */
  server(other = ""): Promise<string> {
    return until(
      `somebody who serves ${this.name}`,
      async () => {
        const { disks } = JSON.parse(await this.#run("list", "--json")) as {
          disks: { name: string; node: string | null }[];
        };
        const node = disks.find(({ name }) => name === this.name)?.node ?? undefined;
        return node === other ? undefined : node;
      },
      patienceMs,
    );
  }

  // ---- what is done to machines ------------------------------------------------------------

  async kill(...some: readonly string[]): Promise<void> {
    for (const node of some) this.#off.add(node);
    await Promise.all(some.map((node) => this.lab.must(["lab", "kill", node])));
  }

  async start(...some: readonly string[]): Promise<void> {
    await Promise.all(some.map((node) => this.lab.must(["lab", "start", node])));
    for (const node of some) this.#off.delete(node);
  }

  async impair(node: string, ...words: readonly string[]): Promise<void> {
    this.#impaired.add(node);
    await this.lab.must(["lab", "impair", node, ...words]);
  }

  /** All programs of a machine stand still, as on one that swaps. */
  async pause(node: string): Promise<void> {
    const { pids = [] } = (await this.lab.status()).nodes.find(({ name }) => name === node) ?? {};
    this.#paused.set(node, pids);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
  }

  /** They go on as if nothing had happened. */
  goOn(node: string): void {
    for (const pid of this.#paused.get(node) ?? []) process.kill(pid, "SIGCONT");
    this.#paused.delete(node);
  }

  // ---- what is on the disk -----------------------------------------------------------------

  async fill(): Promise<void> {
    [this.#image = ""] = this.#machines.images;
    await must("nbdcopy", "--flush", this.#image, this.uri);
  }

  /** Clients begin to write, and go on; ends when the first bytes are on media. */
  async load(hasFileSystem = true): Promise<void> {
    const { uri, folder, ledger } = this;
    const before = ledger.count;
    this.#load = new Load({ uri, folder, images: this.#machines.images, hasFileSystem });
    ledger.start(uri);
    await until("the first writes", () => (ledger.count > before + 3 ? true : undefined), patienceMs);
  }

  /** Has the clients end what they are at; none may have seen an error. */
  async loaded(): Promise<void> {
    const load = this.#load;
    if (load === null) return;
    const ended = await Promise.allSettled([load.end(), this.ledger.end()]);
    this.#load = null;
    this.#image = load.image ?? this.#image;
    for (const each of ended) if (each.status === "rejected") throw each.reason;
    await must("nbdcopy", this.uri, this.#pathOf("read"));
  }

  killClients(): void {
    this.#load?.kill();
    this.ledger.kill();
    this.#load = null;
    rmSync(this.#pathOf("read"), { force: true });
  }

  #pathOf(what: string): string {
    return join(this.folder, what);
  }

  /** The judge. `members`: machines whose media have to hold the disk. */
  async whole(members: readonly string[]): Promise<void> {
    await this.loaded();
    await this.settled();
    const [copy, read] = [this.#pathOf("copy"), this.#pathOf("read")];
    await must("nbdcopy", this.uri, copy);
    this.ledger.check(copy);
    if (existsSync(read)) await must("cmp", `--bytes=${diskBytes}`, read, copy);
    await this.checkFileSystem(copy);
    for (const node of members) await must("cmp", `--bytes=${diskBytes}`, copy, this.fileOf(node));
  }

  /** A file begins with the file system that was put on the disk, and that is in order. */
  async checkFileSystem(file: string): Promise<void> {
    const image = this.#pathOf("image");
    await must("dd", `if=${file}`, `of=${image}`, "bs=1M", `count=${fileSystemBytes / MiB}`, "status=none");
    await must("e2fsck", "-f", "-n", image);
    await must("cmp", image, this.#image);
  }

  // ---- the end -----------------------------------------------------------------------------

  /** Whatever this scenario has started or stopped ends or goes on. */
  release(): void {
    this.killClients();
    for (const node of [...this.#paused.keys()]) this.goOn(node);
  }

  /** The machines are as they were before, without a disk. */
  async clean(): Promise<void> {
    this.release();
    for (const name of this.#exports) await this.#run("unexport", name);
    for (const node of this.#impaired) await this.lab.must(["lab", "impair", node, "--reset"]);
    await this.start(...this.#off);
    for (const name of this.#disks) await this.#run("delete", name, "--yes", "--timeout", "30s");
    const { disks } = JSON.parse(await this.#run("list", "--json")) as { disks: readonly object[] };
    if (disks.length > 0) throw new Error(`after the scenario there are disks: ${JSON.stringify(disks)}`);
    rmSync(this.folder, { recursive: true });
  }
}

let machines: Machines | null = null;
let played = 0;

async function close(): Promise<void> {
  await machines?.lab.close();
  machines = null;
}
afterAll(close, scenarioMs);

async function playOn(options: DiskOptions | null, play: (disk: DiskLab) => Promise<void>): Promise<void> {
  if (machines === null) {
    machines = new Machines();
    await machines.up();
  }
  const disk = new DiskLab(machines, `d${++played}`);
  try {
    if (options !== null) await disk.make(options);
    await play(disk);
    await disk.clean();
  } catch (cause) {
    const logs = machines.logs();
    disk.release();
    await close(); // nobody knows how the machines are
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${logs}`, { cause });
  }
}

/** A scenario on a disk that is made for it; null: on machines without one. */
export function scenario(
  name: string,
  options: DiskOptions | null,
  play: (disk: DiskLab) => Promise<void>,
): void {
  const turns = Array.from({ length: times }, (_, index) => index + 1);
  it.each(turns)(`${name} (%i)`, () => playOn(options, play), scenarioMs);
}

export const others = (all: readonly string[], node: string): string[] => all.filter((each) => each !== node);
