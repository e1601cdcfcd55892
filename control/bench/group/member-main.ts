// A member of a group of ours: a process that is pinned to a core on one of the machines,
// with a kernel, and does what its parent asks for over its channel (orders.ts).
//
// - It ends when the channel is closed. What goes wrong is an answer {failed}.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { HEADER } from "../../../core-wasm/wire/formats.js";
import { parsePort, portHex } from "../../capability/port.js";
import { writeHeader } from "../../kernel/calls.js";
import { statusError } from "../../kernel/errors.js";
import { type RunningKernel, startKernel } from "../../node/start.js";
import { EchoServer } from "../../server/echo/echo.js";
import { obeyOrders } from "../channel.js";
import { timeRows } from "./calls.js";
import type { MemberAnswer, MemberOrder, Open, Start } from "./orders.js";
import { Traffic } from "./traffic.js";

const memoryBytes = 256 * 1024 * 1024;
const groupBytes = 96 * 1024 * 1024;
const groupOperations = 1024;
const gatherMs = 10_000;
const joinMs = 10_000;

let running: RunningKernel | null = null;
let gid = -1;
let traffic: Traffic | null = null;

function started(): RunningKernel {
  if (running === null) throw new Error("no kernel was started");
  return running;
}

async function start({ wasm, interfaceName, getPort }: Start): Promise<MemberAnswer> {
  running = await startKernel({
    prompt: true,
    wasm: readFileSync(wasm),
    interfaces: [interfaceName],
    say: (line) => process.stderr.write(`${line}\n`),
    limits: { memoryBytes, groupBytes, groupOperations },
  });
  const server = new EchoServer(running.kernel, parsePort(getPort), { threads: 2 });
  return { port: portHex(server.putPort) };
}

/** Joins; again while there is no such group yet. */
async function join(port: Uint8Array): Promise<number> {
  const { kernel } = started();
  const header = kernel.buffers.take(HEADER);
  writeHeader(kernel, header, { port });
  const once = () =>
    new Promise<number>((resolve) => {
      const handle = kernel.groups.join(header, (status, length) => resolve(status < 0 ? status : length));
      if (handle < 0) resolve(handle);
    });
  const end = performance.now() + joinMs;
  let answer = await once();
  while (answer < 0 && performance.now() < end) answer = await once();
  kernel.buffers.give(header);
  return answer;
}

async function open({ port: words, create, bytes }: Open): Promise<MemberAnswer> {
  const { kernel } = started();
  const port = parsePort(words);
  gid = create === null ? await join(port) : kernel.groups.create(port, create);
  if (gid < 0) throw statusError(gid, create === null ? "joining the group" : "making the group");
  traffic = new Traffic(kernel, gid, port, bytes);
  return { done: true };
}

async function gather(members: number): Promise<MemberAnswer> {
  const end = performance.now() + gatherMs;
  const total = () => started().kernel.groups.info(gid)?.total ?? 0;
  while (total() !== members && performance.now() < end) await sleep(1);
  if (total() !== members) throw new Error(`the group has ${total()} members instead of ${members}`);
  return { done: true };
}

function close(): MemberAnswer {
  traffic?.close();
  traffic = null;
  return { done: true };
}

async function obey(order: MemberOrder): Promise<MemberAnswer> {
  if ("start" in order) return start(order.start);
  if ("open" in order) return open(order.open);
  if ("gather" in order) return gather(order.gather);
  if ("call" in order) return { calls: await timeRows(started().kernel, order.call) };
  if ("info" in order) return { counters: started().kernel.counters() };
  if ("close" in order) return close();
  if ("spin" in order) {
    started().spin(order.spin);
    return { done: true };
  }
  if (traffic === null) throw new Error("there is no group to run in");
  started().spin(order.run.spins);
  return { figures: await traffic.run(order.run) };
}

obeyOrders<MemberOrder, MemberAnswer>(async (order, say) => say(await obey(order)));
