// Our own system: the echo server and a client on raw Ethernet, as any program has them.
//
// - The client calls Kernel.trans with buffers of its own, the server is EchoServer: the
//   same calls that `proteus call` and `proteus serve echo` make, in other processes.
// - `flip-explicit-ack` is the same without the implicit acknowledgement, on both sides:
//   a third frame a call, as the original sends it.
// - Each run has new kernels: a packet socket that is only open would cost TCP as well.

import { readFileSync } from "node:fs";
import { EXTENSION_IMPLICIT_ACK, EXTENSIONS_ALL } from "../../../core-wasm/limits.js";
import { HEADER, HEADER_COMMAND_AT } from "../../../core-wasm/wire/formats.js";
import { parsePort, portHex } from "../../capability/port.js";
import { ECHO, ECHO_SINK } from "../../interface/echo.js";
import { writeHeader } from "../../kernel/calls.js";
import { statusError } from "../../kernel/errors.js";
import { type RunningKernel, startKernel } from "../../node/start.js";
import { EchoServer } from "../../server/echo/echo.js";
import { timeCalls } from "../clock.js";
import { callBytes, type Run } from "../types.js";
import { callsMin, type Facts, type Job, type Serving, type System } from "./system.js";

const getPort = "bench";

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
  const server = new EchoServer(running.kernel, parsePort(getPort), { threads: 2 });
  const stop = async () => {
    await running.finish();
    server.close();
  };
  return { facts: { port: portHex(server.putPort) }, stop };
}

async function measure(job: Job, { port = "" }: Facts): Promise<Run> {
  const running = await start(job);
  const { kernel } = running;
  const bytes = job.test === "call-1m" ? callBytes : 0;
  const header = kernel.buffers.take(2 * HEADER);
  const replyHeader = header + HEADER;
  const data = kernel.buffers.take(bytes);
  for (let i = 0; i < bytes; i++) kernel.bytes[data + i] = (i * 7 + (i >> 8)) & 0xff;
  const command = bytes > 0 ? ECHO_SINK : ECHO;
  writeHeader(kernel, header, { port: parsePort(port), command, size: bytes & 0xffff });
  let done: (fault?: unknown) => void = () => undefined;
  const ended = (status: number) => {
    if (status < 0) done(statusError(status, "a call failed"));
    else if (kernel.view.getInt16(replyHeader + HEADER_COMMAND_AT, true) !== 0)
      done(new Error("the echo server refused a call"));
    else done();
  };
  const begin = () => {
    const handle = kernel.trans(header, data, bytes, replyHeader, 0, 0, 0, ended);
    if (handle < 0) done(statusError(handle, "a call could not begin"));
  };
  try {
    return await timeCalls(
      (whenDone) => {
        done = whenDone;
        begin();
      },
      { milliseconds: job.milliseconds, callsMin: callsMin[job.test], bytes },
    );
  } finally {
    await running.finish();
  }
}

export const flip: System = { serve, measure };
