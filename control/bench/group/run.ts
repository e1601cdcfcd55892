// A whole benchmark of groups: for each number of members a LAN, on it the rounds, and at
// last the recoveries.
//
// - A round runs every case once, system after system; their processes are new in every
//   round. A system that is not measured has no process on the LAN.
// - A case that fails, or whose tool is missing, becomes a row with a problem, and the next
//   one begins with new processes. Only what makes every figure impossible (no namespaces,
//   no cores) is thrown.

import { allowedCores, coresOf, machine } from "../environment.js";
import { Corosync, type CorosyncTools, findCorosync, installCorosync } from "./corosync.js";
import { Lan } from "./lan.js";
import type { Session } from "./load.js";
import { measureCase, type Span } from "./measure.js";
import { Ours } from "./ours.js";
import { batches, type GroupWanted, planGroupCases, planRecovery } from "./plan.js";
import { groupRatiosOf, groupRemarksOf } from "./ratios.js";
import { measureGap, type RecoverySpan } from "./recovery.js";
import { groupResultOf } from "./samples.js";
import type { GroupCase, GroupReport, GroupResult, GroupRun, GroupSystem } from "./types.js";

export interface GroupBenchOptions extends GroupWanted {
  readonly runs: number;
  /** Runs of group-recovery; Corosync, which takes longer, gets fewer. */
  readonly kills: number;
  readonly mtu: number;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** Path of the source of Corosync's member. */
  readonly cpgSource: string;
  /** The version of this program. */
  readonly version: string;
  /** How long a run of a case is. */
  readonly span: Span;
  /** Told before each measurement: how many of how many are done. */
  readonly progress: (each: GroupCase, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

const recoverySpans: Readonly<Record<"group" | "corosync", RecoverySpan>> = {
  group: { before: 300, after: 2500 },
  corosync: { before: 500, after: 11_500 },
};
const corosyncKillsMost = 3;
/** Failed starts in a row after which a system is given up. */
const startsMost = 2;

const isCorosync = (system: GroupSystem): boolean => system.startsWith("corosync");

class GroupBench {
  readonly #options: GroupBenchOptions;
  readonly #tools: CorosyncTools | null;
  readonly #runs = new Map<GroupCase, GroupRun[]>();
  readonly #problems = new Map<GroupCase, string>();
  readonly #all: number;
  #done = 0;

  constructor(
    options: GroupBenchOptions,
    tools: CorosyncTools | null,
    cases: readonly GroupCase[],
    recoveries: readonly GroupCase[],
  ) {
    this.#options = options;
    this.#tools = tools;
    for (const each of [...cases, ...recoveries]) {
      if (isCorosync(each.system) && tools === null) this.#problems.set(each, installCorosync);
      this.#runs.set(each, []);
    }
    const kills = recoveries.reduce((sum, each) => sum + this.#killsOf(each), 0);
    this.#all = cases.length * options.runs + kills;
  }

  results(): GroupResult[] {
    const { mtu } = this.#options;
    return [...this.#runs].map(([each, runs]) => groupResultOf(each, runs, mtu, this.#problems.get(each)));
  }

  #killsOf({ system }: GroupCase): number {
    const { kills } = this.#options;
    return isCorosync(system) ? Math.min(kills, corosyncKillsMost) : kills;
  }

  async #start(lan: Lan, { system }: GroupCase): Promise<Session> {
    const { wasm, abort } = this.#options;
    if (!isCorosync(system)) return Ours.start(lan, wasm);
    if (this.#tools === null) throw new Error(installCorosync);
    return Corosync.start(lan, this.#tools, system === "corosync-knet" ? "knet" : "udp", abort);
  }

  /** Runs one case once; false when it failed. */
  async #attempt(each: GroupCase, work: () => Promise<GroupRun>): Promise<boolean> {
    const { abort, progress } = this.#options;
    abort.throwIfAborted();
    progress(each, this.#done++, this.#all);
    if (this.#problems.has(each)) return true;
    try {
      this.#runs.get(each)?.push(await work());
      return true;
    } catch (error) {
      abort.throwIfAborted();
      this.#problems.set(each, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Every case of these once, on this LAN. */
  async round(lan: Lan, cases: readonly GroupCase[]): Promise<void> {
    for (const batch of batches(cases, ({ system }) => (isCorosync(system) ? system : "ours")))
      await this.#batch(lan, batch);
  }

  /** Cases that share their processes. */
  async #batch(lan: Lan, cases: readonly GroupCase[]): Promise<void> {
    let session: Session | null = null;
    let failedStarts = 0;
    try {
      for (const each of cases) {
        const good = await this.#attempt(each, async () => {
          if (session === null) {
            if (failedStarts >= startsMost) throw new Error("its processes did not start, as above");
            failedStarts++;
            session = await this.#start(lan, each);
            failedStarts = 0;
          }
          return measureCase(lan, session, each, this.#options.span);
        });
        if (good) continue;
        (session as Session | null)?.kill();
        session = null;
      }
    } finally {
      (session as Session | null)?.kill();
    }
  }

  /** Kills the sequencer's machine again and again, each time that of a new group. */
  async recover(lan: Lan, each: GroupCase): Promise<void> {
    const span = recoverySpans[isCorosync(each.system) ? "corosync" : "group"];
    for (let kill = 0; kill < this.#killsOf(each); kill++) {
      await this.#attempt(each, async () => {
        const session = await this.#start(lan, each);
        try {
          return await measureGap(lan, session, each, span);
        } finally {
          session.kill();
        }
      });
    }
  }
}

/**
 * Runs a benchmark of groups. Rejects with ProteusError, or with the abort's reason; the
 * machines are gone then.
 */
export async function runGroupBench(options: GroupBenchOptions): Promise<GroupReport> {
  const { abort, mtu, runs, kills, version } = options;
  const { client, server } = coresOf("X", allowedCores());
  const cores = [client, server];
  const host = machine();
  const cases = planGroupCases(options);
  const recoveries = planRecovery(options);
  const tools = options.systems.some(isCorosync) ? await findCorosync(options.cpgSource) : null;
  try {
    const bench = new GroupBench(options, tools, cases, recoveries);
    const counts = new Set([...cases, ...recoveries].map(({ members }) => members));
    let isolation = "";
    for (const count of counts) {
      const here = cases.filter(({ members }) => members === count);
      const lan = await Lan.make(count, mtu, cores, abort);
      isolation = lan.machines.isolation;
      try {
        for (let round = 0; round < runs; round++) await bench.round(lan, here);
        for (const each of recoveries) if (each.members === count) await bench.recover(lan, each);
      } finally {
        await lan.remove();
      }
    }
    const results = bench.results();
    return {
      environment: {
        ...{ proteus: version, ...host, isolation, link: "bridge", mtus: [mtu], runs, kills },
        ...{ memberCores: cores, corosync: tools?.version ?? null },
      },
      results,
      ratios: groupRatiosOf(results),
      remarks: groupRemarksOf(results, host.load, cores.length),
    };
  } finally {
    tools?.remove();
  }
}
