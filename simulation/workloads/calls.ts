// Random calls: servers that move, clients on machines that reboot, every size that may be
// cut badly. Beside them the real echo server and its stub.
//
// - In a part of the seeds some machines are originals (extensions off). These have no check
//   against flipped bits and forget transactions in a crash, so neither happens then: that is
//   what the original promises. A duplicate of a refused request may still be executed after
//   its caller gave up; RPC_NOTFOUND is judged between our own machines only.
// - In a part of the seeds the servers remember fewer client kernels than there are clients.
// - `storm`: calls follow each other at once, as fast as they end, until there were so many.

import { EchoServer } from "../../control/server/echo/echo.js";
import { EchoClient } from "../../control/stub/echo.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { type Call, CallLedger } from "../checkers/calls.js";
import type { Machine, MachineOptions } from "../engine/machine.js";
import type { Handler } from "../engine/programs.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { remember } from "./counters.js";
import type { Activity, Cluster, Plan, Workload } from "./workload.js";

export interface CallsOptions {
  /** Calls a simulated second, of all clients together; default 50. */
  readonly perSecond?: number;
  /** As many as possible instead, until there were this many. */
  readonly storm?: number;
  /** Share of the seeds with originals among the machines; default 0.2. */
  readonly originals?: number;
}

interface Service {
  readonly getPort: Uint8Array;
  readonly putPort: Uint8Array;
  home: Machine;
}

/** What was drawn for one seed before its cluster was built. */
interface Draw {
  readonly originals: ReadonlySet<number>;
  readonly large: boolean;
  readonly forgetful: boolean;
  readonly servers: number;
  readonly threads: number;
}

const fragment = 1458 - 56;
const boundaries = [0, 1, 4, 20, 1000, fragment - 4, fragment - 1, fragment, fragment + 1, fragment + 1458];
const echoPort = (server: number): Uint8Array => Uint8Array.of(0x65, 0x63, 0x68, 0x6f, 0x30 + server, 1);
const echoBytes = 4096;
/** Calls that a client may have under way. */
const lanesAtRate = 4;

function draw(random: SeededRandom, machines: number, options: CallsOptions): Draw {
  const originals = new Set<number>();
  if (random.chance(options.originals ?? 0.2))
    for (let i = 0; i < machines; i++) if (random.chance(0.4)) originals.add(i);
  return {
    originals,
    large: options.storm !== undefined && random.chance(0.1),
    forgetful: random.chance(0.4),
    servers: Math.min(machines - 1, 2 + random.below(2)),
    threads: options.storm === undefined ? 2 + random.below(3) : 1 + random.below(3),
  };
}

/** The workload; every seed draws its own variant of it. */
export function callsWorkload(options: CallsOptions = {}): Workload {
  let drawn: Draw | null = null;
  return {
    name: "calls",
    summary: "random calls to servers that move, from machines that reboot",
    callbacks: true,
    plan(random, machines): Plan {
      const plan = draw(random, machines, options);
      drawn = plan;
      return {
        without: plan.originals.size > 0 ? ["bitFlips", "crash", "routerDeath", "move", "clockJump"] : [],
        lan: {
          latencyMicroseconds: 20 + random.below(200),
          receiveFrames: [12, 32, 64][random.below(3)] ?? 64,
        },
        machine: (index) => machineOf(plan, index),
      };
    },
    start(cluster) {
      if (drawn === null) throw new Error("a workload is planned before it starts");
      return new Calls(cluster, drawn, options);
    },
  };
}

function machineOf(plan: Draw, index: number): MachineOptions & { readonly name: string } {
  const memoryBytes = (plan.large ? 32 : 6) * 1024 * 1024;
  const server = index < plan.servers;
  const tables = server ? { clientKernels: 4, ...(plan.forgetful ? { forgottenKernels: 8 } : {}) } : {};
  const extensions = plan.originals.has(index) ? { extensions: 0 } : {};
  return {
    name: server ? `server${index}` : `client${index - plan.servers}`,
    limits: { memoryBytes, ...tables, ...extensions },
  };
}

