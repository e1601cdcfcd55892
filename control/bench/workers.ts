// The processes of our own that a group of cases shares: a server, a client, and a router
// for each machine between them.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Answer, Job, Order } from "./systems/system.js";
import { spanOf, testFacts } from "./tests.js";
import type { Case, Run } from "./types.js";
import { pinned, Worker } from "./worker.js";

const program = fileURLToPath(new URL("./worker-main.js", import.meta.url));
/** Beyond the time that a run should take. */
const slackMs = 30_000;
/** A curve has so many points at most, each of which may take a few times as long as it should. */
const curveFactor = 24;

export interface Cores {
  readonly client: number;
  readonly server: number;
}

/** How a benchmark's runs differ from those of another: a quick look takes a part of the time. */
export interface Pace {
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** Part of the standard time and calls of a run. */
  readonly scale: number;
}

/** What both ends of a case are told. */
export function jobOf(
  { system, test, link }: Case,
  { wasm, scale }: Pace,
  at: { readonly interfaceName: string; readonly address: string },
): Job {
  const { request, reply, clients } = testFacts[test];
  const { milliseconds, callsMin } = spanOf(test, link);
  return {
    ...{ system, test, wasm, request, reply, clients, ...at },
    milliseconds: milliseconds * scale,
    callsMin: Math.max(1, Math.floor(callsMin * scale)),
  };
}

/** Starts a process of the benchmark on a machine. */
export function startWorker(
  what: string,
  enter: readonly string[],
  core: number | null,
): Worker<Order, Answer> {
  return new Worker<Order, Answer>(what, pinned(enter, core, [process.execPath, program]));
}

/** CPU time that the threads of a process have had, µs; NaN when the system does not say. */
export function cpuUsOf(pid: number): number {
  try {
    const folder = `/proc/${pid}/task`;
    return readdirSync(folder)
      .map((task) => Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]) / 1000)
      .reduce((sum, us) => sum + us, 0);
  } catch {
    return Number.NaN;
  }
}

/** Asks a process to serve; what its clients need to know. */
export async function serve(server: Worker<Order, Answer>, job: Job) {
  const answer = await server.order({ serve: job });
  if (!("ready" in answer)) throw new Error("the server gave no port");
  return answer.ready;
}

/** Asks a process to measure. */
export async function measure(
  client: Worker<Order, Answer>,
  order: Extract<Order, { measure: Job }>,
): Promise<{ readonly run: Run; readonly calls?: number }> {
  const { milliseconds, test } = order.measure;
  const long = milliseconds * (test === "open-loop" ? curveFactor : 2);
  const answer = await client.order(order, long + slackMs);
  if (!("run" in answer)) throw new Error("the client gave no figures");
  return answer;
}

export class Workers {
  readonly client: Worker<Order, Answer>;
  readonly server: Worker<Order, Answer>;
  readonly #routers: readonly Worker<Order, Answer>[];
  #routing: Promise<unknown> | null = null;

  /** @param enter the beginning of a command that runs on a machine */
  constructor(
    enter: (machine: string) => readonly string[],
    readonly cores: Cores,
    routers: readonly string[] = [],
    /** Names of the interfaces where they differ from the job's. */
    private readonly interfaces: { readonly client?: string; readonly server?: string } = {},
  ) {
    this.client = startWorker("client", enter("client"), cores.client);
    this.server = startWorker("server", enter("server"), cores.server);
    this.#routers = routers.map((name) => startWorker(name, enter(name), cores.server));
  }

  /** One run of a job. */
  async run(job: Job): Promise<Run> {
    if (this.#routers.length > 0) {
      const route = { interfaces: ["eth0", "eth1"], wasm: job.wasm };
      this.#routing ??= Promise.all(this.#routers.map((router) => router.order({ route })));
      await this.#routing;
    }
    const { client = job.interfaceName, server = job.interfaceName } = this.interfaces;
    const facts = await serve(this.server, { ...job, interfaceName: server });
    if (job.test === "idle") return this.#idle(job);
    const before = cpuUsOf(this.server.pid);
    const { run, calls } = await measure(this.client, {
      measure: { ...job, interfaceName: client },
      facts,
    });
    const spent = cpuUsOf(this.server.pid) - before;
    await this.server.order({ stop: true });
    const each = calls === undefined ? Number.NaN : spent / calls;
    return Number.isFinite(each) ? { ...run, serverCpuUsPerCall: each } : run;
  }

  /** The server alone, with nobody who calls. */
  async #idle({ milliseconds }: Job): Promise<Run> {
    const answer = await this.server.order({ idle: { milliseconds } });
    await this.server.order({ stop: true });
    if (!("run" in answer)) throw new Error("the server gave no figures");
    return answer.run;
  }

  readonly kill = (): void => {
    for (const worker of [this.client, this.server, ...this.#routers]) worker.kill();
  };
}
