// A whole benchmark: makes the pair, runs the rounds, takes the pair down.
//
// - A round runs every case once. The processes that it needs are new in every round and
//   placement, so a lucky or unlucky start of one shows in the spread and not in the median.
// - A case that fails, or whose tool is missing, becomes a row with a problem; the rest
//   goes on. Only what makes every figure impossible (no namespaces, no cores) is thrown.

import { allowedCores, coresOf, machine } from "./environment.js";
import { iperf3Version, runIperf3 } from "./iperf3.js";
import { addresses, interfaceName, Pair } from "./pair.js";
import { planCases, type Wanted } from "./plan.js";
import { ratiosOf, remarksOf } from "./ratios.js";
import { resultOf } from "./samples.js";
import type { Job } from "./systems/system.js";
import type { Case, Environment, Placement, Report, Run, SystemName, TestName } from "./types.js";
import { Worker } from "./worker.js";

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

const milliseconds: Readonly<Record<TestName, number>> = { "null-rpc": 300, "call-1m": 500 };

interface Cores {
  readonly client: number;
  readonly server: number;
}

interface Workers {
  readonly client: Worker;
  readonly server: Worker;
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
  readonly #runs = new Map<Case, Run[]>();
  readonly #problems = new Map<Case, string>();
  readonly #cases: readonly Case[];
  readonly #cores: ReadonlyMap<Placement, Cores>;
  #done = 0;

  constructor(
    readonly options: BenchOptions,
    readonly pair: Pair,
    readonly tools: Tools,
    cases: readonly Case[],
    cores: ReadonlyMap<Placement, Cores>,
  ) {
    this.#cases = cases;
    this.#cores = cores;
    for (const each of cases) {
      const missing = missingTool(each, tools);
      if (missing !== undefined) this.#problems.set(each, missing);
      this.#runs.set(each, []);
    }
  }

  results() {
    return this.#cases.map((each) => resultOf(each, this.#runs.get(each) ?? [], this.#problems.get(each)));
  }

  /** Every case once. */
  async round(): Promise<void> {
    for (const [placement, cores] of this.#cores) {
      const cases = this.#cases.filter((each) => each.placement === placement);
      const workers = {
        client: new Worker(this.pair, "client", cores.client),
        server: new Worker(this.pair, "server", cores.server),
      };
      try {
        for (const each of cases) await this.#measure(each, cores, workers);
      } finally {
        workers.client.kill();
        workers.server.kill();
      }
    }
  }

  async #measure(each: Case, cores: Cores, workers: Workers): Promise<void> {
    const { abort, runs, progress } = this.options;
    abort.throwIfAborted();
    progress(each, this.#done++, this.#cases.length * runs);
    if (this.#problems.has(each)) return;
    try {
      await this.pair.setMtu(each.mtu);
      this.#runs.get(each)?.push(await this.#once(each, cores, workers));
    } catch (error) {
      abort.throwIfAborted();
      this.#problems.set(each, error instanceof Error ? error.message : String(error));
    }
  }

  async #once(each: Case, cores: Cores, workers: Workers): Promise<Run> {
    switch (each.system) {
      case "iperf3":
        return runIperf3(this.pair, cores);
      case "iperf3-no-offload":
        return this.pair.withoutSegmentation(() => runIperf3(this.pair, cores));
      case "iperf3-1m":
        return runIperf3(this.pair, cores, ["-l", "1M"]);
      default: {
        const { system, test } = each;
        const { wasm } = this.options;
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
  const cores = new Map(
    [...new Set(cases.map(({ placement }) => placement))].map((each) => [each, coresOf(each, allowed)]),
  );
  const host = machine();
  const iperf3 = await iperf3Version();
  const pair = await Pair.make(cases[0]?.mtu ?? 1500, options.abort);
  try {
    const offloads = await pair.offloads().catch(() => null);
    const bench = new Bench(options, pair, { iperf3, offloads }, cases, cores);
    for (let round = 0; round < options.runs; round++) await bench.round();
    const results = bench.results();
    const environment: Environment = {
      proteus: options.version,
      ...host,
      isolation: pair.isolation,
      link: "veth",
      mtus: [...new Set(cases.map(({ mtu }) => mtu))],
      runs: options.runs,
      placements: Object.fromEntries(cores),
      offloads,
      iperf3,
    };
    return { environment, results, ratios: ratiosOf(results), remarks: remarksOf(results, host.load) };
  } finally {
    await pair.remove();
  }
}
