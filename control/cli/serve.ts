// `proteus serve`: a server on this machine, in the foreground, with a kernel of its own
// and so a MAC address of its own beside the agent's.

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { capabilityHex } from "../capability/capability.js";
import { parsePort, portHex } from "../capability/port.js";
import { ECHO_BYTES_MAX } from "../interface/echo.js";
import { VICE_PIECE_BYTES } from "../interface/vice.js";
import { replaceDurably } from "../node/durable-file.js";
import { mergeBy } from "../node/fs/merge.js";
import { startVice } from "../node/fs/vice.js";
import { startKernel } from "../node/start.js";
import { EchoServer } from "../server/echo/echo.js";
import { collect, untilStopped } from "./foreground.js";
import { insistOnCellName } from "./fs/which.js";
import { emit, fail, narrate } from "./output.js";
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

const viceHelp = `
Serves the volumes in the state folder; docs/FILES.md draws what is there. Writes the server's
capability to STATE/vice.capability, for its owner only: whoever has it can make and mount volumes.
Ends with Ctrl-C or SIGTERM. Needs the right to open raw sockets.

With --cell it belongs to a cell, of which there may be several servers: who asks the network for cells hears
of it, and of the volumes that are shared (proteus fs volume share); nothing is shared by itself.

The program of --merge is for volumes with --conflicts program. It is called with four files: the
common base (empty when it is not kept any more), the server's, the client's, and the one that it has
to write; it has 10 s. Unless it ends with 0 both contents are kept.

Examples:
  proteus serve vice --state /var/lib/proteus-vice
  proteus serve vice --state /var/lib/proteus-vice --cell math
  proteus lab exec n1 -- proteus serve vice --state /tmp/vice --json`;

/** The file of a state folder with vice's capability. */
const viceCapability = "vice.capability";

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
  serve
    .command("vice")
    .description("a file server: volumes that other machines mount and cache")
    .requiredOption("--state <folder>", "folder of its volumes and secrets; it is made when it is missing")
    .option("--interface <name>", "network to serve on: eth0, serial:…, ip:…; may be repeated", collect, [])
    .option("--threads <count>", "requests taken at the same time", "16")
    .option("--cell <name>", "the cell that it belongs to: everybody on the network finds what it shares")
    .option("--merge <program>", "merges two contents of one file, for volumes that want it")
    .option("--json", "one JSON document when it listens", false)
    .addHelpText("after", viceHelp)
    .action(async ({ state, interface: interfaces, threads, cell, merge, json }) => {
      const served = parseCount(threads, threadsMax);
      if (cell !== undefined) insistOnCellName(cell);
      const stopped = untilStopped();
      mkdirSync(state, { recursive: true, mode: 0o700 });
      const running = await startKernel({
        ...{ wasm: kernelBytes(), interfaces, say: narrate, failed: stopped.fail, endHost: true },
        limits: { memoryBytes: memoryBytes + served * VICE_PIECE_BYTES * 2 },
      });
      try {
        const server = startVice({
          kernel: running.kernel,
          state,
          threads: served,
          cell,
          merge: merge === undefined ? undefined : mergeBy(resolve(merge)),
          failed: (error) => fail(error),
        });
        const file = join(state, viceCapability);
        replaceDurably(file, `${capabilityHex(server.capability())}\n`);
        const ready = { putPort: portHex(server.putPort), capability: file, pid: process.pid };
        const named = cell === undefined ? "" : `\ncell ${cell}`;
        emit("serve vice", json, { ...ready, ...(cell === undefined ? {} : { cell }) }, () => {
          return `put-port ${ready.putPort}\ncapability @${file}${named}`;
        });
        await stopped.promise;
        server.close();
        await running.finish();
      } finally {
        running.close();
      }
    });
}
