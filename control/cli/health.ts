// The health of what runs on this machine: labs with their machines and links, the machine's
// own node, and its pool. `proteus status` shows it.
//
// - An item is ok, bad or unknown; the whole is bad when one is bad, else unknown when one
//   is, or when there is nothing to judge.
// - A machine of a lab is ok when its agent answers; that its process is there is not enough.
// - What the agents say of themselves is judged together: names, versions, clocks, MTUs.
// - A control daemon of this machine, or the one that PROTEUS_CONTROL names, adds the machines
//   of its pool and what is wrong with them; of a lab's daemons it is judged whether they answer.

import { existsSync } from "node:fs";
import { nodeDocumentSchema } from "../interface/node.js";
import { judgeNodes, type NodeFault, type Seen } from "../interface/node-faults.js";
import type { PoolDaemon, PoolNode } from "../interface/pool.js";
import { ProteusError } from "../kernel/errors.js";
import { metricsOf } from "../lab/agent.js";
import { daemonNodes } from "../lab/daemons.js";
import { isUp, runningLabs } from "../lab/lab.js";
import type { LabState } from "../lab/state.js";
import { type LabStatus, type NodeStatus, statusOf } from "../lab/status.js";
import { type Listen, parseListen } from "../node/config/listen.js";
import { loadConfig } from "../node/config/load.js";
import { systemSocket } from "../node/control/places.js";
import { askPage } from "../node/metrics/client.js";
import { findControl } from "./control-access.js";

export type Health = "ok" | "bad" | "unknown";

/** One thing that is judged. */
export interface HealthItem {
  readonly state: Health;
  /** `lab demo`, `demo:n1`, `demo:n1:eth0`, `node`. */
  readonly what: string;
  /** One line for people. */
  readonly words: string;
  /** What to do when it is not ok. */
  readonly hint?: string;
}

export interface HealthReport {
  readonly state: Health;
  readonly items: readonly HealthItem[];
}

/** What a question to an agent came to: its document with the times, or why there is none. */
export type Asked = Seen | { readonly why: string };

/** The whole of several states. */
export function worst(states: readonly Health[]): Health {
  if (states.includes("bad")) return "bad";
  return states.length === 0 || states.includes("unknown") ? "unknown" : "ok";
}

/** Asks an agent who it is. Never rejects: `why` says what came instead. */
async function askAgent(listen: Listen, whom: string, timeoutMs: number): Promise<Asked> {
  const askedMs = Date.now();
  try {
    const text = await askPage(listen, "/status", { whom, timeoutMs });
    return { document: nodeDocumentSchema.parse(JSON.parse(text)), askedMs, answeredMs: Date.now() };
  } catch (error) {
    if (error instanceof ProteusError) return { why: error.why ?? error.message };
    return { why: "what it answers is no status of a node" };
  }
}

/** A machine of a lab, and its links. */
function nodeItems(lab: string, node: NodeStatus, asked: Asked | undefined): HealthItem[] {
  const what = `${lab}:${node.name}`;
  if (node.state === "down") {
    const hint = `proteus lab start ${node.name}`;
    return [{ state: "bad", what, words: node.reason ?? "down", hint }];
  }
  if (node.kind === "host") return [{ state: "ok", what, words: `host, ${node.pids.length} processes` }];
  if (asked === undefined) return [{ state: "unknown", what, words: "nobody could ask its agent" }];
  if ("why" in asked) {
    const hint = `see its log, or start it again: proteus lab kill ${node.name}, then proteus lab start ${node.name}`;
    return [{ state: "bad", what, words: `its agent does not answer: ${asked.why}`, hint }];
  }
  const { uptimeSeconds = 0, interfaces = [] } = asked.document;
  const up: HealthItem = { state: "ok", what, words: `${node.kind}, up ${uptimeSeconds} s` };
  const links = node.interfaces.map(({ name, network }): HealthItem => {
    const link = `${what}:${name}`;
    const own = interfaces.find((each) => each.name === name);
    if (own === undefined)
      return { state: "bad", what: link, words: `not attached, though it is on ${network}` };
    const { received = 0, sent = 0, receiveDropped = 0, sendDropped = 0, damaged = 0 } = own;
    const words = `${network}, mtu ${own.mtu ?? "?"}, frames in ${received}, out ${sent}`;
    const lost = receiveDropped + sendDropped + damaged;
    return { state: "ok", what: link, words: lost === 0 ? words : `${words}, lost ${lost}` };
  });
  return [up, ...links];
}

