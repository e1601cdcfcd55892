// One seed of trouble: servers, many clients, faults that change every second, crashes,
// quick reboots, cuts and servers that move; then peace, in which everything must end.
//
// - `mixed`: some machines are originals (extensions off). These have no check against
//   flipped bits and forget transactions in a crash, so neither happens then: that is
//   what the original promises. A duplicate of a refused request may still be executed
//   after its caller gave up; RPC_NOTFOUND is judged between our own machines only.
// - The clients outnumber the servers' tables of client kernels.

import type { Faults } from "../../drivers/fault/faults.js";
import { Ledger } from "./ledger.js";
import { type Machine, MILLISECOND, SECOND, World } from "./world.js";

export interface ScenarioOptions {
  readonly mixed: boolean;
  readonly calls: number;
}

export interface Outcome {
  readonly calls: number;
  readonly executed: number;
  readonly statuses: ReadonlyMap<number, number>;
  /** How often everything happened that was to happen. */
  readonly happened: Readonly<Record<string, number>>;
  readonly virtualSeconds: number;
}

interface Service {
  readonly getPort: Uint8Array;
  home: Machine;
}

const fragment = 1458 - 56;
const boundaries = [0, 1, 4, 20, 1000, fragment - 4, fragment - 1, fragment, fragment + 1, fragment + 1458];

export class Scenario {
  readonly world: World;
  readonly ledger = new Ledger();
  readonly happened: Record<string, number> = { crashes: 0, reboots: 0, moves: 0, signals: 0, forgotten: 0 };
  readonly #options: ScenarioOptions;
  readonly #services: Service[] = [];
  readonly #servers: Machine[] = [];
  readonly #clients: Machine[] = [];
  readonly #originals = new Set<Machine>();
  readonly #large: boolean;
  readonly #forgetful: boolean;
  readonly #serverThreads: number;
  #peace = false;

  constructor(seed: number, options: ScenarioOptions) {
    this.#options = options;
    this.world = new World(seed);
    this.#large = seed % 10 === 3;
    this.#forgetful = this.#chance(0.4);
    this.#serverThreads = 1 + this.#below(3);
    this.#build();
  }

