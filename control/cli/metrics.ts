// `proteus metrics [NODE]`: what a node counts, in Prometheus' text format, or as JSON.
//
// - Without a name: this machine's node, where its settings say that it serves; inside of a
//   lab's node, that one.
// - With a name: a node of the lab that runs, or a deployed machine, where this program is asked
//   through ssh.

import type { Command } from "@commander-js/extra-typings";
import { ProteusError } from "../kernel/errors.js";
import { metricsOf } from "../lab/agent.js";
import { tags } from "../lab/exec.js";
import { requireLab } from "../lab/lab.js";
import { requireNode } from "../lab/topology.js";
import { findMachine } from "../machine/find.js";
import { type Listen, parseListen } from "../node/config/listen.js";
import { loadConfig } from "../node/config/load.js";
import { askPage } from "../node/metrics/client.js";
import { narrate } from "./output.js";
import { parseDuration } from "./quantity.js";

/** How long ssh may take to get there. */
const sshMs = 15_000;

const help = `
The node serves them on the loopback interface of its machine (metrics.listen), where
Prometheus asks: http://127.0.0.1:9532/metrics.

Examples:
  proteus metrics
  proteus metrics n1 | grep dropped
  proteus metrics ssh:root@h1
  proteus metrics --address unix:/run/node.sock --json`;

export interface Whom {
  readonly whom: string;
  readonly listen: Listen;
}

/** A node of the lab by its name, or this machine's. */
export function findNode(name: string | undefined, lab: string | undefined): Whom {
  const inside = process.env[tags.node];
  const own = name ?? (process.env[tags.id] === undefined ? undefined : inside);
  if (own === undefined) {
    const { listen } = parseListen(loadConfig().values["metrics.listen"]);
    return { whom: "this machine's node", listen };
  }
  const { topology } = requireLab(lab);
  const node = requireNode(topology, own);
  if (node.kind === "host")
    throw new ProteusError({
      code: "NODE_NO_AGENT",
      exit: 3,
      message: `${own} is a host: nothing of Proteus runs there by itself`,
      hint: "proteus lab status shows which nodes are pool machines and routers",
    });
  return { whom: own, listen: metricsOf(topology.name, own) };
}

/** --address: anything that metrics.listen may be. */
function atAddress(text: string): Whom {
  const { listen, fault } = parseListen(text);
  if (fault !== undefined)
    throw new ProteusError({
      code: "ADDRESS_INVALID",
      exit: 2,
      message: `"${text}" is no address of metrics`,
      why: fault,
      hint: "give what the node's metrics.listen says: 127.0.0.1:9532 or unix:/PATH",
    });
  return { whom: "the node", listen };
}

/** A line of the text format: name, labels, value. */
const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of our own metrics text as documents. */
export function samplesOf(text: string): object[] {
  return text.split("\n").flatMap((line) => {
    const match = line.startsWith("#") ? null : sample.exec(line);
    if (match === null) return [];
    const [, name = "", inner = "", value = ""] = match;
    const labels = [...inner.matchAll(label)].map(([, key = "", words = ""]) => [
      key,
      words.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)),
    ]);
    const number = Number(value.replace("Inf", "Infinity"));
    return [{ name, labels: Object.fromEntries(labels), value: Number.isFinite(number) ? number : value }];
  });
}

interface Where {
  readonly lab: string | undefined;
  readonly address: string | undefined;
  readonly timeout: string;
}

/** The text, and whose it is. */
async function textOf(name: string | undefined, { lab, address, timeout }: Where) {
  const machine = name === undefined ? undefined : await findMachine(name, { lab });
  const timeoutMs = parseDuration(timeout);
  if (machine?.kind === "ssh") {
    const where = address === undefined ? [] : ["--address", address];
    const words = ["metrics", "--timeout", timeout, ...where];
    return { whom: machine.name, text: await machine.remote.ask(words, timeoutMs + sshMs) };
  }
  const own = machine?.kind === "node" ? machine.name : undefined;
  const { whom, listen } = address === undefined ? findNode(own, lab) : atAddress(address);
  return { whom, text: await askPage(listen, "/metrics", { whom, timeoutMs }) };
}

/** Adds `metrics` to the program. */
export function registerMetrics(program: Command): void {
  program
    .command("metrics")
    .description("what a node counts, as Prometheus reads it")
    .argument("[node]", "a node of the lab, ssh:HOST or local (default: this machine's)")
    .option("--lab <name>", "which lab, when several are running")
    .option("--address <address>", "where to ask instead: HOST:PORT or unix:/PATH")
    .option("--timeout <duration>", "how long it may take to answer", "5s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", help)
    .action(async (name, { lab, address, timeout, json }) => {
      const { whom, text } = await textOf(name, { lab, address, timeout });
      if (!json) process.stdout.write(text);
      else process.stdout.write(`${JSON.stringify({ schema: 1, samples: samplesOf(text) })}\n`);
      if (text === "") narrate(`metrics: ${whom} counts nothing`);
    });
}
