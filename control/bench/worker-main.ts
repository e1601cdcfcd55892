// One end of the measurements: a process that is pinned to a core on one of the machines
// and does, one after the other, what its parent asks for over the channel of `fork`.
//
//   {serve: Job}            -> {ready: Facts}, then serves
//   {stop: true}            -> {stopped: true}
//   {measure: Job, facts}   -> {run: Run, calls?}
//   {route: {interfaces}}   -> {ready: {}}, then forwards between them until it ends
//   {idle: {milliseconds}}  -> {run: Run}: what it costs while nobody calls
//   whatever goes wrong     -> {failed: what}
//
// It ends when the channel is closed.

import { measureIdle } from "./idle.js";
import { measure } from "./systems/client.js";
import { floor, spinTcp } from "./systems/controls.js";
import { flip, route } from "./systems/flip.js";
import { grpc } from "./systems/grpc.js";
import { http } from "./systems/http.js";
import { nats } from "./systems/nats.js";
import { nodeTcp } from "./systems/node-tcp.js";
import { nodeUdp } from "./systems/node-udp.js";
import type { Answer, Job, Order, Serving, System } from "./systems/system.js";
import type { SystemName } from "./types.js";
import type { Failed } from "./worker.js";

const known: Readonly<Partial<Record<SystemName, System>>> = {
  flip,
  "flip-explicit-ack": flip,
  floor,
  "node-tcp": nodeTcp,
  "spin-tcp": spinTcp,
  "node-udp": nodeUdp,
  http,
  grpc,
  nats,
};

let serving: Serving | null = null;

function systemOf({ system }: Job): System {
  const found = known[system];
  if (found === undefined) throw new Error(`${system} is a program of its own`);
  return found;
}

/** Resolves when the answer is on its way: what follows may block the thread. */
function say(answer: Answer | Failed): Promise<void> {
  return new Promise((resolve) => process.send?.(answer, undefined, {}, () => resolve()));
}

async function obey(order: Order): Promise<void> {
  if ("serve" in order) {
    serving = await systemOf(order.serve).serve(order.serve);
    await say({ ready: serving.facts });
    serving.block?.();
  } else if ("measure" in order) {
    await say(await measure(systemOf(order.measure), order.measure, order.facts));
  } else if ("route" in order) {
    await route(order.route);
    await say({ ready: {} });
  } else if ("idle" in order) {
    await say({ run: await measureIdle(order.idle.milliseconds) });
  } else {
    await serving?.stop();
    serving = null;
    await say({ stopped: true });
  }
}

process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  obey(order).catch(async (error: unknown) => {
    await say({ failed: error instanceof Error ? error.message : String(error) });
  });
});
