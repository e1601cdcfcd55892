// Bullet servers on disks that lose their power, and machines that keep files there, as they are
// written for real machines (control/server/bullet, control/stub/files.ts).
//
// - Callers make files in one piece or many, read, change and destroy them; each file is its
//   maker's. What was acknowledged must be there with exactly its bytes after every power cut,
//   what was destroyed must stay away, and a volume holds no content that nobody has sent whole.
// - In half of the seeds media rot, and blocks become unreadable: then a read may say so, and
//   a file that its medium has lost may be gone; other bytes than those written are never given.
// - At the end every file is read, and every medium checked by its own server.
// - Contents are hashed by a function that is quick (contents.ts).

import type { Capability } from "../../control/capability/capability.js";
import { BULLET_COMMIT, BULLET_SAFETY, bulletTable } from "../../control/interface/bullet.js";
import { toHex } from "../../control/kernel/bytes.js";
import { ProteusError } from "../../control/kernel/errors.js";
import { BulletServer } from "../../control/server/bullet/server.js";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import { stub } from "../../control/stub/client.js";
import { createFile, readFile } from "../../control/stub/files.js";
import { VirtualDisk } from "../disk/disk.js";
import { noDiskFaults } from "../disk/faults.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { hashOf, joined, QuickHash, same } from "./contents.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const memoryBytes = 32 * 1024 * 1024;
const cacheBytes = 1024 * 1024;
const serversMost = 3;
const diskBlocks = 2048;
const inodes = 400;
const pauseMost = 300 * MILLISECOND;
const cutEvery = 12 * SECOND;
const filesEach = 12;
const sizes = [0, 1, 700, 4096, 20_000, 90_000];
const pieceBytes = 16 * 1024;
const call = { locateTimeoutMs: 700, pollMs: 300, deadMs: 1200 };

/** Bugs that the judge must find. */
export interface PlantedBug {
  /** Disks say that they have flushed, and have not. */
  readonly noFlush?: boolean;
}

/** The workload. */
export function filesWorkload(bug: PlantedBug = {}): Workload {
  return {
    name: "files",
    summary: "immutable files on Bullet servers whose disks lose their power and rot",
    plan: () => ({ machine: () => ({ limits: { memoryBytes, threads: 96, ports: 256 } }) }),
    start: (cluster) => new FilesRun(cluster, bug),
  };
}

/** A Bullet server's machine: its disk outlives it. */
interface Host {
  readonly machine: Machine;
  readonly disk: VirtualDisk;
  readonly secrets: { readonly getPort: Uint8Array; readonly key: Uint8Array };
  isFormatted: boolean;
  volume: FileVolume | null;
  server: BulletServer | null;
  /** Of the server itself: good after every start. */
  capability: Capability | null;
}

/** A file as its maker knows it. */
interface Known {
  readonly host: Host;
  readonly capability: Capability;
  readonly content: Uint8Array;
  state: "there" | "removing" | "gone" | "lost";
}

/** What is not said by the file, but by the way to it, or by a server that has just come back. */
const passing = new Set(["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW", "STD_NOMEDIUM"]);
const refusals = new Set([...passing, "STD_NOSPACE", "STD_NOMEM"]);

class FilesRun implements Activity {
  readonly #cluster: Cluster;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #hosts: readonly Host[];
  readonly #callers: readonly Machine[];
  readonly #known = new Map<Machine, Known[]>();
  /** Hashes of all contents that anybody has begun to send. */
  readonly #sent = new Set<string>();
  readonly #mayRot: boolean;
  /** Callers that have not yet read all that is theirs, and media that are not checked. */
  readonly #waiting = new Set<Machine>();
  readonly #unchecked = new Set<Host>();
  #contents = 0;
  #over = false;

