// `proteus serve`: a server on this machine, in the foreground, with a kernel of its own
// and so a MAC address of its own beside the agent's.

import type { Command } from "@commander-js/extra-typings";
import { parsePort, portHex } from "../capability/port.js";
import { ECHO_BYTES_MAX } from "../interface/echo.js";
import { startKernel } from "../node/start.js";
import { EchoServer } from "../server/echo/echo.js";
import { collect, untilStopped } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseCount } from "./quantity.js";

const threadsMax = 64;
/** Tables and rings; every thread has a request's buffer besides. */
const memoryBytes = 64 * 1024 * 1024;

const echoHelp = `
Prints the get-port and the put-port once it listens, and how many calls it has executed
when it ends (Ctrl-C or SIGTERM). Needs the right to open raw sockets.

Examples:
  proteus serve echo --port abcdef
  proteus lab exec n1 -- proteus serve echo --port abcdef --json`;

/** Adds `serve` and its servers to the program. */
export function registerServe(program: Command): void {
  const serve = program.command("serve").description("run a server on this machine");
  serve
    .command("echo")
    .description("the server of the performance test: sends back what it gets")
    .requiredOption("--port <port>", "get-port: up to 6 characters, or 12 hex digits")
    .option("--interface <name>", "network to serve on: eth0, serial:…, ip:…; may be repeated", collect, [])
    .option("--threads <count>", "requests taken at the same time", "8")
    .option("--json", "one JSON document when it listens, one when it ends", false)
    .addHelpText("after", echoHelp)
    .action(async ({ port, interface: interfaces, threads, json }) => {
      const getPort = parsePort(port);
      const served = parseCount(threads, threadsMax);
      const stopped = untilStopped();
      const running = await startKernel({
        wasm: kernelBytes(),
        interfaces,
        say: narrate,
        failed: stopped.fail,
        limits: { memoryBytes: memoryBytes + served * ECHO_BYTES_MAX },
      });
      try {
        const server = new EchoServer(running.kernel, getPort, { threads: served });
        const ports = { getPort: portHex(getPort), putPort: portHex(server.putPort) };
        emit("serve echo", json, ports, () => `get-port ${ports.getPort}\nput-port ${ports.putPort}`);
        await stopped.promise;
        server.close();
        await running.finish();
        const { executions } = server;
        emit("serve echo", json, { executions }, () => `executions ${executions}`);
      } finally {
        running.close();
      }
    });
}
