// Servers from tables on several machines, and clients that use them as programs do, through
// their stubs: segments made, written, read, grown, copied, touched, aged and destroyed, rights
// restricted, overstepped and revoked, machines that crash under them; sys, random and time beside them.
//
// - A lane is a client's thread: one call after the other. It owns some segments, and only the
//   owner writes; others read them and try what their capability does not allow.
// - In half of the seeds a server keeps its port and key through crashes: old capabilities reach
//   the new server then, which must not know them, its own either: it revokes them as it starts.
//   In a quarter the scheme is the original's.
// - What is promised is in checkers/segments.ts.

import { newSecrets, Secrets } from "../../control/capability/secrets.js";
import { randomTable } from "../../control/interface/random.js";
import { systemTable } from "../../control/interface/system.js";
import { timeTable } from "../../control/interface/time.js";
import { toHex } from "../../control/kernel/bytes.js";
import { serveRandom } from "../../control/server/random/random.js";
import { SegmentServer } from "../../control/server/segment/segment.js";
import { SystemServer } from "../../control/server/system/system.js";
import { serveTime } from "../../control/server/time/time.js";
import { stub } from "../../control/stub/client.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { certainlyNot, Home, type Outcome } from "../checkers/segments.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { remember } from "./counters.js";

import { allRights, callOptions, type Held, type Lane, type Posted, SegmentCalls } from "./segment-calls.js";
import type { Activity, Cluster, Plan, Workload } from "./workload.js";

const lanesEach = 3;
const pauseMax = 600 * MILLISECOND;
const agePause = 4 * SECOND;
const segmentsMax = 3;
/** Writes that may still happen, from which on a segment is given up. */
const openMax = 4;
const auditTries = 6;

/** What was drawn for one seed. */
interface Draw {
  readonly servers: number;
  readonly samePorts: boolean;
  readonly keyed: boolean;
  readonly lifetime: number;
}

/** The workload; every seed draws its own variant of it. */
export function serversWorkload(): Workload {
  let drawn: Draw | null = null;
  return {
    name: "servers",
    summary: "segments, sys, random and time through their tables, judged by what clients see",
    plan(random, machines): Plan {
      const draw = {
        servers: Math.max(1, Math.min(machines - 1, 2 + random.below(2))),
        samePorts: random.chance(0.5),
        keyed: random.chance(0.75),
        lifetime: 2 + random.below(3),
      };
      drawn = draw;
      return {
        lan: { receiveFrames: [32, 64][random.below(2)] ?? 64 },
        machine: (index) =>
          index < draw.servers
            ? {
                name: `server${index}`,
                limits: { memoryBytes: 24 * 1024 * 1024, segmentBytes: 768 * 1024, segments: 48 },
              }
            : { name: `client${index - draw.servers}`, limits: { memoryBytes: 12 * 1024 * 1024 } },
      };
    },
    start(cluster) {
      if (drawn === null) throw new Error("a workload is planned before it starts");
      return new Servers(cluster, drawn);
    },
  };
}

class Servers implements Activity {
  readonly #cluster: Cluster;
  readonly #draw: Draw;
  readonly #random: SeededRandom;
  readonly #clients: readonly Machine[];
  readonly #posted = new Map<Machine, Posted>();
  readonly #calls: SegmentCalls;
  /** What machines have on their disks, by machine and server. */
  readonly #secrets = new Map<string, Secrets>();
  /** Segments whose owner is gone. */
  readonly #orphans: Held[] = [];
  readonly #bytesSeen = new Set<string>();
  #lanes: Lane[] = [];
  #over = false;
  /** The last look at everything, once it has begun. */
  #audit: Promise<void> | null = null;
  #audited = false;

