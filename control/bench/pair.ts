// The two machines of a benchmark: two network namespaces joined by one veth pair.
//
// - Made as a lab is (control/lab/namespaces.ts), without bridge and without agents: a
//   packet socket that nobody needs would cost TCP as well. Nothing of it is visible in
//   the system's own namespaces, and it is gone with its keeper.
// - While it is there it has a lab's folder, in the state `starting` and owned by this
//   process: no lab command takes it for a lab, and `proteus lab clean` removes what a
//   killed benchmark has left.
// - eth0 on both; the client is 10.0.0.1, the server 10.0.0.2.

import { randomBytes } from "node:crypto";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { chooseIsolation } from "../lab/isolation.js";
import { buildNetwork, enterNode, startKeeper } from "../lab/namespaces.js";
import { type LabPlan, namespaceName } from "../lab/plan.js";
import { removeLab, removeLeftover } from "../lab/remove.js";
import { claimFolder, judge, type LabState, newState, readLab, writeLab } from "../lab/state.js";
import { runTool, type ToolResult, toolMissing } from "../lab/tools.js";
import type { Topology } from "../lab/topology.js";

export type End = "client" | "server";

export const interfaceName = "eth0";
export const addresses: Readonly<Record<End, string>> = { client: "10.0.0.1", server: "10.0.0.2" };
const macs: Readonly<Record<End, string>> = { client: "02:00:00:00:00:01", server: "02:00:00:00:00:02" };
const ends: readonly End[] = ["client", "server"];

/** TCP's segmentation offload: what `ethtool -K` calls it, and `ethtool -k`. */
const segmentation: Readonly<Record<string, string>> = {
  tso: "tcp-segmentation-offload",
  gso: "generic-segmentation-offload",
  gro: "generic-receive-offload",
};

/** The words for `ethtool -K` that put segmentation offload back as it was. Pure. */
export function segmentationWords(offloads: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(segmentation).flatMap(([word, name]) => [word, offloads[name] ? "on" : "off"]);
}

/** The lines that make the pair, for `ip -batch`. Pure. */
export function planPair(name: string, mtu: number): LabPlan {
  const namespace = (end: End) => namespaceName(name, end);
  const half = (end: End) => `netns ${namespace(end)} address ${macs[end]} mtu ${mtu}`;
  const link = `link add ${interfaceName} ${half("client")} type veth peer name ${interfaceName} ${half("server")}`;
  return {
    ip: [...ends.map((end) => `netns add ${namespace(end)}`), link],
    tc: [],
    nodes: ends.map((end) => ({
      node: end,
      namespace: namespace(end),
      ip: [
        "link set lo up",
        `addr add ${addresses[end]}/24 dev ${interfaceName}`,
        `link set ${interfaceName} up`,
      ],
      tc: [],
    })),
  };
}

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

/** A running pair of machines. */
export class Pair {
  readonly #state: LabState;
  #mtu: number;

  private constructor(
    state: LabState,
    mtu: number,
    /** How the machines are kept apart, for people. */
    readonly isolation: string,
  ) {
    this.#state = state;
    this.#mtu = mtu;
  }

  /** Makes it. Throws BENCH_ISOLATION, or what the lab throws; nothing is left then. */
  static async make(mtu: number, abort?: AbortSignal): Promise<Pair> {
    const { isolation, reason } = await chooseIsolation("auto");
    if (isolation === "memory") {
      throw new ProteusError({
        code: "BENCH_ISOLATION",
        exit: exitCodes.denied,
        message: "the benchmark needs two network stacks, and none can be made here",
        why: reason,
        unchanged: "nothing was measured",
        hint: "run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
      });
    }
    const name = `bench${process.pid}`;
    const topology: Topology = {
      name,
      networks: [],
      nodes: ends.map((end) => ({ name: end, kind: "host", networks: [] })),
    };
    if (judge(readLab(name)) === "leftover") await removeLeftover(name, "left over");
    let state = newState(randomBytes(8).toString("hex"), isolation, topology);
    claim(state);
    try {
      state = { ...state, keeper: await startKeeper(state, abort) };
      writeLab(state);
      await buildNetwork(state, planPair(name, mtu), abort);
      return new Pair(state, mtu, reason);
    } catch (error) {
      await removeLab(state, "failed");
      throw error;
    }
  }

  get mtu(): number {
    return this.#mtu;
  }

  /** The beginning of a command that runs on one of the machines. */
  enter(end: End): string[] {
    return enterNode(this.#state, end);
  }

  /** Runs a tool on one of the machines; its failure is an error. */
  async #tool(end: End, command: readonly string[]): Promise<ToolResult> {
    const result = await runTool([...this.enter(end), ...command]);
    if (result.status === 127) throw toolMissing(command[0] ?? "");
    if (result.status === 0) return result;
    throw new ProteusError({
      code: "BENCH_LINK",
      exit: exitCodes.failed,
      message: "the link of the benchmark could not be set up",
      why: `${command.join(" ")}: ${result.errors.trim().split("\n")[0] ?? ""}`,
    });
  }

  /** Gives both interfaces another MTU. No kernel may be attached. */
  async setMtu(mtu: number): Promise<void> {
    if (mtu === this.#mtu) return;
    await Promise.all(
      ends.map((end) => this.#tool(end, ["ip", "link", "set", interfaceName, "mtu", `${mtu}`])),
    );
    this.#mtu = mtu;
  }

  /** Runs `work` without segmentation offload on either interface. */
  async withoutSegmentation<T>(work: () => Promise<T>): Promise<T> {
    const before = await this.offloads();
    const set = (words: readonly string[]) =>
      Promise.all(ends.map((end) => this.#tool(end, ["ethtool", "-K", interfaceName, ...words])));
    await set(segmentationWords({}));
    try {
      return await work();
    } finally {
      await set(segmentationWords(before));
    }
  }

  /** What `ethtool -k` says, by the names of the features that can be on. */
  async offloads(): Promise<Readonly<Record<string, boolean>>> {
    const { output } = await this.#tool("client", ["ethtool", "-k", interfaceName]);
    return parseOffloads(output);
  }

  /** Takes it down with every process on it. */
  async remove(): Promise<void> {
    await removeLab(this.#state, "done");
  }
}

/** The output of `ethtool -k`: the features that are on or can be switched, without the fixed-off ones. */
export function parseOffloads(output: string): Record<string, boolean> {
  const found: Record<string, boolean> = {};
  for (const line of output.split("\n")) {
    const match = /^\s*([\w-]+): (on|off)( \[fixed\])?/.exec(line);
    if (match?.[1] === undefined) continue;
    if (match[2] === "on" || match[3] === undefined) found[match[1]] = match[2] === "on";
  }
  return found;
}
