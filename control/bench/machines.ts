// The machines of a benchmark: network namespaces of its own, gone when it ends.
//
// - Made as a lab is (control/lab/namespaces.ts), without agents: a packet socket that
//   nobody needs would cost the others as well. Nothing of it is visible in the system's
//   own namespaces, and it is gone with its keeper.
// - While it is there it has a lab's folder, in the state `starting` and owned by this
//   process: no lab command takes it for a lab, and `proteus lab clean` removes what a
//   killed benchmark has left.
// - Which wires there are is the plan's business: pair.ts, group/lan.ts.

import { randomBytes } from "node:crypto";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { chooseIsolation } from "../lab/isolation.js";
import { buildNetwork, enterNode, startKeeper, switchPower } from "../lab/namespaces.js";
import type { LabPlan } from "../lab/plan.js";
import { removeLab, removeLeftover } from "../lab/remove.js";
import { claimFolder, judge, type LabState, newState, nodeFolder, readLab, writeLab } from "../lab/state.js";
import { runTool, type ToolResult, toolMissing } from "../lab/tools.js";
import { requireNode, type Topology } from "../lab/topology.js";
import type { LinkLines } from "./link.js";

/** The name of this process's benchmark, as of a lab. */
export const benchName = (): string => `bench${process.pid}`;

/** Claims a folder of its own for this process. */
function claim(state: LabState): void {
  if (claimFolder(state)) return;
  throw new ProteusError({
    code: "BENCH_BUSY",
    exit: exitCodes.failed,
    message: `${state.topology.name} is in use`,
    unchanged: "nothing was measured",
    hint: "proteus lab clean",
  });
}

/** Machines that run. */
export class Machines {
  readonly #state: LabState;

  private constructor(
    state: LabState,
    /** How the machines are kept apart, for people. */
    readonly isolation: string,
  ) {
    this.#state = state;
  }

  /**
   * Makes them; the topology's name is benchName(). Throws BENCH_ISOLATION, or what the lab
   * throws; nothing is left then.
   */
  static async make(topology: Topology, plan: LabPlan, abort?: AbortSignal): Promise<Machines> {
    const { isolation, reason } = await chooseIsolation("auto");
    if (isolation === "memory") {
      throw new ProteusError({
        code: "BENCH_ISOLATION",
        exit: exitCodes.denied,
        message: "the benchmark needs a network stack for each machine, and none can be made here",
        why: reason,
        unchanged: "nothing was measured",
        hint: "run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
      });
    }
    const { name } = topology;
    if (judge(readLab(name)) === "leftover") await removeLeftover(name, "left over");
    let state = newState(randomBytes(8).toString("hex"), isolation, topology);
    claim(state);
    try {
      state = { ...state, keeper: await startKeeper(state, abort) };
      writeLab(state);
      await buildNetwork(state, plan, abort);
      return new Machines(state, reason);
    } catch (error) {
      await removeLab(state, "failed");
      throw error;
    }
  }

  /** The beginning of a command that runs on one of the machines. */
  enter(machine: string): string[] {
    return enterNode(this.#state, machine);
  }

  /** The same, where what is mounted is seen by these machines alone, and is gone with them. */
  enterMounts(machine: string): string[] {
    return [...this.enter(machine), `--mount=/proc/${this.#state.keeper?.pid ?? 0}/ns/mnt`];
  }

  /** A folder for what a machine keeps; gone with the machines. */
  folder(machine: string): string {
    return nodeFolder(this.#state.topology.name, machine);
  }

  /** Runs a tool on one of the machines; its failure is an error. */
  async tool(machine: string, command: readonly string[]): Promise<ToolResult> {
    return this.#run(machine, command, "");
  }

  async #run(machine: string, command: readonly string[], input: string): Promise<ToolResult> {
    const result = await runTool([...this.enter(machine), ...command], input);
    if (result.status === 127) throw toolMissing(command[0] ?? "");
    if (result.status === 0) return result;
    throw new ProteusError({
      code: "BENCH_LINK",
      exit: exitCodes.failed,
      message: "the link of the benchmark could not be set up",
      why: `${command.join(" ")}: ${result.errors.trim().split("\n")[0] ?? ""}`,
      unchanged: "the machines of the benchmark are removed",
      hint: "proteus doctor --for bench says what this machine lacks",
    });
  }

  /** Runs lines of `ip` and of `tc` on one of the machines; the first that is refused is an error. */
  async lines(machine: string, { ip, tc }: LinkLines): Promise<void> {
    if (ip.length > 0) await this.#run(machine, ["ip", "-batch", "-"], `${ip.join("\n")}\n`);
    if (tc.length > 0) await this.#run(machine, ["tc", "-batch", "-"], `${tc.join("\n")}\n`);
  }

  /** Cuts or joins all links of a machine; only where a bridge is the plan. */
  async power(machine: string, on: boolean): Promise<void> {
    await switchPower(this.#state, requireNode(this.#state.topology, machine), on);
  }

  /** Takes them down with every process on them. */
  async remove(): Promise<void> {
    await removeLab(this.#state, "done");
  }
}