class Calls implements Activity {
  readonly #cluster: Cluster;
  readonly #draw: Draw;
  readonly #options: CallsOptions;
  readonly #ledger: CallLedger;
  readonly #servers: readonly Machine[];
  readonly #clients: readonly Machine[];
  readonly #originals: ReadonlySet<Machine>;
  readonly #services: Service[] = [];
  readonly #underWay = new Map<Machine, Set<Call>>();
  readonly #pauseMax: number;
  #over = false;

  constructor(cluster: Cluster, draw: Draw, options: CallsOptions) {
    this.#cluster = cluster;
    this.#draw = draw;
    this.#options = options;
    this.#ledger = new CallLedger((checker, what) => cluster.fail(checker, what));
    this.#originals = new Set(cluster.machines.filter((_, index) => draw.originals.has(index)));
    this.#servers = cluster.machines.slice(0, draw.servers);
    this.#clients = cluster.machines.slice(draw.servers);
    const lanes = this.#clients.length * lanesAtRate;
    const perLane = (options.perSecond ?? 50) / Math.max(1, lanes);
    this.#pauseMax = options.storm === undefined ? Math.ceil((2 * SECOND) / perLane) : 5 * MILLISECOND;
    for (let i = 0; i < 3; i++) {
      const getPort = Uint8Array.of(1 + i, 2, 3, 4, 5, 6);
      const home = this.#pick(this.#servers);
      this.#services.push({ getPort, putPort: home.running.publicPort(getPort), home });
    }
    for (const [index, server] of this.#servers.entries())
      cluster.program(server, () => this.#serveAt(server, index));
    for (const client of this.#clients) cluster.program(client, () => this.#callFrom(client));
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  #chance(share: number): boolean {
    return this.#cluster.random.chance(share);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  // ---- servers ---------------------------------------------------------------------

  #serveAt(machine: Machine, index: number): void {
    for (const service of this.#services) if (service.home === machine) this.#serve(service);
    new EchoServer(machine.running, echoPort(index), { threads: 2, requestBytesMax: echoBytes });
  }

  #serve({ getPort, home }: Service): void {
    const { world } = this.#cluster;
    const serve: Handler = (request, reply) => {
      const outgoing = this.#ledger.execute(request);
      this.#cluster.timeline?.mark(home.index, `executes ${request.header.offset}`);
      if (this.#chance(0.7)) reply(outgoing);
      else {
        const longest = this.#chance(this.#options.storm === undefined ? 0.01 : 0.05)
          ? 4 * SECOND
          : 20 * MILLISECOND;
        world.after(1 + this.#below(longest), () => reply(outgoing));
      }
    };
    home.serve(getPort, this.#draw.threads, this.#draw.large ? 1 << 20 : 65536, serve, true);
  }

  /** A service comes up elsewhere under its old get-port; its old machine crashes. */
  move(choice: number): boolean {
    const service = this.#services[choice % this.#services.length] as Service;
    const target = this.#servers[(choice >> 8) % this.#servers.length] as Machine;
    if (target === service.home || target.kernel === null) return false;
    const left = service.home;
    service.home = target;
    left.crash();
    left.world.after(choice % SECOND, () => {
      if (left.kernel === null) left.boot();
    });
    this.#serve(service);
    return true;
  }

  // ---- clients ---------------------------------------------------------------------

  #callFrom(machine: Machine): void {
    // What was under way on a machine that booted was lost in its crash.
    for (const call of this.#underWay.get(machine) ?? []) if (call.status === null) this.#ledger.lose(call);
    this.#underWay.set(machine, new Set());
    const lanes = this.#options.storm === undefined ? lanesAtRate : 1 + this.#below(3);
    for (let lane = 0; lane < lanes; lane++) this.#later(machine, this.#cluster.world.now);
    if (this.#options.storm === undefined) this.#echoFrom(machine);
  }

  /** The next call of a lane whose last one was to begin at `since`: slow calls do not lower the rate. */
  #later(machine: Machine, since: number): void {
    const { now } = this.#cluster.world;
    const at = Math.max(since, now - this.#pauseMax) + this.#below(this.#pauseMax);
    machine.after(Math.max(0, at - now), () => this.#next(machine, Math.max(at, now)));
  }

  /** Bytes of a request or reply: at the rate of a run mostly small, in a storm anything. */
  #size(): number {
    const { storm } = this.#options;
    if (this.#chance(0.6)) return this.#pick(boundaries);
    if (this.#draw.large && this.#chance(0.1)) return (1 << 20) - this.#below(2);
    if (storm !== undefined) return this.#chance(0.2) ? this.#below(65537) : this.#below(8000);
    if (this.#chance(0.025)) return this.#below(65537);
    return this.#chance(0.35) ? this.#below(8000) : this.#below(500);
  }

  #next(machine: Machine, since: number): void {
    const { storm } = this.#options;
    if (this.#over || (storm !== undefined && this.#ledger.begun >= storm)) return;
    const { putPort, home } = this.#pick(this.#services);
    const kernel = machine.running;
    const ours = !this.#originals.has(machine) && !this.#originals.has(home);
    const call = this.#ledger.begin(this.#size(), this.#size(), ours);
    const name = `call ${call.id}`;
    const { timeline } = this.#cluster;
    const shown = timeline?.begin(machine.index, "call", name, { to: home.name, bytes: call.requestBytes });
    const request = this.#ledger.request(call);
    const calls = this.#underWay.get(machine) ?? new Set();
    calls.add(call);
    const handle = machine.begin(
      { ...request, port: putPort, replyCapacity: call.replyBytes, borrow: true },
      (end) => {
        this.#ledger.end(call, end);
        calls.delete(call);
        if (shown !== undefined) timeline?.end(machine.index, "call", name, shown, { status: end.status });
        this.#later(machine, storm === undefined ? since : machine.world.now);
      },
    );
    if (handle >= 0 && this.#chance(0.02)) {
      machine.after(this.#below(50 * MILLISECOND), () => {
        if (call.status !== null) return;
        this.#cluster.happened("signals");
        kernel.signal(handle);
      });
    }
  }

  /** About one echo a second, byte by byte, from every client. */
  #echoFrom(machine: Machine): void {
    const kernel = machine.running;
    const server = this.#below(this.#servers.length);
    const client = new EchoClient(
      kernel,
      kernel.publicPort(echoPort(server)),
      "echo",
      this.#below(echoBytes + 1),
    );
    const next = (): void => {
      if (this.#over) return;
      client.call((status, fault) => {
        this.#cluster.happened(status < 0 ? "echoes failed" : "echoes");
        if (fault !== undefined) this.#cluster.fail("answers", `${machine.name}'s echo: ${fault}`);
        machine.after(this.#below(2 * SECOND), next);
      });
    };
    machine.after(this.#below(2 * SECOND), next);
  }

  // ---- the end ---------------------------------------------------------------------

  finish(): void {
    this.#over = true;
  }

  idle(): boolean {
    for (const call of this.#ledger.open) if (!call.lost) return false;
    return true;
  }

  threads(machine: Machine): number {
    const services = this.#services.filter(({ home }) => home === machine).length;
    const echo = this.#servers.includes(machine) ? 2 : 0;
    return services * this.#draw.threads + echo;
  }

  judge(): void {
    const { begun, executed, statuses, open } = this.#ledger;
    for (const call of open) this.#cluster.fail("liveness", `call ${call.id} never ended`);
    this.#cluster.happened("calls", begun);
    this.#cluster.happened("executions", executed);
    for (const [status, times] of statuses) this.#cluster.happened(`status ${status}`, times);
    for (const machine of this.#cluster.machines) remember(this.#cluster, machine);
  }
}