  constructor(cluster: Cluster, bug: PlantedBug) {
    this.#cluster = cluster;
    this.#random = bytesOf(cluster.random);
    this.#mayRot = cluster.random.below(2) === 0 && bug.noFlush !== true;
    const { machines, world } = cluster;
    const count = Math.max(1, Math.min(serversMost, machines.length - 1));
    this.#hosts = machines.slice(0, count).map((machine): Host => {
      const random = world.stream(400 + machine.index);
      const disk = new VirtualDisk({ blocks: diskBlocks, random, clock: world });
      if (bug.noFlush === true) disk.flush = () => Promise.resolve();
      const secrets = { getPort: this.#random(6), key: this.#random(32) };
      const host: Host = {
        ...{ machine, disk, secrets, isFormatted: false, volume: null, server: null, capability: null },
      };
      cluster.onCrash(machine, () => {
        disk.cut();
        host.volume = null;
        host.server = null;
      });
      return host;
    });
    this.#callers = machines.slice(count);
    for (const host of this.#hosts) cluster.program(host.machine, () => this.#boot(host));
    for (const machine of this.#callers) {
      this.#known.set(machine, []);
      cluster.program(machine, () => this.#next(machine));
    }
    this.#cuts();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  readonly #failed = (error: unknown): void => {
    const code = error instanceof Error && "code" in error ? String(error.code) : null;
    if (code !== null) this.#cluster.happened(`bullet ${code}`);
    else this.#wrong("program", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  #wrong(checker: string, what: string): void {
    this.#cluster.fail(checker, what);
  }

  // ---- servers -------------------------------------------------------------------

  #boot(host: Host): void {
    host.disk.restore();
    this.#open(host).catch(this.#failed);
  }

  async #open(host: Host): Promise<void> {
    const { machine, disk, secrets } = host;
    const kernel = machine.running;
    const random = this.#random;
    disk.faults = noDiskFaults; // a medium whose tables cannot be read is no volume
    if (!host.isFormatted) {
      await FileVolume.format(disk, { inodes, random });
      await disk.flush();
      host.isFormatted = true;
    }
    const volume = await FileVolume.open({
      ...{ device: disk, name: machine.name, cacheBytes, random, newHash: () => new QuickHash() },
      after: timersOf(machine),
    });
    if (machine.kernel !== kernel) return;
    if (!this.#mayRot && volume.report.lostInodes.length > 0)
      this.#wrong("volume", `${machine.name} has lost inodes: ${volume.report.lostInodes.join(", ")}`);
    const { unfinished, lostInodes } = volume.report;
    if (unfinished.length > 0) this.#cluster.happened("files unfinished", unfinished.length);
    if (lostInodes.length > 0) this.#cluster.happened("inodes lost", lostInodes.length);
    if (this.#mayRot && !this.#over)
      disk.faults = { ...noDiskFaults, bitRot: 0.005, badBlock: 0.003, readError: 0.01 };
    host.volume = volume;
    host.server = new BulletServer({
      ...{ kernel, engine: volume, ...secrets, after: timersOf(machine), failed: this.#failed },
    });
    host.capability ??= host.server.capability();
    this.#cluster.happened("bullet serves");
  }

  /** The power of one server goes, at any moment of what it does. */
  #cuts(): void {
    const { world } = this.#cluster;
    world.after(cutEvery / 2 + this.#below(cutEvery), () => {
      if (this.#over) return;
      const host = this.#hosts[this.#below(this.#hosts.length)];
      if (host !== undefined) {
        this.#cluster.happened("power cuts");
        host.machine.crash();
        world.after(SECOND / 2 + this.#below(2 * SECOND), () => {
          if (host.machine.kernel === null) host.machine.boot();
        });
      }
      this.#cuts();
    });
  }

  // ---- callers -------------------------------------------------------------------

