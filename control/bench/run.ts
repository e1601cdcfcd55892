// A whole benchmark: scene after scene, in each of them the rounds.
//
// - A round runs every case once. Cases with the same test, link, placement and MTU share
//   their processes, which are new in every round: a lucky or unlucky start of one shows in
//   the spread and not in the median.
// - A case that fails, or whose tool is missing, becomes a row with a problem; the rest
//   goes on. Only what makes every figure impossible (no namespaces, no cores) is thrown.

import { ProteusError } from "../kernel/errors.js";
import { betweenScene, cardOf, coresBetween, planBetween } from "./between.js";
import type { Between, End } from "./ends.js";
import { allowedCores, congestion, coresOf, machine } from "./environment.js";
import { iperf3Version } from "./iperf3.js";
import { groupCases, planCases, type Wanted } from "./plan.js";
import { ratiosOf } from "./ratios.js";
import { remarksOf } from "./remarks.js";
import { resultOf } from "./samples.js";
import { openPair, type Scene, type Session, sceneOf } from "./scene.js";
import { openStar } from "./star.js";
import { installNats, natsVersion } from "./systems/nats.js";
import type { Case, Environment, Placement, Report, Result, Run } from "./types.js";
import type { Cores, Pace } from "./workers.js";

export interface BenchOptions extends Wanted, Pace {
  readonly runs: number;
  /** The version of this program. */
  readonly version: string;
  /** Told before each measurement: how many of how many are done. */
  readonly progress: (each: Case, done: number, all: number) => void;
  readonly abort: AbortSignal;
  /** Machines that are there; left out: machines of its own. */
  readonly between?: Between;
}

/** What the outside tools of a benchmark are. */
export interface Tools {
  readonly iperf3: string | null;
  readonly nats: string | null;
  /** Null without ethtool. */
  readonly offloads: Readonly<Record<string, boolean>> | null;
  readonly congestion: Environment["congestion"];
}

/** Why a case cannot be measured here, and what to install. Pure. */
export function missingTool({ system }: Case, tools: Tools): string | undefined {
  if (system.startsWith("iperf3") && tools.iperf3 === null)
    return "iperf3 is not installed: apt-get install iperf3 (or: npm run setup)";
  if (system === "iperf3-no-offload" && tools.offloads === null)
    return "ethtool is not installed: apt-get install ethtool (or: npm run setup)";
  if (system === "nats" && tools.nats === null) return installNats;
  const control = /^iperf3-(cubic|bbr)$/.exec(system)?.[1];
  if (control !== undefined && !tools.congestion.available.includes(control))
    return `${control} is not installed: this kernel has ${tools.congestion.available.join(", ")}`;
  return undefined;
}

/** The same for two machines: what one of them lacks. Pure. */
export function missingBetween(each: Case, { client, server }: Between): string | undefined {
  const lacks = ({ name, described }: End, tools: Partial<Tools>): string | undefined => {
    const problem = missingTool(each, { ...described, offloads: {}, ...tools });
    return problem?.replace("is not installed", `is not installed on ${name}`).replace(/ \(or: .*\)$/, "");
  };
  return lacks(server, {}) ?? lacks(client, { nats: "only the server needs it" });
}

/** What went wrong with a case, in a line. */
function problemOf(error: unknown): string {
  if (error instanceof ProteusError && error.why !== undefined) return `${error.message}: ${error.why}`;
  return error instanceof Error ? error.message : String(error);
}

/** Collects what the cases gave, scene after scene. */
export class Bench {
  readonly #runs = new Map<Case, Run[]>();
  readonly #problems = new Map<Case, string>();
  #done = 0;

  constructor(
    readonly cases: readonly Case[],
    private readonly options: Pick<BenchOptions, "runs" | "progress" | "abort">,
    missing: (each: Case) => string | undefined,
  ) {
    for (const each of cases) {
      const problem = missing(each);
      if (problem !== undefined) this.#problems.set(each, problem);
      this.#runs.set(each, []);
    }
  }