/** Judges a lab by what it shows and what its agents answered. Pure. */
export function labItems(status: LabStatus, asked: ReadonlyMap<string, Asked>): HealthItem[] {
  const machines = status.nodes.flatMap((node) => nodeItems(status.lab, node, asked.get(node.name)));
  const seen = status.nodes.flatMap((node): Seen[] => {
    const answer = asked.get(node.name);
    if (answer === undefined || "why" in answer) return [];
    const networks = Object.fromEntries(node.interfaces.map(({ name, network }) => [name, network]));
    return [{ ...answer, networks }];
  });
  const faults = judgeNodes(seen).map(
    ({ message, hint }): HealthItem => ({ state: "bad", what: `lab ${status.lab}`, words: message, hint }),
  );
  const up = status.nodes.filter(({ state }) => state === "up").length;
  const state = worst([...machines, ...faults].map((item) => item.state));
  const words = `${up} of ${status.nodes.length} nodes up, ${status.networks.length} networks, ${status.isolation}`;
  return [{ state, what: `lab ${status.lab}`, words }, ...machines, ...faults];
}

async function lookAtLab(lab: LabState, timeoutMs: number): Promise<HealthItem[]> {
  const status = statusOf(lab);
  const agents = status.nodes.filter(({ kind, state }) => kind !== "host" && state === "up");
  const asked = await Promise.all(
    agents.map(
      async ({ name }) => [name, await askAgent(metricsOf(status.lab, name), name, timeoutMs)] as const,
    ),
  );
  return labItems(status, new Map(asked));
}

/** This machine's own node; nothing when none was set up here and none answers. */
async function ownNode(timeoutMs: number): Promise<HealthItem[]> {
  let listen: Listen;
  let configured: boolean;
  try {
    const { values, files } = loadConfig();
    listen = parseListen(values["metrics.listen"]).listen;
    configured = files.length > 0;
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    const words = `its settings are wrong: ${error.message}`;
    return [{ state: "bad", what: "node", words, hint: "proteus config show" }];
  }
  if (listen.kind === "off") {
    if (!configured) return [];
    return [{ state: "unknown", what: "node", words: "metrics.listen is off: nobody can ask it" }];
  }
  const asked = await askAgent(listen, "this machine's node", timeoutMs);
  if ("why" in asked) {
    if (!configured) return [];
    const hint = "systemctl status proteus-node, or: proteus node start";
    return [
      {
        state: "bad",
        what: "node",
        words: `this machine is set up as a node, but none answers: ${asked.why}`,
        hint,
      },
    ];
  }
  const { name, uptimeSeconds = 0, interfaces = [] } = asked.document;
  const on = interfaces.map((each) => each.name).join(", ");
  return [{ state: "ok", what: "node", words: `${name} on ${on}, up ${uptimeSeconds} s` }];
}

/** Judges control daemons by what they answered. Pure. `what` begins the names of its items. */
export function controlItems(
  what: string,
  daemons: readonly PoolDaemon[],
  faults: readonly NodeFault[],
): HealthItem[] {
  const watching = daemons.find((daemon) => daemon.watching)?.name ?? "nobody";
  const names = daemons.map(({ name }) => name).join(", ");
  const words = `${daemons.length} in the group (${names}), ${watching} watches`;
  return [
    { state: watching === "nobody" ? "bad" : "ok", what, words },
    ...faults.map(({ message, hint }): HealthItem => ({ state: "bad", what, words: message, hint })),
  ];
}