  #below(limit: number): number {
    return this.world.random.below(limit);
  }

  #chance(share: number): boolean {
    return this.world.random.chance(share);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  #build(): void {
    const lan = this.world.lan({
      latencyMicroseconds: 20 + this.#below(200),
      receiveFrames: this.#pick([12, 32, 64]),
    });
    const far = this.#chance(0.3) ? this.world.lan() : null;
    const original = { extensions: 0 };
    const memoryBytes = (this.#large ? 32 : 6) * 1024 * 1024;
    const tables = this.#forgetful ? { clientKernels: 4, forgottenKernels: 8 } : { clientKernels: 4 };
    if (far !== null) this.world.machine("router", [lan, far]);
    for (let i = 0; i < 2 + this.#below(2); i++) {
      const old = this.#options.mixed && this.#chance(0.5);
      const limits = { ...tables, memoryBytes, ...(old ? original : {}) };
      const machine = this.world.machine(`server${i}`, lan, { limits });
      if (old) this.#originals.add(machine);
      this.#servers.push(machine);
      machine.onBoot = () => this.#serveAt(machine);
    }
    for (let i = 0; i < 3; i++) {
      const getPort = Uint8Array.of(1 + i, 2, 3, 4, 5, 6);
      const service = { getPort, home: this.#pick(this.#servers) };
      this.#services.push(service);
      this.#serve(service);
    }
    const clients = this.#forgetful ? 13 : 3 + this.#below(6);
    for (let i = 0; i < clients; i++) {
      const old = this.#options.mixed && this.#chance(0.4);
      const machine = this.world.machine(`client${i}`, far !== null && i % 2 === 0 ? far : lan, {
        limits: { memoryBytes, ...(old ? original : {}) },
      });
      if (old) this.#originals.add(machine);
      this.#clients.push(machine);
      machine.onBoot = () => this.#callFrom(machine);
    }
  }

  // ---- programs --------------------------------------------------------------------

  #serveAt(machine: Machine): void {
    for (const service of this.#services) if (service.home === machine) this.#serve(service);
  }

  #serve({ getPort, home }: Service): void {
    home.serve(getPort, this.#serverThreads, this.#large ? 1 << 20 : 65536, (request, reply) => {
      const outgoing = this.ledger.execute(request);
      if (this.#chance(0.7)) reply(outgoing);
      else {
        const longest = this.#chance(0.05) ? 4 * SECOND : 20 * MILLISECOND;
        this.world.after(1 + this.#below(longest), () => reply(outgoing));
      }
    });
  }

  #callFrom(machine: Machine): void {
    for (let lane = 1 + this.#below(3); lane > 0; lane--) this.#next(machine);
  }

  #size(): number {
    if (this.#chance(0.6)) return this.#pick(boundaries);
    if (this.#large && this.#chance(0.1)) return (1 << 20) - this.#below(2);
    return this.#chance(0.2) ? this.#below(65537) : this.#below(8000);
  }

  #next(machine: Machine): void {
    if (this.#peace || this.ledger.calls.length >= this.#options.calls) return;
    const { getPort, home } = this.#pick(this.#services);
    const kernel = machine.running;
    const ours = !this.#originals.has(machine) && !this.#originals.has(home);
    const call = this.ledger.begin(this.#size(), this.#size(), ours);
    const begun = {
      ...this.ledger.request(call),
      port: kernel.publicPort(getPort),
      replyCapacity: call.replyBytes,
    };
    const handle = machine.begin(begun, (end) => {
      this.ledger.end(call, end);
      this.world.after(this.#below(5 * MILLISECOND), () => machine.kernel === kernel && this.#next(machine));
    });
    this.#watch(machine, call);
    if (handle >= 0 && this.#chance(0.02)) {
      this.world.after(this.#below(50 * MILLISECOND), () => {
        if (call.status !== null || machine.kernel !== kernel) return;
        this.#count("signals");
        kernel.signal(handle);
      });
    }
  }

  readonly #underWay = new Map<Machine, Set<ReturnType<Ledger["begin"]>>>();

  #watch(machine: Machine, call: ReturnType<Ledger["begin"]>): void {
    const calls = this.#underWay.get(machine) ?? new Set();
    this.#underWay.set(machine, calls);
    for (const other of calls) if (other.status !== null) calls.delete(other);
    calls.add(call);
  }

  // ---- trouble ---------------------------------------------------------------------

  #count(what: string): void {
    this.happened[what] = (this.happened[what] ?? 0) + 1;
  }

  #crash(machine: Machine): void {
    if (machine.kernel === null) return;
    this.#count("crashes");
    this.#remember(machine);
    machine.crash();
    for (const call of this.#underWay.get(machine) ?? []) if (call.status === null) call.lost = true;
    const pause = this.#chance(0.5) ? this.#below(2 * MILLISECOND) : this.#below(SECOND);
    this.world.after(pause, () => {
      if (machine.kernel !== null) return;
      this.#count("reboots");
      machine.boot();
    });
  }

  /** A service comes up elsewhere under its old get-port; its old machine crashes. */
  #move(): void {
    const service = this.#pick(this.#services);
    const target = this.#pick(this.#servers);
    if (target === service.home || target.kernel === null) return;
    this.#count("moves");
    const left = service.home;
    service.home = target;
    this.#crash(left);
    this.#serve(service);
  }

  #cut(): void {
    const lan = this.#pick(this.world.lans);
    const one = this.#pick(this.world.machines).name;
    const other = this.#pick(this.world.machines).name;
    lan.cut(one, other);
    if (this.#chance(0.5)) lan.cut(other, one);
    this.world.after(this.#below(3 * SECOND), () => lan.heal());
  }

  /**
   * Behind a router and half a second away, a neighbour that answers no HELLO is taken for an
   * original, and its frames go without a check: no bits flip in such weather.
   */
  #weather(): Partial<Faults> {
    const delay = this.#pick([0, 0, 500, 5000, 300 * MILLISECOND]);
    const far = this.world.lans.length > 1 && delay > SECOND / 10;
    return {
      loss: this.#pick([0, 0.01, 0.05, 0.1, 0.3]),
      duplicate: this.#pick([0, 0.02, 0.1]),
      reorder: this.#pick([0, 0.05, 0.3]),
      corrupt: this.#options.mixed || far ? 0 : this.#pick([0, 0.001, 0.01, 0.03]),
      delayMicroseconds: { min: 0, max: delay },
    };
  }

  #trouble(): void {
    if (this.#peace) return;
    for (const lan of this.world.lans) lan.setFaults(this.#weather());
    if (this.#chance(0.4)) this.#cut();
    if (!this.#options.mixed) {
      if (this.#chance(0.4))
        this.world.after(this.#below(SECOND), () => this.#crash(this.#pick(this.#servers)));
      if (this.#chance(0.4))
        this.world.after(this.#below(SECOND), () => this.#crash(this.#pick(this.#clients)));
      if (this.#chance(0.2)) this.world.after(this.#below(SECOND), () => this.#move());
    }
    this.world.after(SECOND / 2 + this.#below(SECOND), () => this.#trouble());
  }

  #remember(machine: Machine): void {
    const counters = machine.kernel?.counters();
    if (counters === undefined) return;
    const names = {
      forgotten: "kernelsForgotten",
      repeated: "fragmentsRepeated",
      impliedAcks: "acksImplicit",
      malformed: "malformed",
      duplicates: "duplicates",
      refusals: "naksOut",
      failures: "failsOut",
      creditWaits: "creditWaits",
    } as const;
    for (const [name, counter] of Object.entries(names)) {
      this.happened[name] = (this.happened[name] ?? 0) + counters[counter];
    }
  }

  // ---- the run ---------------------------------------------------------------------

  /** Runs it all; throws with everything that was wrong. */
  run(): Outcome {
    const { world, ledger } = this;
    for (const client of this.#clients) this.#callFrom(client);
    this.#trouble();
    world.run(() => ledger.calls.length >= this.#options.calls, 120 * SECOND);
    world.run(undefined, 2 * SECOND); // the last ones in the weather that there is
    this.#peace = true;
    for (const lan of world.lans) {
      lan.setFaults({});
      lan.heal();
    }
    const since = world.now;
    world.run(() => world.now - since > 3 * SECOND && ledger.open.length === 0, 30 * SECOND);
    for (const call of ledger.open)
      ledger.faults.push(`call ${call.id} is open 30 s after the faults stopped`);
    world.run(undefined, 30 * SECOND); // and every acknowledgement
    this.#pools();
    const faults = ledger.verdict();
    if (faults.length > 0) throw new Error(faults.slice(0, 10).join("; "));
    return this.#outcome();
  }

  /** Every thread and buffer is back where it belongs. */
  #pools(): void {
    for (const machine of this.world.machines) {
      const services = this.#services.filter(({ home }) => home === machine).length;
      const { threadsBusy, framesHeld } = machine.running;
      if (framesHeld > 0) this.ledger.faults.push(`${machine.name} still holds ${framesHeld} frames`);
      const expected = services * this.#serverThreads;
      if (threadsBusy !== expected) {
        this.ledger.faults.push(`${machine.name} has ${threadsBusy} busy threads, not ${expected}`);
      }
      this.#remember(machine);
    }
  }

  #outcome(): Outcome {
    for (const lan of this.world.lans) {
      for (const [name, count] of Object.entries(lan.counts)) {
        this.happened[name] = (this.happened[name] ?? 0) + count;
      }
    }
    const { calls, statuses } = this.ledger;
    const executed = calls.reduce((sum, { executions }) => sum + executions, 0);
    return {
      calls: calls.length,
      executed,
      statuses,
      happened: this.happened,
      virtualSeconds: this.world.now / SECOND,
    };
  }
}