  results(): Result[] {
    return this.cases.map((each) => resultOf(each, this.#runs.get(each) ?? [], this.#problems.get(each)));
  }

  /** None of these can be measured. */
  giveUp(cases: readonly Case[], error: unknown): void {
    this.options.abort.throwIfAborted();
    for (const each of cases) this.#problems.set(each, problemOf(error));
    this.#done += cases.length * this.options.runs;
  }

  /** All rounds of the cases of a scene. */
  async rounds(
    scene: Scene,
    cases: readonly Case[],
    coresOf: (placement: Placement) => Cores,
  ): Promise<void> {
    for (let round = 0; round < this.options.runs; round++)
      for (const group of groupCases(cases)) {
        let left = group.cases;
        while (left.length > 0) left = await this.#group(left, scene, coresOf(group.placement));
      }
  }

  /** Measures cases with the same processes; answers those behind one that failed, for new ones. */
  async #group(cases: readonly Case[], scene: Scene, cores: Cores): Promise<readonly Case[]> {
    const { abort } = this.options;
    abort.throwIfAborted();
    const wanted = cases.filter((each) => !this.#problems.has(each));
    this.#done += cases.length - wanted.length;
    if (wanted.length === 0) return [];
    const session = scene.open(cores);
    abort.addEventListener("abort", session.kill);
    try {
      for (const [index, each] of wanted.entries()) {
        if (!(await this.#measure(each, session))) return wanted.slice(index + 1);
      }
      return [];
    } finally {
      abort.removeEventListener("abort", session.kill);
      session.kill();
    }
  }

  /** False when it failed: its processes may be in any state. */
  async #measure(each: Case, session: Session): Promise<boolean> {
    const { abort, runs, progress } = this.options;
    abort.throwIfAborted();
    progress(each, this.#done++, this.cases.length * runs);
    try {
      this.#runs.get(each)?.push(await session.measure(each));
      return true;
    } catch (error) {
      abort.throwIfAborted();
      this.#problems.set(each, problemOf(error));
      return false;
    }
  }
}

/** Cases by the scene where they are measured, in their order. */
function byScene(cases: readonly Case[]): Case[][] {
  const scenes = new Map<string, Case[]>();
  for (const each of cases) {
    const name = sceneOf(each);
    scenes.set(name, [...(scenes.get(name) ?? []), each]);
  }
  return [...scenes.values()];
}

/** The cases of a benchmark. Pure. */
export function casesOf(wanted: Wanted & Pick<BenchOptions, "between">): Case[] {
  const { between } = wanted;
  return between === undefined ? planCases(wanted) : planBetween(wanted, between);
}

async function openScene(first: Case, options: BenchOptions): Promise<Scene> {
  const { between, abort } = options;
  if (between !== undefined) return betweenScene(between, options);
  return sceneOf(first) === "star" ? openStar(first.mtu, options, abort) : openPair(first, options, abort);
}

/** The tools of this machine, or those of the machine that serves. */
async function toolsOf(server: End | undefined): Promise<Omit<Tools, "offloads">> {
  if (server === undefined)
    return { iperf3: await iperf3Version(), nats: await natsVersion(), congestion: congestion() };
  const { iperf3, nats, congestion: controls } = server.described;
  return { iperf3, nats, congestion: controls };
}

/** Runs a benchmark. Rejects with ProteusError, or with the abort's reason; all machines are gone then. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const { runs, version, between } = options;
  const begun = new Date().toISOString();
  const cases = casesOf(options);
  const allowed = allowedCores();
  const coresFor = (placement: Placement): Cores =>
    between === undefined ? coresOf(placement, allowed) : coresBetween(placement, between);
  const places = [...new Set(cases.map(({ placement }) => placement))];
  const cores = Object.fromEntries(places.map((each) => [each, coresFor(each)]));
  const host = between?.client.described.host ?? machine();
  const known = await toolsOf(between?.server);
  let bench: Bench | null = null;
  let isolation = "";
  let offloads: Environment["offloads"] = null;
  for (const here of byScene(cases)) {
    const [first] = here;
    if (first === undefined) continue;
    let scene: Scene;
    try {
      scene = await openScene(first, options);
    } catch (error) {
      if (bench === null) throw error; // the first: there is no other
      bench.giveUp(here, error);
      continue;
    }
    try {
      isolation = scene.isolation;
      offloads ??= await scene.offloads();
      bench ??= new Bench(cases, options, (each) =>
        between === undefined ? missingTool(each, { ...known, offloads }) : missingBetween(each, between),
      );
      await bench.rounds(scene, here, coresFor);
    } finally {
      await scene.remove();
    }
  }
  const results = bench?.results() ?? [];
  const cards = between === undefined ? [] : await Promise.all([between.client, between.server].map(cardOf));
  const [card] = cards;
  const environment: Environment = {
    ...(card === undefined ? {} : { cards }),
    ...{ proteus: version, ...host, ...known, isolation, runs, begun },
    offloads: offloads ?? card?.offloads ?? null,
    link: [...new Set(cases.map(({ link }) => link))].join(", "),
    mtus: [...new Set(cases.map(({ mtu }) => mtu))],
    placements: cores,
    loadAtEnd: (card?.host ?? machine()).load,
  };
  return {
    environment,
    results,
    ratios: ratiosOf(results),
    remarks: remarksOf(
      results,
      Math.max(host.load, environment.loadAtEnd, ...cards.map((each) => each.host.load)),
    ),
  };
}
