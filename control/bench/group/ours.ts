// Members of ours, seen from the parent: a process on each machine of the LAN, and the
// groups that they form one after the other.
//
// - The second machine makes the group: its sequencer and the first machine, which sends
//   where one member does, are never on one core.
// - History: 2048 messages, 256 where they are large: a member that had to wait for its core
//   is not what the others wait for.

import { fileURLToPath } from "node:url";
import type { Counters } from "../../kernel/counters.js";
import type { Run } from "../types.js";
import { pinned, Worker } from "../worker.js";
import { type Lan, lanInterface, machineOf, sender, sequencer } from "./lan.js";
import { type Figures, type Load, type Member, monotonicUs, patienceMs, type Session } from "./load.js";
import type { MemberAnswer, MemberOrder } from "./orders.js";
import { type GroupCase, membersMost } from "./types.js";

const program = fileURLToPath(new URL("./member-main.js", import.meta.url));
const logHistory = { small: 11, large: 8 } as const;
const largeBytes = 16 * 1024;
const warmUpUs = 600_000;
const warmUpBytes = 64;
const logMessageMin = 10;

class OurMember implements Member {
  readonly #worker: Worker<MemberOrder, MemberAnswer>;
  port = "";

  constructor(lan: Lan, member: number) {
    // A session of its own, as a service has: otherwise what this program starts beside it shares in
    // the priority that it takes.
    const command = pinned(lan.machines.enter(machineOf(member)), lan.core(member), [
      ...["setsid", process.execPath, program],
    ]);
    this.#worker = new Worker(`member ${member + 1}`, command);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  order(order: MemberOrder, patience?: number): Promise<MemberAnswer> {
    return this.#worker.order(order, patience);
  }

  async run(load: Load): Promise<Figures> {
    const answer = await this.order({ run: load }, patienceMs(load));
    if (!("figures" in answer)) throw new Error("a member gave no figures");
    return answer.figures;
  }

  kill(): void {
    this.#worker.kill();
  }
}

export class Ours implements Session {
  readonly members: readonly OurMember[];
  #groups = 0;
  #open = ""; // what the group is that they are in

  private constructor(members: readonly OurMember[]) {
    this.members = members;
  }

  /** Starts a kernel on every machine. */
  static async start(lan: Lan, wasm: string): Promise<Ours> {
    const ours = new Ours(Array.from({ length: lan.members }, (_, member) => new OurMember(lan, member)));
    try {
      await Promise.all(
        ours.members.map(async (member, index) => {
          const getPort = `echo${index + 1}`;
          const answer = await member.order({ start: { wasm, interfaceName: lanInterface, getPort } });
          if ("port" in answer) member.port = answer.port;
        }),
      );
      return ours;
    } catch (error) {
      ours.kill();
      throw error;
    }
  }

  #all(order: MemberOrder): Promise<MemberAnswer[]> {
    return Promise.all(this.members.map((member) => member.order(order)));
  }

  /** Forms the group of a case, in place of the last; resolves when each member sees the others. */
  async prepare({ system, resilience, bytes }: GroupCase): Promise<void> {
    const wanted = system === "group" ? `${resilience} ${bytes}` : "";
    if (wanted === this.#open) return;
    if (this.#open !== "") await this.#all({ close: true });
    this.#open = wanted;
    if (wanted === "") return;
    const port = `g${++this.#groups}`;
    const logMessage = Math.max(logMessageMin, Math.ceil(Math.log2(Math.max(bytes, 1))));
    const create = {
      ...{ resilience: resilience ?? 0, membersMax: membersMost, logMessage },
      logHistory: bytes > largeBytes ? logHistory.large : logHistory.small,
    };
    const others = this.members.filter((_, index) => index !== sequencer);
    await this.members[sequencer]?.order({ open: { port, create, bytes } });
    await Promise.all(others.map((member) => member.order({ open: { port, create: null, bytes } })));
    await this.#all({ gather: this.members.length });
    if (this.#groups === 1) await this.#warmUp(bytes);
  }

  /** Compilers of JavaScript and WebAssembly have done their work before anything counts. */
  async #warmUp(bytes: number): Promise<void> {
    const startUs = monotonicUs();
    const load: Load = {
      ...{ sends: true, spins: true, bytes: Math.min(bytes, warmUpBytes), outstanding: 2, recovers: false },
      ...{ startUs, fromUs: startUs, untilUs: startUs + warmUpUs },
    };
    await Promise.all(this.members.map((member) => member.run(load)));
  }

  async call(which: "rpc" | "rpc-all", bytes: number, milliseconds: number): Promise<Run> {
    const targets = which === "rpc" ? [this.members[sequencer]] : this.members.slice(1);
    const ports = targets.flatMap((member) => member?.port ?? []);
    await this.#all({ spin: true });
    const answer = await this.members[sender]?.order({ call: { ports, bytes, milliseconds } });
    if (answer === undefined || !("calls" in answer)) throw new Error("the calls gave no figures");
    return answer.calls;
  }

  /** What each member's kernel has counted. */
  async counters(): Promise<Counters[]> {
    const answers = await this.#all({ info: true });
    return answers.flatMap((answer) => ("counters" in answer ? [answer.counters] : []));
  }

  killMachine(member: number): void {
    this.members[member]?.kill();
  }

  kill(): void {
    for (const member of this.members) member.kill();
  }
}
