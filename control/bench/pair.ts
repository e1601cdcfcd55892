// The two machines of a benchmark: two network namespaces joined by one veth pair.
//
// - Without a bridge: machines.ts makes it, and takes it away with everything on it.
// - eth0 on both; the client is 10.0.0.1, the server 10.0.0.2.
// - With routers it is a chain: a veth pair from each machine to the next, eth0 of a router
//   towards the client and eth1 towards the server. Only FLIP is forwarded.
// - MTU and link (link.ts) change between cases; the machines stay.

import { type LabPlan, namespaceName } from "../lab/plan.js";
import type { Topology } from "../lab/topology.js";
import { type LinkLines, linkLines, plainLines } from "./link.js";
import { benchName, Machines } from "./machines.js";
import type { LinkName } from "./types.js";

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

const routerName = (router: number): string => `r${router + 1}`;
const routerMac = (router: number, card: number): string => `02:00:00:00:0${card + 1}:1${router}`;

interface Card {
  readonly machine: string;
  readonly name: string;
  readonly mac: string;
}

/** The lines that make the pair, for `ip -batch`. Pure. */
export function planPair(name: string, mtu: number, routers = 0): LabPlan {
  const namespace = (machine: string) => namespaceName(name, machine);
  const between = Array.from({ length: routers }, (_, router) => router);
  const machines = ["client", ...between.map(routerName), "server"];
  const left: Card[] = [
    { machine: "client", name: interfaceName, mac: macs.client },
    ...between.map((router) => ({ machine: routerName(router), name: "eth1", mac: routerMac(router, 1) })),
  ];
  const right: Card[] = [
    ...between.map((router) => ({ machine: routerName(router), name: "eth0", mac: routerMac(router, 0) })),
    { machine: "server", name: interfaceName, mac: macs.server },
  ];
  const half = ({ machine, name, mac }: Card) =>
    `${name} netns ${namespace(machine)} address ${mac} mtu ${mtu}`;
  const link = (one: Card, index: number) =>
    right[index] === undefined ? [] : [`link add ${half(one)} type veth peer name ${half(right[index])}`];
  return {
    ip: [...machines.map((machine) => `netns add ${namespace(machine)}`), ...left.flatMap(link)],
    tc: [],
    nodes: machines.map((machine) => ({
      node: machine,
      namespace: namespace(machine),
      ip: [
        "link set lo up",
        ...ends
          .filter((end) => end === machine)
          .map((end) => `addr add ${addresses[end]}/24 dev ${interfaceName}`),
        ...[...left, ...right]
          .filter((card) => card.machine === machine)
          .map((card) => `link set ${card.name} up`),
      ],
      tc: [],
    })),
  };
}

/** A running pair of machines. */
export class Pair {
  readonly #machines: Machines;
  #mtu: number;
  #link: LinkName = "veth";

  private constructor(
    machines: Machines,
    mtu: number,
    /** Names of the routers, from the client to the server. */
    readonly routers: readonly string[],
  ) {
    this.#machines = machines;
    this.#mtu = mtu;
  }

  /** Makes it. Throws BENCH_ISOLATION, or what the lab throws; nothing is left then. */
  static async make(mtu: number, abort?: AbortSignal, routers = 0): Promise<Pair> {
    const name = benchName();
    const between = Array.from({ length: routers }, (_, router) => routerName(router));
    const topology: Topology = {
      name,
      networks: [],
      nodes: ["client", ...between, "server"].map((each) => ({ name: each, kind: "host", networks: [] })),
    };
    return new Pair(await Machines.make(topology, planPair(name, mtu, routers), abort), mtu, between);
  }

  /** How the machines are kept apart, for people. */
  get isolation(): string {
    return this.#machines.isolation;
  }

  get mtu(): number {
    return this.#mtu;
  }

  /** The beginning of a command that runs on one of the machines. */
  enter(machine: string): string[] {
    return this.#machines.enter(machine);
  }

  /** Gives both ends another MTU; not those of routers. No kernel may be attached. */
  async setMtu(mtu: number): Promise<void> {
    if (mtu === this.#mtu) return;
    await Promise.all(
      ends.map((end) => this.#machines.tool(end, ["ip", "link", "set", interfaceName, "mtu", `${mtu}`])),
    );
    this.#mtu = mtu;
  }

  /** Makes the wire another one. No kernel may be attached. */
  async setLink(link: LinkName): Promise<void> {
    if (link === this.#link) return;
    const set = (lines: LinkLines) => Promise.all(ends.map((end) => this.#machines.lines(end, lines)));
    await set(plainLines(this.#link, interfaceName));
    this.#link = "veth";
    await set(linkLines(link, interfaceName, this.#mtu));
    this.#link = link;
  }

  async #segmentation(words: readonly string[]): Promise<void> {
    await Promise.all(
      ends.map((end) => this.#machines.tool(end, ["ethtool", "-K", interfaceName, ...words])),
    );
  }

  /** Runs `work` without segmentation offload on either interface. */
  async withoutSegmentation<T>(work: () => Promise<T>): Promise<T> {
    const before = await this.offloads();
    await this.#segmentation(segmentationWords({}));
    try {
      return await work();
    } finally {
      await this.#segmentation(segmentationWords(before));
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