  constructor(cluster: Cluster, draw: Draw) {
    this.#cluster = cluster;
    this.#draw = draw;
    this.#random = cluster.random;
    this.#calls = new SegmentCalls(cluster, () => this.#posted.values());
    this.#clients = cluster.machines.slice(draw.servers);
    for (const server of cluster.machines.slice(0, draw.servers)) {
      cluster.program(server, () => this.#serve(server));
      cluster.onCrash(server, () => {
        const posted = this.#posted.get(server);
        if (posted !== undefined) posted.home.goneAt = cluster.world.now;
      });
    }
    for (const [index, client] of this.#clients.entries()) {
      cluster.program(client, () => {
        for (let lane = 0; lane < lanesEach; lane++) this.#begin(client, (each) => this.#step(each));
        if (index === 0) this.#begin(client, (lane) => this.#administer(lane), agePause);
      });
      cluster.onCrash(client, () => {
        const left = this.#lanes.filter(({ machine }) => machine === client);
        this.#orphans.push(...left.flatMap(({ owns }) => owns));
        this.#lanes = this.#lanes.filter(({ machine }) => machine !== client);
      });
    }
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  // ---- servers ---------------------------------------------------------------------

  #serve(machine: Machine): void {
    const { running: kernel } = machine;
    const { world } = this.#cluster;
    const random = (bytes: number) => Uint8Array.from({ length: bytes }, () => world.random.next() & 0xff);
    const failed = (error: unknown) => this.#broken(machine, error);
    let which = 0;
    const given = () => {
      const file = `${machine.index}/${++which}`;
      const kept = this.#draw.samePorts ? this.#secrets.get(file) : undefined;
      const secrets = kept ?? new Secrets(newSecrets(random), random);
      if (kept !== undefined) kept.own.renew(); // what the boot before gave out ends: the judge knows boots
      this.#secrets.set(file, secrets);
      const { getPort, key, own } = secrets;
      return { kernel, random, failed, getPort, own, ...(this.#draw.keyed ? { key } : {}) };
    };
    const segment = new SegmentServer({
      ...given(),
      memory: kernel.segments,
      threads: 2,
      locateTimeoutMs: 500,
    });
    const system = new SystemServer({
      ...{ ...given(), info: machine.name, interfaces: () => [] },
      describe: () => ({ name: machine.name, boots: machine.boots }),
    });
    const sources = serveRandom(given());
    const time = serveTime({ ...given(), clock: () => world.now / MILLISECOND });
    this.#posted.set(machine, {
      home: new Home(`${machine.name}, boot ${machine.boots}`, this.#draw.lifetime),
      ...{ machine, segment: segment.capability(), system: system.capability() },
      ...{ random: sources.capability(), time: time.capability(), open: false },
    });
  }

  /** Two of each server. */
  threads(machine: Machine): number {
    return this.#posted.has(machine) ? 8 : 0;
  }

  // ---- clients ---------------------------------------------------------------------

  #begin(machine: Machine, step: (lane: Lane) => Promise<void>, pause = pauseMax): void {
    const lane: Lane = { machine, kernel: machine.running, owns: [], done: false };
    this.#lanes.push(lane);
    const next = (): void => {
      machine.after(this.#below(pause), async () => {
        if (!this.#over) await step(lane).catch((error) => this.#broken(machine, error));
        if (this.#over) lane.done = true;
        else if (machine.kernel === lane.kernel) next();
      });
    };
    next();
  }

  #broken(machine: Machine, error: unknown): void {
    const what = error instanceof Error ? error.stack : error;
    this.#cluster.fail("program", `${machine.name}: ${what}`);
  }

  /** One thing that a client does. */
  async #step(lane: Lane): Promise<void> {
    const { owns } = lane;
    for (const held of owns.filter((each) => this.#isOver(each))) owns.splice(owns.indexOf(held), 1);
    const held = this.#pick(owns);
    const dice = this.#below(100);
    if (held === undefined || (owns.length < segmentsMax && dice < 8)) {
      const orphan =
        this.#below(3) === 0 ? this.#orphans.splice(this.#below(this.#orphans.length), 1)[0] : undefined;
      if (orphan !== undefined) owns.push(orphan);
      else await this.#calls.create(lane);
    } else if (held.segment.open > openMax || dice < 12) await this.#calls.destroy(lane, held);
    else if (dice < 38) await this.#calls.write(lane, held);
    else if (dice < 56) await this.#calls.read(lane, held);
    else if (dice < 62) await this.#calls.grow(lane, held);
    else if (dice < 72) await this.#calls.touch(lane, held);
    else if (dice < 76) await this.#calls.copy(lane, held);
    else if (dice < 82) await this.#calls.restrict(lane, this.#calls.any() ?? held);
    else if (dice < 85) await this.#calls.revoke(lane, held);
    else if (dice < 92) await this.#calls.read(lane, this.#calls.any() ?? held);
    else if (dice < 96) await this.#calls.overstep(lane, this.#calls.any() ?? held);
    else await this.#visit(lane);
  }

  /** Nothing comes of it any more: the segment is gone, or all that was known of it is revoked. */
  #isOver({ segment, generation }: Held): boolean {
    const { now } = this.#cluster.world;
    return segment.isGone(now) || generation.isOver(now);
  }

  /** The servers that are there for anyone. */
  async #visit(lane: Lane): Promise<void> {
    const posted = this.#pick([...this.#posted.values()]);
    if (posted === undefined) return;
    const { world } = this.#cluster;
    const [begin, span] = [world.now, this.#calls.span()];
    const wrong = (what: string) => this.#cluster.fail("answers", `${posted.home.name}: ${what}`);
    const { kernel } = lane;
    switch (this.#below(3)) {
      case 0: {
        const of = stub(kernel, systemTable, posted.system, callOptions);
        const reply = (await this.#calls.answer(lane, span, () => of.status()))?.reply;
        if (
          reply !== undefined &&
          !posted.home.name.startsWith((JSON.parse(reply.text) as { name: string }).name)
        )
          wrong(`status is of another machine: ${reply.text}`);
        break;
      }
      case 1: {
        const count = 12 + this.#below(100);
        const of = stub(kernel, randomTable, posted.random, callOptions);
        const data = (await this.#calls.answer(lane, span, () => of.get({ count })))?.reply?.data;
        if (data === undefined) break;
        if (data.length !== count) wrong(`${data.length} random bytes instead of ${count}`);
        const hex = toHex(data);
        if (this.#bytesSeen.has(hex)) wrong("gave the same random bytes twice");
        this.#bytesSeen.add(hex);
        break;
      }
      default: {
        const of = stub(kernel, timeTable, posted.time, callOptions);
        const reply = (await this.#calls.answer(lane, span, () => of.get()))?.reply;
        if (reply === undefined) break;
        const told = (reply.seconds * 1000 + reply.milliseconds) * MILLISECOND;
        if (told < begin - MILLISECOND || told > world.now)
          wrong(`told ${told} between ${begin} and ${world.now}`);
      }
    }
  }

  // ---- the administrator -----------------------------------------------------------

  /** Sets parameters of machines that have booted, makes objects older, looks after both. */
  async #administer(lane: Lane): Promise<void> {
    const posted = this.#pick([...this.#posted.values()]);
    if (posted === undefined) return;
    const { home, segment } = posted;
    const calls = this.#calls.stub(lane, segment);
    if (!posted.open) {
      const settings = [{ name: "lifetime", value: String(home.lifetime) }];
      const set = await this.#calls.answer(lane, this.#calls.span(), () => calls.setparams({ settings }));
      if (set?.outcome === "OK") posted.open = true;
      return;
    }
    const span = this.#calls.span();
    home.ages.add(span);
    const aged = await this.#calls.answer(lane, span, () => calls.age());
    if (aged !== null && certainlyNot(aged.outcome)) home.ages.delete(span);
    if (aged?.outcome === "OK") this.#cluster.happened("aged");
    const told = await this.#calls.answer(lane, this.#calls.span(), () => calls.getparams());
    const lifetime = told?.reply?.parameters.find(({ name }) => name === "lifetime")?.value;
    if (lifetime !== undefined && lifetime !== String(home.lifetime))
      this.#cluster.fail("answers", `${home.name} has a lifetime of ${lifetime}, ${home.lifetime} was set`);
  }

  // ---- the end ---------------------------------------------------------------------

  finish(): void {
    this.#over = true;
  }

  idle(): boolean {
    if (this.#audited) return true;
    if (!this.#lanes.every(({ done }) => done)) return false;
    const [client] = this.#clients;
    if (client === undefined) return true;
    if (this.#audit === null) {
      const lane: Lane = { machine: client, kernel: client.running, owns: [], done: false };
      this.#audit = this.#look(lane).then(
        () => {
          this.#audited = true;
        },
        (error) => this.#broken(client, error),
      );
    }
    return false;
  }

  /** In peace: every segment that lives is read whole, and every server counts its segments. */
  async #look(lane: Lane): Promise<void> {
    for (const { home, segment: server } of this.#posted.values()) {
      const { now } = this.#cluster.world;
      for (const held of this.#calls.held) {
        const { segment, rights } = held;
        if (segment.home !== home || rights !== allRights || segment.isGone(now)) continue;
        const outcome = await this.#certain(lane, () => this.#calls.read(lane, held, 0, segment.sizeMax));
        this.#cluster.happened(outcome === "OK" ? "segments read at the end" : "segments gone at the end");
      }
      let count = -1;
      const begin = this.#cluster.world.now;
      await this.#certain(lane, async () => {
        const answer = await this.#calls.answer(lane, this.#calls.span(), () =>
          this.#calls.stub(lane, server).status(),
        );
        count = Number(/^segments (\d+) /.exec(answer?.reply?.text ?? "")?.[1] ?? -1);
        return answer?.outcome ?? "";
      });
      const known = [...home.segments];
      const most = home.possible - known.filter((segment) => segment.isGone(begin)).length;
      const least = known.filter((segment) => !segment.mayBeGone(this.#cluster.world.now)).length;
      if (count < least || count > most)
        this.#cluster.fail(
          "at-most-once",
          `${home.name} has ${count} segments; ${least} to ${most} were made`,
        );
    }
  }

  /** Repeats a call until its outcome is known: in peace it must become that. */
  async #certain(lane: Lane, call: () => Promise<Outcome>): Promise<Outcome> {
    let outcome = "";
    for (let tries = 0; tries < auditTries; tries++) {
      outcome = await call();
      if (outcome === "OK" || outcome.startsWith("STD_")) return outcome;
    }
    this.#cluster.fail("liveness", `${lane.machine.name} was answered ${outcome} in peace`);
    return outcome;
  }

  judge(): void {
    this.#cluster.happened(
      "segments made",
      [...this.#posted.values()].reduce((sum, { home }) => sum + home.segments.size, 0),
    );
    for (const machine of this.#cluster.machines) remember(this.#cluster, machine);
  }
}
