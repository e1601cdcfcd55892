// A call without work: the echo server gives back so many bytes. What FLIP and RPC cost alone,
// called as the clients of the other servers call.

import { readFileSync } from "node:fs";
import { parsePort, portHex } from "../../../capability/port.js";
import { ECHO, ECHO_BYTES_MAX, ECHO_SOURCE } from "../../../interface/echo.js";
import { trans } from "../../../kernel/calls.js";
import { startKernel } from "../../../node/start.js";
import { EchoServer } from "../../../server/echo/echo.js";
import { beginOf, type FileJob, type FileSystemUnderTest } from "../system.js";

const getPort = "bench";

/** A kernel of this process on its machine's interface. */
export const kernelOf = ({ wasm, interfaceName }: FileJob) =>
  startKernel({
    wasm: readFileSync(wasm),
    interfaces: [interfaceName],
    say: (line) => process.stderr.write(`${line}\n`),
  });

export const echo: FileSystemUnderTest = {
  async serve(job) {
    const running = await kernelOf(job);
    const server = new EchoServer(running.kernel, parsePort(getPort), {
      threads: job.clients + 1,
      requestBytesMax: Math.min(ECHO_BYTES_MAX, Math.max(64, job.bytes)),
    });
    const stop = async () => {
      await running.finish();
      server.close();
    };
    return { facts: { port: portHex(server.putPort) }, stop };
  },
  async connect(job, { port = "" }) {
    const { bytes, clients } = job;
    const running = await kernelOf(job);
    const header = { port: parsePort(port), command: bytes > 0 ? ECHO_SOURCE : ECHO, offset: bytes };
    const call = async (): Promise<void> => {
      const { data } = await trans(running.kernel, header, undefined, { replyBytesMax: bytes });
      if (data.length !== bytes) throw new Error(`a reply had ${data.length} bytes instead of ${bytes}`);
    };
    return {
      begins: Array.from({ length: clients }, () => beginOf(call)),
      close: () => running.finish(),
    };
  },
};