  #mine(machine: Machine): Known[] {
    return this.#known.get(machine) ?? [];
  }

  /** One operation after the other; at the end all that is the caller's is read. */
  #next(machine: Machine): void {
    machine.after(this.#below(this.#over ? 20 * MILLISECOND : pauseMost), () => {
      if (this.#over && !this.#waiting.has(machine)) return;
      const work = this.#over ? this.#readAll(machine) : this.#operate(machine);
      work.then(
        () => this.#next(machine),
        (error: unknown) => {
          this.#failed(error);
          this.#next(machine);
        },
      );
    });
  }

  async #operate(machine: Machine): Promise<void> {
    const mine = this.#mine(machine).filter(({ state }) => state === "there");
    const chosen = mine[this.#below(Math.max(1, mine.length))];
    const kind = this.#below(10);
    if (chosen === undefined || (kind < 4 && mine.length < filesEach)) return this.#make(machine);
    if (kind < 7) return void (await this.#read(machine, chosen));
    if (kind < 8) return this.#change(machine, chosen);
    return this.#destroy(machine, chosen);
  }

  /** A content that no other file has, but for a few that come again. */
  #content(): Uint8Array {
    const bytes = sizes[this.#below(sizes.length)] ?? 0;
    const salt = this.#below(4) === 0 ? this.#below(3) : ++this.#contents + 16;
    const content = Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8) + salt * 53) & 0xff);
    for (let at = 0; at < Math.min(4, bytes); at++) content[at] = (salt >> (8 * at)) & 0xff;
    return content;
  }

  async #make(machine: Machine): Promise<void> {
    const host = this.#hosts[this.#below(this.#hosts.length)];
    if (host?.capability == null) return;
    const content = this.#content();
    this.#sent.add(hashOf(content));
    await this.#asking(machine, "made", refusals, async () => {
      if (host.capability === null) return;
      const capability = await createFile(machine.running, host.capability, content, { ...call, pieceBytes });
      this.#mine(machine).push({ host, capability, content, state: "there" });
    });
  }

  async #change(machine: Machine, { host, capability, content }: Known): Promise<void> {
    const position = this.#below(content.length + 1);
    const data = this.#random(1 + this.#below(300));
    const changed = new Uint8Array(Math.max(content.length, position + data.length));
    changed.set(content);
    changed.set(data, position);
    this.#sent.add(hashOf(changed));
    const allowed = this.#mayRot ? new Set([...refusals, "STD_SYSERR", "STD_CAPBAD"]) : refusals;
    await this.#asking(machine, "changed", allowed, async () => {
      const calls = stub(machine.running, bulletTable, capability, call);
      const { file } = await calls.modify({ position, data, flags: BULLET_COMMIT | BULLET_SAFETY });
      this.#mine(machine).push({ host, capability: file, content: changed, state: "there" });
    });
  }

  async #destroy(machine: Machine, known: Known): Promise<void> {
    known.state = "removing";
    const allowed = new Set([...passing, ...(this.#mayRot ? ["STD_CAPBAD"] : [])]);
    const refused = await this.#asking(machine, "destroyed", allowed, () =>
      stub(machine.running, bulletTable, known.capability, call).destroy(),
    );
    const others = this.#mine(machine).filter((each) => each !== known);
    this.#known.set(machine, others);
    if (refused !== null) return; // nobody can say whether it is still there
    known.state = "gone";
    await this.#isAway(machine, known);
    if (this.#below(2) === 0) this.#mine(machine).push(known); // to be looked for at the end, too
  }

  /** Asks for what was destroyed; false when its server cannot be asked now, or looks at no more guesses. */
  async #isAway(machine: Machine, { capability, host }: Known): Promise<boolean> {
    const code = await this.#asking(machine, "found away", new Set([...passing, "STD_CAPBAD"]), async () => {
      await stub(machine.running, bulletTable, capability, call).size64();
      this.#wrong("destroyed", `a file of ${host.machine.name} that was destroyed is there again`);
    });
    return code === null || !passing.has(code);
  }

  /** Reads a file and compares it; false when its server cannot be asked now. */
  async #read(machine: Machine, known: Known): Promise<boolean> {
    const { host, capability, content } = known;
    const allowed = this.#mayRot ? new Set([...passing, "STD_SYSERR", "STD_CAPBAD"]) : passing;
    const code = await this.#asking(machine, "read", allowed, async () => {
      const pieces: Uint8Array[] = [];
      for await (const piece of readFile(machine.running, capability, { ...call, pieceBytes }))
        pieces.push(piece.slice());
      if (known.state === "there" && !same(joined(pieces), content))
        this.#wrong("content", `a file of ${content.length} bytes on ${host.machine.name} has other bytes`);
    });
    // A medium lost it. Each time that it is asked for is a wrong guess to its server.
    if (code === "STD_CAPBAD") known.state = "lost";
    return code === null || !passing.has(code);
  }

  async #readAll(machine: Machine): Promise<void> {
    const mine = this.#mine(machine);
    for (const known of mine) if (known.state === "there" && !(await this.#read(machine, known))) return;
    // Each is a wrong guess to its server, of which only so many a second are looked at.
    for (const known of mine.filter(({ state }) => state === "gone")) {
      if (!(await this.#isAway(machine, known))) return;
      mine.splice(mine.indexOf(known), 1);
    }
    for (const host of [...this.#unchecked]) if (!(await this.#check(machine, host))) return;
    this.#waiting.delete(machine);
  }

  /** Has a medium checked; false when its server cannot be asked now. */
  async #check(machine: Machine, host: Host): Promise<boolean> {
    const { capability, volume } = host;
    if (capability === null || volume === null) return false;
    let isDone = false;
    await this.#asking(machine, "media checked", passing, async () => {
      const { report } = await stub(machine.running, bulletTable, capability, call).check();
      const { corrupt, lostInodes } = report as {
        corrupt: readonly unknown[];
        lostInodes: readonly number[];
      };
      isDone = true;
      if (!this.#mayRot && corrupt.length + lostInodes.length > 0)
        this.#wrong("check", `the medium of ${host.machine.name} is damaged: ${JSON.stringify(report)}`);
    });
    if (!isDone || host.volume !== volume) return false;
    for (const { hash, bytes, number } of volume.files())
      if (!this.#sent.has(toHex(hash)))
        this.#wrong(
          "half-made",
          `file ${number} of ${host.machine.name}, ${bytes} bytes, is what nobody has sent`,
        );
    this.#unchecked.delete(host);
    return true;
  }

  /** Calls; answers the code of an error that is allowed, or null. */
  async #asking(
    machine: Machine,
    what: string,
    allowed: ReadonlySet<string>,
    ask: () => Promise<unknown>,
  ): Promise<string | null> {
    const kernel = machine.running;
    try {
      await ask();
      if (machine.kernel === kernel) this.#cluster.happened(`files ${what}`);
      return null;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      this.#cluster.happened(`files not ${what} ${error.code}`);
      if (!allowed.has(error.code)) this.#wrong("file", `not ${what}: ${error.code}`);
      return error.code;
    }
  }

  // ---- the end -------------------------------------------------------------------

  finish(): void {
    this.#over = true;
    for (const { disk } of this.#hosts) disk.faults = noDiskFaults;
    for (const machine of this.#callers) this.#waiting.add(machine);
    for (const host of this.#hosts) this.#unchecked.add(host);
  }

  /** Every caller has read all that is its own. */
  idle(): boolean {
    return this.#waiting.size === 0;
  }

  judge(): void {
    for (const { disk } of this.#hosts) {
      const { bitRot, badBlock } = disk.counts;
      this.#cluster.happened("blocks rotted or lost", bitRot + badBlock);
    }
    if (this.#waiting.size + this.#unchecked.size > 0)
      this.#wrong("files progress", "files were not read, or media not checked, in the time of peace");
  }
}
