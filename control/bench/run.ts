// A whole benchmark: makes the pair, runs the rounds, takes the pair down.
//
// - A round runs every case once. Cases with the same test, placement and MTU share their
//   processes, which are new in every round: a lucky or unlucky start of one shows in the
//   spread and not in the median.
// - A case that fails, or whose tool is missing, becomes a row with a problem; the rest
//   goes on. Only what makes every figure impossible (no namespaces, no cores) is thrown.

import { fileURLToPath } from "node:url";
import { allowedCores, coresOf, machine } from "./environment.js";
import { iperf3Version, runIperf3 } from "./iperf3.js";
import { addresses, type End, interfaceName, Pair } from "./pair.js";
import { groupCases, planCases, type Wanted } from "./plan.js";
import { ratiosOf, remarksOf } from "./ratios.js";
import { resultOf } from "./samples.js";
import type { Answer, Job, Order } from "./systems/system.js";
import type { Case, Environment, Placement, Report, Result, Run, SystemName, TestName } from "./types.js";
import { pinned, Worker } from "./worker.js";

export interface BenchOptions extends Wanted {
  readonly runs: number;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** The version of this program. */
  readonly version: string;
  /** Told before each measurement: how many of how many are done. */
  readonly progress: (each: Case, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

const program = fileURLToPath(new URL("./worker-main.js", import.meta.url));

const milliseconds: Readonly<Record<TestName, number>> = { "null-rpc": 250, "call-1m": 300 };

interface Cores {
  readonly client: number;
  readonly server: number;
}

/** The two processes of our own that a group of cases shares. */
class Workers {
  readonly client: Worker<Order, Answer>;
  readonly server: Worker<Order, Answer>;

  constructor(
    pair: Pair,
    readonly cores: Cores,
  ) {
    const start = (end: End) =>
      new Worker<Order, Answer>(end, pinned(pair.enter(end), cores[end], [process.execPath, program]));
    this.client = start("client");
    this.server = start("server");
  }

  readonly kill = (): void => {
    this.client.kill();
    this.server.kill();
  };
}

/** Measures with a server and a client of our own. */
async function runWorkers({ client, server }: Workers, job: Job): Promise<Run> {
  const ready = await server.order({ serve: job });
  if (!("ready" in ready)) throw new Error("the server gave no port");
  const answer = await client.order({ measure: job, facts: ready.ready });
  await server.order({ stop: true });
  if (!("run" in answer)) throw new Error("the client gave no figures");
  return answer.run;
}

const isIperf3 = (system: SystemName): boolean => system.startsWith("iperf3");

/** What the outside tools of a benchmark are. */
interface Tools {
  readonly iperf3: string | null;
  readonly offloads: Readonly<Record<string, boolean>> | null;
}

function missingTool({ system }: Case, tools: Tools): string | undefined {
  if (isIperf3(system) && tools.iperf3 === null)
    return "iperf3 is not installed: apt-get install iperf3 (or: npm run setup)";
  if (system === "iperf3-no-offload" && tools.offloads === null)
    return "ethtool is not installed: apt-get install ethtool (or: npm run setup)";
  return undefined;
}

class Bench {
  readonly #options: BenchOptions;
  readonly #pair: Pair;
  readonly #cases: readonly Case[];
  readonly #runs = new Map<Case, Run[]>();
  readonly #problems = new Map<Case, string>();
  #done = 0;

  constructor(options: BenchOptions, pair: Pair, tools: Tools, cases: readonly Case[]) {
    this.#options = options;
    this.#pair = pair;
    this.#cases = cases;
    for (const each of cases) {
      const missing = missingTool(each, tools);
      if (missing !== undefined) this.#problems.set(each, missing);
      this.#runs.set(each, []);
    }
  }

  results(): Result[] {
    return this.#cases.map((each) => resultOf(each, this.#runs.get(each) ?? [], this.#problems.get(each)));
  }

  /** Every case once; `coresOf` says where a case runs. */
  async round(coresOf: (placement: Placement) => Cores): Promise<void> {
    for (const { placement, cases } of groupCases(this.#cases)) {
      let left = cases;
      while (left.length > 0) left = await this.#group(left, coresOf(placement));
    }
  }

  /** Measures cases with the same two processes; answers those behind one that failed, for new ones. */
  async #group(cases: readonly Case[], cores: Cores): Promise<readonly Case[]> {
    const { abort } = this.#options;
    const workers = new Workers(this.#pair, cores);
    abort.addEventListener("abort", workers.kill);
    try {
      for (const [index, each] of cases.entries()) {
        if (!(await this.#measure(each, workers))) return cases.slice(index + 1);
      }
      return [];
    } finally {
      abort.removeEventListener("abort", workers.kill);
      workers.kill();
    }
  }

  /** False when it failed: its processes may be in any state. */
  async #measure(each: Case, workers: Workers): Promise<boolean> {
    const { abort, runs, progress } = this.#options;
    abort.throwIfAborted();
    progress(each, this.#done++, this.#cases.length * runs);
    if (this.#problems.has(each)) return true;
    try {
      await this.#pair.setMtu(each.mtu);
      this.#runs.get(each)?.push(await this.#once(each, workers));
      return true;
    } catch (error) {
      abort.throwIfAborted();
      this.#problems.set(each, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  async #once(each: Case, workers: Workers): Promise<Run> {
    const { cores } = workers;
    switch (each.system) {
      case "iperf3":
        return runIperf3(this.#pair, cores);
      case "iperf3-no-offload":
        return this.#pair.withoutSegmentation(() => runIperf3(this.#pair, cores));
      case "iperf3-1m":
        return runIperf3(this.#pair, cores, ["-l", "1M"]);
      default: {
        const { system, test } = each;
        const { wasm } = this.#options;
        const address = addresses.server;
        return runWorkers(workers, {
          system,
          test,
          interfaceName,
          address,
          wasm,
          milliseconds: milliseconds[test],
        });
      }
    }
  }
}

/** Runs a benchmark. Rejects with ProteusError, or with the abort's reason; the pair is gone then. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const cases = planCases(options);
  const allowed = allowedCores();
  const places = [...new Set(cases.map(({ placement }) => placement))];
  const cores = Object.fromEntries(places.map((each) => [each, coresOf(each, allowed)]));
  const host = machine();
  const iperf3 = await iperf3Version();
  const pair = await Pair.make(cases[0]?.mtu ?? 1500, options.abort);
  try {
    const offloads = await pair.offloads().catch(() => null);
    const bench = new Bench(options, pair, { iperf3, offloads }, cases);
    for (let round = 0; round < options.runs; round++)
      await bench.round((placement) => coresOf(placement, allowed));
    const results = bench.results();
    const environment: Environment = {
      proteus: options.version,
      ...host,
      isolation: pair.isolation,
      link: "veth",
      mtus: [...new Set(cases.map(({ mtu }) => mtu))],
      runs: options.runs,
      placements: cores,
      offloads,
      iperf3,
    };
    return { environment, results, ratios: ratiosOf(results), remarks: remarksOf(results, host.load) };
  } finally {
    await pair.remove();
  }
}
