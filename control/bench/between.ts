// The benchmark on machines that were there before: two nodes of a running lab.
//
// - Both need an interface on the same network: TCP knows no way through FLIP routers.
// - Nothing of the machines is changed: no link, no MTU, no offload. So only the tests of a
//   plain wire run, and iperf3 without offloads does not. What cards, drivers, coalescing
//   and offloads there are goes into the report.
// - The processes of the benchmark have kernels and MAC addresses of their own beside the
//   nodes' agents, and end with it.

import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { isUp } from "../lab/lab.js";
import { enterNode } from "../lab/namespaces.js";
import { interfacesOf, type LabInterface } from "../lab/plan.js";
import type { LabState } from "../lab/state.js";
import { runTool } from "../lab/tools.js";
import { requireNode } from "../lab/topology.js";
import { iperf3Options, runIperf3 } from "./iperf3.js";
import { parseOffloads } from "./pair.js";
import { planCases, type Wanted } from "./plan.js";
import type { Scene } from "./scene.js";
import type { Card, Case } from "./types.js";
import { type Cores, jobOf, type Pace, Workers } from "./workers.js";

interface MachineEnd {
  readonly name: string;
  readonly enter: readonly string[];
  readonly card: LabInterface;
}

export interface Between {
  readonly client: MachineEnd;
  readonly server: MachineEnd;
}

/** Finds two nodes and their common network. Throws LAB_NODE_NOT_FOUND, LAB_NODE_DOWN or a usage error. */
export function findBetween(state: LabState, names: readonly string[]): Between {
  const [client = "", server = ""] = names;
  if (names.length !== 2 || client === server)
    throw usageError("--between takes two machines", "such as --between n1 n2");
  if (state.isolation === "memory")
    throw new ProteusError({
      ...{ code: "BENCH_ISOLATION", exit: exitCodes.denied },
      message: "a LAN in memory has no network stacks to compare with",
      unchanged: "nothing was measured",
      hint: "run the lab as root, or where user namespaces are allowed",
    });
  const cardsOf = (name: string): LabInterface[] => {
    const node = requireNode(state.topology, name);
    if (isUp(state, node)) return interfacesOf(state.topology, node);
    throw new ProteusError({
      ...{ code: "LAB_NODE_DOWN", exit: exitCodes.unreachable, message: `${name} is down` },
      unchanged: "nothing was measured",
      hint: `proteus lab start ${name}`,
    });
  };
  const there = cardsOf(server);
  for (const card of cardsOf(client)) {
    const other = there.find(({ network }) => network === card.network);
    if (other === undefined) continue;
    return {
      client: { name: client, enter: enterNode(state, client), card },
      server: { name: server, enter: enterNode(state, server), card: other },
    };
  }
  throw usageError(`${client} and ${server} have no network in common`, "choose two machines on one network");
}

/** The cases: those of a plain wire, at the MTU that there is. Pure. */
export function planBetween(wanted: Wanted, mtu: number): Case[] {
  return planCases({ ...wanted, mtus: [mtu], links: ["veth"] })
    .filter(({ system }) => system !== "iperf3-no-offload")
    .map((each) => ({ ...each, link: "between" }));
}

/** `ethtool`'s lines `name: value`; those that say nothing are left out. Pure. */
export function parseSettings(output: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of output.split("\n")) {
    const match = /^([\w-][\w -]*):\s+(\S.*)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined && !/^n\/a\b/.test(match[2]))
      found[match[1]] = match[2];
  }
  return found;
}

/** What `ethtool` and the system know of the interface of an end. */
export async function cardOf({ name, enter, card }: MachineEnd): Promise<Card> {
  const ask = async (...words: string[]): Promise<string> => {
    try {
      const { status, output } = await runTool([...enter, "--", "ethtool", ...words, card.name]);
      return status === 0 ? output : "";
    } catch {
      return "";
    }
  };
  const [driver, coalescing, offloads, link] = await Promise.all([ask("-i"), ask("-c"), ask("-k"), ask()]);
  return {
    ...{ machine: name, interfaceName: card.name },
    driver: parseSettings(driver).driver ?? null,
    speed: parseSettings(link).Speed ?? null,
    coalescing: parseSettings(coalescing.split("\n").slice(1).join("\n")),
    offloads: offloads === "" ? null : parseOffloads(offloads),
  };
}

/** Where the cases are measured; nothing is made, and nothing removed. */
export function openBetween({ client, server }: Between, pace: Pace): Scene {
  const address = server.card.ip.split("/")[0] ?? "";
  const open = (cores: Cores) => {
    const workers = new Workers((machine) => (machine === "client" ? client : server).enter, cores, [], {
      client: client.card.name,
      server: server.card.name,
    });
    const measure = (each: Case) => {
      const options = iperf3Options(each);
      if (options !== null)
        return runIperf3({ client: client.enter, server: server.enter, address }, cores, options);
      return workers.run(jobOf(each, pace, { interfaceName: client.card.name, address }));
    };
    return { measure, kill: workers.kill };
  };
  const offloads = async () => (await cardOf(client)).offloads;
  return { isolation: "machines that were there", offloads, open, remove: async () => undefined };
}
