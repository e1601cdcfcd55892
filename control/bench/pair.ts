// The two machines of a benchmark: two network namespaces joined by one veth pair.
//
// - Without a bridge: machines.ts makes it, and takes it away with everything on it.
// - eth0 on both; the client is 10.0.0.1, the server 10.0.0.2.

import { type LabPlan, namespaceName } from "../lab/plan.js";
import type { Topology } from "../lab/topology.js";
import { benchName, Machines } from "./machines.js";

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

/** A running pair of machines. */
export class Pair {
  readonly #machines: Machines;
  #mtu: number;

  private constructor(machines: Machines, mtu: number) {
    this.#machines = machines;
    this.#mtu = mtu;
  }

  /** Makes it. Throws BENCH_ISOLATION, or what the lab throws; nothing is left then. */
  static async make(mtu: number, abort?: AbortSignal): Promise<Pair> {
    const name = benchName();
    const topology: Topology = {
      name,
      networks: [],
      nodes: ends.map((end) => ({ name: end, kind: "host", networks: [] })),
    };
    return new Pair(await Machines.make(topology, planPair(name, mtu), abort), mtu);
  }

  /** How the machines are kept apart, for people. */
  get isolation(): string {
    return this.#machines.isolation;
  }

  get mtu(): number {
    return this.#mtu;
  }

  /** The beginning of a command that runs on one of the machines. */
  enter(end: End): string[] {
    return this.#machines.enter(end);
  }

  /** Gives both interfaces another MTU. No kernel may be attached. */
  async setMtu(mtu: number): Promise<void> {
    if (mtu === this.#mtu) return;
    await Promise.all(
      ends.map((end) => this.#machines.tool(end, ["ip", "link", "set", interfaceName, "mtu", `${mtu}`])),
    );
    this.#mtu = mtu;
  }

  /** Runs `work` without segmentation offload on either interface. */
  async withoutSegmentation<T>(work: () => Promise<T>): Promise<T> {
    const before = await this.offloads();
    const set = (words: readonly string[]) =>
      Promise.all(ends.map((end) => this.#machines.tool(end, ["ethtool", "-K", interfaceName, ...words])));
    await set(segmentationWords({}));
    try {
      return await work();
    } finally {
      await set(segmentationWords(before));
    }
  }

  /** What `ethtool -k` says, by the names of the features that can be on. */
  async offloads(): Promise<Readonly<Record<string, boolean>>> {
    const { output } = await this.#machines.tool("client", ["ethtool", "-k", interfaceName]);
    return parseOffloads(output);
  }

  /** Takes it down with every process on it. */
  async remove(): Promise<void> {
    await this.#machines.remove();
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
