// The processes of our own that a group of cases shares: a server, a client, and a router
// for each machine between them.

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

/** The command of such a process on the machine that `enter` leads to. */
export const workerOn =
  (enter: readonly string[]) =>
  (core: number | null): string[] =>
    pinned(enter, core, [process.execPath, program]);

/** Starts a process of the benchmark on a machine. */
export function startWorker(
  what: string,
  enter: readonly string[],
  core: number | null,
): Worker<Order, Answer> {
  return new Worker<Order, Answer>(what, workerOn(enter)(core));
}

/** Asks a process to serve; what its clients need to know. */
export async function serve(server: Worker<Order, Answer>, job: Job) {
  return (await begin(server, job)).facts;
}

/** The same with the CPU time that the process has had until then. */
async function begin(server: Worker<Order, Answer>, job: Job) {
  const answer = await server.order({ serve: job });
  if (!("ready" in answer)) throw new Error("the server gave no port");
  return { facts: answer.ready, cpuUs: answer.cpuUs };
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

  /** @param command the command of such a process on a machine, pinned to a core */
  constructor(
    command: (machine: string) => (core: number) => readonly string[],
    readonly cores: Cores,
    routers: readonly string[] = [],
    /** Names of the interfaces where they differ from the job's. */
    private readonly interfaces: { readonly client?: string; readonly server?: string } = {},
  ) {
    const start = (name: string, core: number) => new Worker<Order, Answer>(name, command(name)(core));
    this.client = start("client", cores.client);
    this.server = start("server", cores.server);
    this.#routers = routers.map((name) => start(name, cores.server));
  }

  /** One run of a job. */
  async run(job: Job): Promise<Run> {
    if (this.#routers.length > 0) {
      const route = { interfaces: ["eth0", "eth1"], wasm: job.wasm };
      this.#routing ??= Promise.all(this.#routers.map((router) => router.order({ route })));
      await this.#routing;
    }
    const { client = job.interfaceName, server = job.interfaceName } = this.interfaces;
    const { facts, cpuUs } = await begin(this.server, { ...job, interfaceName: server });
    if (job.test === "idle") return this.#idle(job);
    const { run, calls } = await measure(this.client, {
      measure: { ...job, interfaceName: client },
      facts,
    });
    const stopped = await this.server.order({ stop: true });
    if (calls === undefined || !("stopped" in stopped)) return run;
    return { ...run, serverCpuUsPerCall: (stopped.cpuUs - cpuUs) / calls };
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
