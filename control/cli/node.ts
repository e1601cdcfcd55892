// `proteus node`: the agent of a pool machine, and how to ask it. What the agent does is
// control/node/agent.ts; here are its options, and the file that says that it is ready.

import { randomBytes } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Command } from "@commander-js/extra-typings";
import { z } from "zod";
import { portOnly } from "../capability/capability.js";
import { parsePort, portHex } from "../capability/port.js";
import { systemTable } from "../interface/system.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { Agent, agentLimits } from "../node/agent.js";
import { type RunningKernel, startKernel } from "../node/start.js";
import { stub } from "../stub/client.js";
import { collect, untilStopped } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseDuration } from "./quantity.js";

const startHelp = `
Runs in the foreground until Ctrl-C or SIGTERM. With two interfaces the machine routes
FLIP between them. Its servers (echo, sys, segment, random, time) get ports of their own at
every start; ports and capabilities with all rights are printed, and written to
PROTEUS_READY_FILE when that is set.

Examples:
  proteus node start --interface eth0
  proteus node start --interface eth0 --interface eth1 --json`;

const statusHelp = `
The status port is printed by \`node start\`.

Example:
  proteus node status --port 0f8905c8feff --interface eth0 --json`;

/** Adds `node` and its subcommands to the program. */
export function registerNode(program: Command): void {
  const node = program.command("node").description("the agent of a pool machine");
  node
    .command("start")
    .description("run this machine's agent: kernel, routing, and the servers that every machine has")
    .option("--interface <name>", "network to attach; may be repeated", collect, [])
    .option("--name <name>", "what this machine is called", process.env.PROTEUS_NODE ?? hostname())
    .option("--json", "one JSON document when it serves", false)
    .addHelpText("after", startHelp)
    .action(async ({ interface: interfaces, name, json }) => {
      const stopped = untilStopped();
      const running = await startKernel({
        wasm: kernelBytes(),
        interfaces,
        say: narrate,
        failed: stopped.fail,
        limits: agentLimits,
      });
      try {
        const failed = (error: unknown) => narrate(`a server failed: ${String(error)}`);
        const agent = new Agent(running, { name, random: randomBytes, failed });
        const ready = describe(running, agent, name);
        writeReadyFile(process.env.PROTEUS_READY_FILE, ready);
        emit("node start", json, ready, () =>
          [
            `${name} serves on ${ready.interfaces.map((i) => i.name).join(", ")}`,
            `echo put-port   ${ready.echo}`,
            `status put-port ${ready.status}`,
            ...Object.entries(ready.capabilities).map(([server, hex]) => `${server.padEnd(7)} ${hex}`),
          ].join("\n"),
        );
        await stopped.promise;
        agent.close();
        await running.finish();
      } finally {
        running.close();
      }
    });
  node
    .command("status")
    .description("ask a machine's status service")
    .requiredOption("--port <port>", "its status port")
    .option("--interface <name>", "network to ask on", collect, [])
    .option("--timeout <duration>", "how long to look for it", "5s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", statusHelp)
    .action(async ({ port, interface: interfaces, timeout, json }) => {
      const statusPort = parsePort(port);
      const locateTimeoutMs = parseDuration(timeout);
      const running = await startKernel({ wasm: kernelBytes(), interfaces, say: narrate });
      try {
        const sys = stub(running.kernel, systemTable, portOnly(statusPort), { locateTimeoutMs });
        const document = parseStatus((await sys.status()).text);
        emit("node status", json, document, () => statusText(document));
      } finally {
        await running.finish();
      }
    });
}

/** Who a machine is, and what its services are called by. */
function describe({ kernel, interfaces }: RunningKernel, agent: Agent, name: string) {
  return {
    name,
    pid: process.pid,
    address: toHex(kernel.address),
    interfaces: interfaces.map((device) => ({
      name: device.name,
      mac: toHex(device.address),
      mtu: device.mtu,
    })),
    echo: portHex(agent.echoPort),
    status: portHex(agent.statusPort),
    capabilities: agent.capabilities(),
  };
}

/** What a status service answered; another server may answer anything. */
function parseStatus(text: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  } catch (cause) {
    throw new ProteusError({
      code: "ANSWER_WRONG",
      exit: exitCodes.failed,
      message: "what answered is no status service",
      why: `it sent ${text.length} characters that do not describe a machine`,
      hint: "the status port is the one that `proteus node start` printed as status put-port",
      cause,
    });
  }
}

/** By rename, so that whoever waits for the file never reads half of it. */
function writeReadyFile(path: string | undefined, document: object): void {
  if (!path) return;
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(document)}\n`, { mode: 0o600 }); // capabilities
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new ProteusError({
      code: "READY_FILE",
      exit: exitCodes.failed,
      message: `${path} could not be written`,
      why: cause instanceof Error ? cause.message : String(cause),
      hint: "set PROTEUS_READY_FILE to a path in a folder that exists, or unset it",
      cause,
    });
  }
}

function statusText(document: Record<string, unknown>): string {
  return Object.entries(document)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join("\n");
}
