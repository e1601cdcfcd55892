// Where cases are measured: machines of their own, and sessions of processes on them.
//
// - pair: two machines on one veth pair (pair.ts), which becomes any link without a
//   machine in between. chain: client, routers, server. star: star.ts.
// - Machines last for all rounds of their cases, processes for one round of one group.

import { iperf3Options, runIperf3 } from "./iperf3.js";
import { routersOf } from "./link.js";
import { addresses, interfaceName, Pair } from "./pair.js";
import type { Case, Environment, Run } from "./types.js";
import { type Pinned, pinned } from "./worker.js";
import { type Cores, jobOf, type Pace, Workers, workerOn } from "./workers.js";

/** Processes that measure cases of one group, one after the other. */
export interface Session {
  readonly measure: (each: Case) => Promise<Run>;
  /** Ends them at once. */
  readonly kill: () => void;
}

export interface Scene {
  readonly isolation: string;
  /** Of a sender's interface; null without ethtool. */
  readonly offloads: () => Promise<Environment["offloads"]>;
  readonly open: (cores: Cores) => Session;
  readonly remove: () => Promise<void>;
}

export type SceneName = "pair" | "routers-1" | "routers-2" | "star";

/** The scene of a case. Pure. */
export function sceneOf({ test, link }: Case): SceneName {
  if (test === "incast" || test === "sharing") return "star";
  if (link === "routers-1" || link === "routers-2") return link;
  return "pair";
}

/** A pair, or a chain where its machines have routers between them. */
export async function openPair(first: Case, pace: Pace, abort: AbortSignal): Promise<Scene> {
  const routers = routersOf(first.link);
  const pair = await Pair.make(first.mtu, abort, routers);
  const on =
    (end: "client" | "server"): Pinned =>
    (core, command) =>
      pinned(pair.enter(end), core, command);
  const open = (cores: Cores): Session => {
    const workers = new Workers((machine) => workerOn(pair.enter(machine)), cores, pair.routers);
    const measure = async (each: Case): Promise<Run> => {
      await pair.setMtu(each.mtu);
      if (routers === 0) await pair.setLink(each.link);
      const options = iperf3Options(each);
      if (options === null)
        return workers.run(jobOf(each, pace, { interfaceName, address: addresses.server }));
      const place = {
        ...{ client: on("client"), server: on("server"), address: addresses.server },
      };
      const iperf3 = () => runIperf3(place, cores, options);
      return each.system === "iperf3-no-offload" ? pair.withoutSegmentation(iperf3) : iperf3();
    };
    return { measure, kill: workers.kill };
  };
  const offloads = () => pair.offloads().catch(() => null);
  return { isolation: pair.isolation, offloads, open, remove: () => pair.remove() };
}
