// The benchmark on machines that were there before (ends.ts says how they are reached).
//
// - Nothing of the machines is changed: no link, no MTU, no offload. So only the tests of a
//   plain wire run, and iperf3 without offloads does not. What cards, drivers, coalescing
//   and offloads there are goes into the report.
// - Two computers have no core in common: there is no placement S then.
// - The processes of the benchmark have kernels and MAC addresses of their own beside the
//   nodes' agents, and end with it.

import { type Between, type End, onOneComputer } from "./ends.js";
import { coresOf } from "./environment.js";
import { iperf3Options, runIperf3 } from "./iperf3.js";
import { planCases, type Wanted } from "./plan.js";
import type { Scene } from "./scene.js";
import type { Answer, Order } from "./systems/system.js";
import { type Card, type Case, type Placement, placements } from "./types.js";
import { Worker } from "./worker.js";
import { type Cores, jobOf, type Pace, Workers } from "./workers.js";

/** The cases: those of a plain wire, at the smaller MTU of the two. Pure. */
export function planBetween(wanted: Wanted, between: Between): Case[] {
  const mtu = Math.min(between.client.card.mtu, between.server.card.mtu);
  const places = (wanted.placements ?? placements).filter((each) => each === "X" || onOneComputer(between));
  return planCases({ ...wanted, mtus: [mtu], links: ["veth"] })
    .filter(({ system, placement }) => system !== "iperf3-no-offload" && places.includes(placement))
    .map((each) => ({ ...each, link: "between" }));
}

/** Where the two ends of a placement run. Throws BENCH_CORES. */
export function coresBetween(placement: Placement, between: Between): Cores {
  const { client, server } = between;
  if (onOneComputer(between)) return coresOf(placement, client.described.allowed);
  return { client: client.described.allowed[0] ?? 0, server: server.described.allowed[0] ?? 0 };
}

/** What is known of the interface of an end. */
export async function cardOf({ name, card, worker }: End): Promise<Card> {
  const asked = new Worker<Order, Answer>(`worker on ${name}`, worker(null));
  try {
    const answer = await asked.order({ card: { interfaceName: card.name } });
    if (!("card" in answer)) throw new Error("it knows nothing of its interface");
    return { machine: name, mtu: card.mtu, ...answer.card };
  } finally {
    asked.kill();
  }
}

/** Where the cases are measured; nothing is made, and nothing removed. */
export function betweenScene({ client, server }: Between, pace: Pace): Scene {
  const address = server.card.ip.split("/")[0] ?? "";
  const open = (cores: Cores) => {
    const workers = new Workers((machine) => (machine === "client" ? client : server).worker, cores, [], {
      client: client.card.name,
      server: server.card.name,
    });
    const measure = (each: Case) => {
      const options = iperf3Options(each);
      if (options !== null)
        return runIperf3({ client: client.pinned, server: server.pinned, address }, cores, options);
      return workers.run(jobOf(each, pace, { interfaceName: client.card.name, address }));
    };
    return { measure, kill: workers.kill };
  };
  return {
    isolation: "machines that were there",
    offloads: () => Promise.resolve(null), // the cards tell
    open,
    remove: () => Promise.resolve(),
  };
}