function poolItem(pool: string, { name, kind, state, silentMs, status, boot }: PoolNode): HealthItem {
  const what = `${pool}:${name}`;
  const up = status?.uptimeSeconds === undefined ? "" : `, up ${Math.floor(status.uptimeSeconds)} s`;
  switch (state) {
    case "up":
      return { state: "ok", what, words: `${kind}${up}` };
    case "draining":
      return { state: "ok", what, words: `${kind}${up}, draining: takes nothing new` };
    case "down": {
      const hint = `start it, or strike it from the list: proteus node forget ${name}`;
      return { state: "unknown", what, words: "down: it was told to stop", hint };
    }
    case "booting":
      return { state: "unknown", what, words: `${kind}, boots over the network: ${boot?.step ?? "asked"}` };
    case "unreachable": {
      const since = silentMs === null ? "" : ` for ${Math.floor(silentMs / 1000)} s`;
      const hint = `look at the machine and its network; one that is gone for good: proteus node forget ${name}`;
      return { state: "bad", what, words: `it does not answer${since}`, hint };
    }
  }
}

/** Judges the machines of a deployed pool. Pure. */
export const poolItems = (pool: string, nodes: readonly PoolNode[]): HealthItem[] =>
  nodes.map((node) => poolItem(pool, node));

const silentDaemon = (what: string, error: unknown): HealthItem => {
  if (!(error instanceof ProteusError)) throw error;
  const { message, why, hint } = error;
  return {
    ...{ state: "bad", what, words: why === undefined ? message : `${message}: ${why}` },
    ...(hint === undefined ? {} : { hint }),
  };
};

/** The daemons of a lab; nothing when it has none. Machines are judged by their own answers. */
async function lookAtDaemons(lab: LabState, timeoutMs: number): Promise<HealthItem[]> {
  const { name, daemons = 0 } = lab.topology;
  const what = `${name}:control`;
  if (daemons === 0) return [];
  try {
    const { client } = findControl({ lab: name }, timeoutMs);
    const items = controlItems(what, await client.daemons(), []);
    const dead = daemonNodes(lab.topology).filter((node) => !isUp(lab, node));
    const downs = dead.map(
      (node): HealthItem => ({
        ...{ state: "bad", what: `${name}:${node.name}`, words: "down" },
        hint: `proteus lab start ${node.name}`,
      }),
    );
    return [...items, ...downs];
  } catch (error) {
    return [silentDaemon(what, error)];
  }
}

/** The pool of a daemon that is named, or of this machine's; nothing when there is none. */
async function lookAtPool(timeoutMs: number): Promise<HealthItem[]> {
  const named = process.env.PROTEUS_CONTROL || undefined;
  const control = named ?? systemSocket();
  if (named === undefined && !existsSync(control)) return [];
  try {
    const { client } = findControl({ control }, timeoutMs);
    const { pool } = await client.about();
    const [daemons, faults, nodes] = await Promise.all([client.daemons(), client.faults(), client.nodes()]);
    return [...controlItems(`pool ${pool}`, daemons, faults), ...poolItems(pool, nodes)];
  } catch (error) {
    return [silentDaemon("pool", error)];
  }
}

export interface LookOptions {
  /** Only this lab; else all that run, and this machine's node. */
  readonly lab?: string | undefined;
  readonly timeoutMs: number;
}

/** Looks at everything once. */
export async function lookAround({ lab, timeoutMs }: LookOptions): Promise<HealthReport> {
  const labs = runningLabs().filter((state) => lab === undefined || state.topology.name === lab);
  const parts = await Promise.all([
    lab === undefined ? ownNode(timeoutMs) : [],
    lab === undefined ? lookAtPool(timeoutMs) : [],
    ...labs.flatMap((state) => [lookAtLab(state, timeoutMs), lookAtDaemons(state, timeoutMs)]),
  ]);
  const items = parts.flat();
  return { state: worst(items.map(({ state }) => state)), items };
}
