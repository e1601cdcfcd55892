// One end of the measurements: a process that is pinned to a core on one of the machines
// and does, one after the other, what its parent asks for over its channel.
//
//   {serve: Job}            -> {ready: Facts, cpuUs}, then serves
//   {stop: true}            -> {stopped: true, cpuUs}
//   {measure: Job, facts}   -> {run: Run, calls?}
//   {route: {interfaces}}   -> {ready: {}, cpuUs}, then forwards between them until it ends
//   {idle: {milliseconds}}  -> {run: Run}: what it costs while nobody calls
//   {describe: {…}}         -> {described: Described}: what there is on this machine
//   {card: {interfaceName}} -> {card: Card}
//   whatever goes wrong     -> {failed: what}
//
// - `cpuUs` is the CPU time that this process has had.
// - It ends when the channel is closed.

import { obeyOrders, type Say } from "./channel.js";
import { cardOf, describe } from "./describe.js";
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

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function obey(order: Order, say: Say<Answer>): Promise<void> {
  if ("serve" in order) {
    serving = await systemOf(order.serve).serve(order.serve);
    await say({ ready: serving.facts, cpuUs: cpuUs() });
    serving.block?.();
  } else if ("measure" in order) {
    await say(await measure(systemOf(order.measure), order.measure, order.facts));
  } else if ("route" in order) {
    await route(order.route);
    await say({ ready: {}, cpuUs: cpuUs() });
  } else if ("idle" in order) {
    await say({ run: await measureIdle(order.idle.milliseconds) });
  } else if ("describe" in order) {
    await say({ described: await describe(order.describe) });
  } else if ("card" in order) {
    await say({ card: await cardOf(order.card.interfaceName) });
  } else {
    const spent = cpuUs();
    await serving?.stop();
    serving = null;
    await say({ stopped: true, cpuUs: spent });
  }
}

/** An order with this installation's kernel in place of its parent's, whose files are elsewhere. */
function withKernel(order: Order, wasm: string): Order {
  if ("serve" in order) return { serve: { ...order.serve, wasm } };
  if ("measure" in order) return { ...order, measure: { ...order.measure, wasm } };
  if ("route" in order) return { route: { ...order.route, wasm } };
  return order;
}

/** Works until the channel ends. `wasm`: path of a kernel to be taken instead of what orders name. */
export function work(wasm?: string): void {
  obeyOrders<Order, Answer>((order, say) => obey(wasm === undefined ? order : withKernel(order, wasm), say));
}
