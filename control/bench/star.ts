// Many senders, one receiver, and a switch between them: incast, and FLIP beside TCP.
//
// - Every machine has a link of 1 Gbit/s. The switch's port towards the receiver queues
//   512 KiB and drops what comes beyond, unnoticed by its sender.
// - The switch must see frames, so TCP hands over one segment at a time.
// - incast: all senders call at the same time; the figure is the sum of what they got
//   through. sharing: one sender with FLIP and one with TCP (iperf3); one measurement gives both rows.
// - All measure in the same span of time, which begins when their processes have long been up: what
//   others get while one starts is nobody's share.

import { planLab } from "../lab/plan.js";
import type { Topology } from "../lab/topology.js";
import { runIperf3 } from "./iperf3.js";
import { gigabit, rateLine, segmentsLine } from "./link.js";
import { benchName, Machines } from "./machines.js";
import { parseOffloads } from "./pair.js";
import { median } from "./samples.js";
import type { Scene, Session } from "./scene.js";
import type { Answer, Job, Order } from "./systems/system.js";
import type { Case, Run, SystemName } from "./types.js";
import { type Pinned, pinned, type Worker } from "./worker.js";
import { type Cores, jobOf, measure, type Pace, serve, startWorker } from "./workers.js";

export const sendersMost = 15;
const queueBytes = 512 * 1024;
/** At a sender's own end: 20 ms of its link, as in the lab. */
const senderQueueBytes = (gigabit / 8) * 0.02;
const receiver = "receiver";
const address = "10.0.0.1";
/** What processes that are up need until they call at full speed, and what iperf3 leaves out. */
const leadSeconds = 1;
/** For each further one, on the same core. */
const leadEachMs = 100;
const interfaceName = "eth0";

const senderName = (sender: number): string => `s${sender + 1}`;

/** What senders together got through. Pure. */
export function sumOf(runs: readonly Run[]): Run {
  const known = (values: readonly (number | null)[]) => values.flatMap((value) => value ?? []);
  const sum = (values: readonly (number | null)[]) => known(values).reduce((total, each) => total + each, 0);
  return {
    p50Us: median(known(runs.map(({ p50Us }) => p50Us))),
    p99Us: Math.max(...known(runs.map(({ p99Us }) => p99Us))),
    megabytesPerSecond: sum(runs.map(({ megabytesPerSecond }) => megabytesPerSecond)),
    callsPerSecond: sum(runs.map(({ callsPerSecond }) => callsPerSecond)),
    cpuUsPerCall: null,
  };
}

/** The machines, and what has to be typed to make them. Pure. */
export function planStar(name: string, mtu: number) {
  const machines = [receiver, ...Array.from({ length: sendersMost }, (_, sender) => senderName(sender))];
  const topology: Topology = {
    name,
    networks: [{ name: "lan0", mtu, rate: null }],
    nodes: machines.map((machine) => ({ name: machine, kind: "host", networks: ["lan0"] })),
  };
  const plain = planLab(topology);
  const nodes = plain.nodes.map((node) => ({
    ...node,
    ip: [...node.ip, segmentsLine(interfaceName, 1)],
    tc: [rateLine(interfaceName, senderQueueBytes, mtu)],
  }));
  const tc = machines.map((machine) =>
    rateLine(`${machine}_0`, machine === receiver ? queueBytes : senderQueueBytes, mtu),
  );
  return { topology, plan: { ip: plain.ip, tc, nodes } };
}

type End = Worker<Order, Answer>;

/** Processes for one group of cases. */
class StarSession implements Session {
  readonly #workers: End[] = [];
  /** What a measurement gave for the row that is asked for next. */
  #beside: { readonly system: SystemName; readonly run: Run } | null = null;

  constructor(
    private readonly machines: Machines,
    private readonly cores: Cores,
    private readonly pace: Pace,
  ) {}

  readonly kill = (): void => {
    for (const worker of this.#workers.splice(0)) worker.kill();
  };

  #start(machine: string, core: number): End {
    const worker = startWorker(machine, this.machines.enter(machine), core);
    this.#workers.push(worker);
    return worker;
  }

  readonly measure = async (each: Case): Promise<Run> => {
    const known = this.#beside;
    this.#beside = null;
    if (known?.system === each.system) return known.run;
    try {
      return each.test === "incast" ? await this.#incast(each) : await this.#share(each);
    } finally {
      this.kill();
    }
  };

  #job(each: Case): Job {
    return jobOf(each, this.pace, { interfaceName, address });
  }

  async #incast(each: Case): Promise<Run> {
    const job = this.#job(each);
    const facts = await serve(this.#start(receiver, this.cores.server), { ...job, clients: sendersMost });
    const senders = Array.from({ length: sendersMost }, (_, sender) =>
      this.#start(senderName(sender), this.cores.client),
    );
    // An order for nothing: once it is answered, its process is up.
    await Promise.all(senders.map((sender) => sender.order({ stop: true })));
    const from = Date.now() + leadSeconds * 1000 + leadEachMs * sendersMost;
    const answers = await Promise.all(
      senders.map((sender) => measure(sender, { measure: { ...job, from }, facts })),
    );
    return sumOf(answers.map(({ run }) => run));
  }

  async #share(each: Case): Promise<Run> {
    const { client: core, server: serverCore } = this.cores;
    const job = this.#job({ ...each, system: "flip" });
    const on =
      (machine: string): Pinned =>
      (at, command) =>
        pinned(this.machines.enter(machine), at, command);
    const flip = this.#start(senderName(0), core);
    const facts = await serve(this.#start(receiver, serverCore), job);
    const place = {
      ...{ client: on(senderName(1)), server: on(receiver), address },
    };
    await flip.order({ stop: true });
    const seconds = Math.ceil(job.milliseconds / 1000);
    const options = ["-O", `${leadSeconds}`, "-t", `${seconds}`, "-C", "cubic"];
    const span = { milliseconds: seconds * 1000, from: Date.now() + leadSeconds * 1000 };
    const [{ run: ours }, theirs] = await Promise.all([
      measure(flip, { measure: { ...job, ...span }, facts }),
      runIperf3(place, this.cores, options),
    ]);
    const rows = { flip: ours, "iperf3-cubic": theirs };
    const mine = each.system === "flip" ? "flip" : "iperf3-cubic";
    const other = each.system === "flip" ? "iperf3-cubic" : "flip";
    this.#beside = { system: other, run: rows[other] };
    return rows[mine];
  }
}

/** Makes the machines. */
export async function openStar(mtu: number, pace: Pace, abort: AbortSignal): Promise<Scene> {
  const { topology, plan } = planStar(benchName(), mtu);
  const machines = await Machines.make(topology, plan, abort);
  return {
    isolation: machines.isolation,
    offloads: () =>
      machines.tool(senderName(0), ["ethtool", "-k", interfaceName]).then(
        ({ output }) => parseOffloads(output),
        () => null,
      ),
    open: (cores) => new StarSession(machines, cores, pace),
    remove: () => machines.remove(),
  };
}
