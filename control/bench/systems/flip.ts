// Our own system: the echo server and clients on raw Ethernet, as any program has them.
//
// - A client calls Kernel.trans with buffers of its own, the server is EchoServer: the
//   same calls that `proteus call` and `proteus serve echo` make, in other processes.
// - Several clients are several calls under way in one kernel.
// - `flip-explicit-ack` is the same without the implicit acknowledgement, on both sides:
//   a third frame a call, as the original sends it.
// - Each run has new kernels: a packet socket that is only open would cost TCP as well.

import { readFileSync } from "node:fs";
import { EXTENSION_IMPLICIT_ACK, EXTENSIONS_ALL } from "../../../core-wasm/limits.js";
import { HEADER, HEADER_COMMAND_AT } from "../../../core-wasm/wire/formats.js";
import { parsePort, portHex } from "../../capability/port.js";
import { ECHO, ECHO_BYTES_MAX, ECHO_SINK, ECHO_SOURCE } from "../../interface/echo.js";
import { writeHeader } from "../../kernel/calls.js";
import { statusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type RunningKernel, startKernel } from "../../node/start.js";
import { EchoServer } from "../../server/echo/echo.js";
import type { Begin } from "../clock.js";
import { Slot } from "./client.js";
import type { Client, Facts, Job, Serving, System } from "./system.js";

const getPort = "bench";
/** Threads of service beyond the clients: a reply's thread is busy until it is acknowledged. */
const threadsSpare = 1;

function start(job: Job): Promise<RunningKernel> {
  const explicit = job.system === "flip-explicit-ack";
  return startKernel({
    wasm: readFileSync(job.wasm),
    interfaces: [job.interfaceName],
    say: (line) => process.stderr.write(`${line}\n`),
    limits: explicit ? { extensions: EXTENSIONS_ALL & ~EXTENSION_IMPLICIT_ACK } : {},
  });
}

async function serve(job: Job): Promise<Serving> {
  const running = await start(job);
  const server = new EchoServer(running.kernel, parsePort(getPort), {
    threads: job.clients + threadsSpare,
    requestBytesMax: Math.min(ECHO_BYTES_MAX, Math.max(64, job.request)),
  });
  const stop = async () => {
    await running.finish();
    server.close();
  };
  return { facts: { port: portHex(server.putPort) }, stop };
}

/** One client of a kernel, with its buffers. */
function clientOf(kernel: Kernel, job: Job, port: string): Begin {
  const { request, reply } = job;
  const header = kernel.buffers.take(2 * HEADER);
  const replyHeader = header + HEADER;
  const data = kernel.buffers.take(request);
  for (let i = 0; i < request; i++) kernel.bytes[data + i] = (i * 7 + (i >> 8)) & 0xff;
  const into = reply > 0 ? kernel.buffers.take(reply) : 0;
  const command = request > 0 ? ECHO_SINK : reply > 0 ? ECHO_SOURCE : ECHO;
  writeHeader(kernel, header, {
    ...{ port: parsePort(port), command, size: request & 0xffff, offset: reply },
  });
  const slot = new Slot();
  const ended = (status: number, length: number) => {
    if (status < 0) slot.end(statusError(status, "a call failed"));
    else if (kernel.view.getInt16(replyHeader + HEADER_COMMAND_AT, true) !== 0)
      slot.end(new Error("the echo server refused a call"));
    else if (length !== reply) slot.end(new Error(`a reply had ${length} bytes instead of ${reply}`));
    else slot.end();
  };
  return (done) => {
    slot.done = done;
    const handle = kernel.trans(header, data, request, replyHeader, into, reply, 0, ended);
    if (handle < 0) done(statusError(handle, "a call could not begin"));
  };
}

async function connect(job: Job, { port = "" }: Facts): Promise<Client> {
  const running = await start(job);
  const begins = Array.from({ length: job.clients }, () => clientOf(running.kernel, job, port));
  return { begins, pace: running.everyTurn, close: () => running.finish() };
}

/** Forwards between interfaces until the process ends. */
export async function route(how: {
  readonly interfaces: readonly string[];
  readonly wasm: string;
}): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await startKernel({ wasm: readFileSync(how.wasm), interfaces: how.interfaces, say });
}

export const flip: System = { serve, connect };
