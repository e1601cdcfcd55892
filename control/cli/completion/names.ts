// The names of what there is now, for completion: machines, labs, links, servers, interfaces.
//
// - Read from the state of the labs, from the system and from a control daemon's socket: nothing
//   is started. Paths of the pool are asked for through the daemon (paths.ts).
// - A source that fails or is late has no names; nobody hears of it.
// - What it reads is somebody's or a lab's file: every shape is doubted, every list is bounded.

import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { interfacesOf } from "../../lab/plan.js";
import { nodeFolder, runningLabs } from "../../lab/state.js";
import type { LabNode, Topology } from "../../lab/topology.js";
import { parseEndpoints, systemSocket } from "../../node/control/places.js";
import { disks } from "./disks.js";
import { paths } from "./paths.js";
import type { Candidate } from "./question.js";
import type { Kind } from "./values.js";

/** Who knows names of a kind; it is told when nobody waits any more, and what the names must begin with. */
export type Source = (
  kind: Kind,
  abort: AbortSignal,
  typed: string,
) => readonly Candidate[] | Promise<readonly Candidate[]>;

const namesMost = 1000;

const nodes = ({ name, nodes: all }: Topology): Candidate[] =>
  all.map((node) => ({ value: node.name, about: `${node.kind} of lab ${name}` }));

const links = (topology: Topology, node: LabNode): Candidate[] =>
  node.networks.map((network) => ({
    value: `${node.name}:${network}`,
    about: `link of lab ${topology.name}`,
  }));

const taps = (topology: Topology, node: LabNode): Candidate[] =>
  interfacesOf(topology, node).map(({ name, network }) => ({
    value: `${node.name}:${name}`,
    about: `on ${network}`,
  }));

/** The servers whose capabilities a machine's agent has given out. */
function objects({ name }: Topology, node: LabNode): Candidate[] {
  try {
    const ready: unknown = JSON.parse(readFileSync(join(nodeFolder(name, node.name), "ready.json"), "utf8"));
    const { capabilities } = ready as { readonly capabilities?: unknown };
    return Object.keys(capabilities ?? {}).map((server) => ({
      value: `${node.name}:${server}`,
      about: `server of lab ${name}`,
    }));
  } catch {
    return []; // a host, or a machine that is off
  }
}

/** Of a lab: its machines, and what is written behind a colon. */
function ofLab(kind: Kind, topology: Topology): Candidate[] {
  const each = (what: (topology: Topology, node: LabNode) => Candidate[]): Candidate[] =>
    topology.nodes.flatMap((node) => what(topology, node));
  switch (kind) {
    case "lab":
      return [{ value: topology.name, about: `lab of ${topology.nodes.length} machines` }];
    case "node":
      return nodes(topology);
    case "tap":
      return [...nodes(topology), ...each(taps)];
    case "link":
      return [...nodes(topology), ...each(links)];
    case "object":
      return [...nodes(topology), ...each(objects)];
    case "interface":
    case "path":
    case "disk":
    case "member":
      return [];
  }
}

/** What runs on this computer. */
const labs: Source = (kind) => runningLabs().flatMap(({ topology }) => ofLab(kind, topology));

const hub = "PROTEUS_HUB_";

/** The interfaces that --interface may name: a lab's in memory, else the system's. */
const interfaces: Source = (kind) => {
  if (kind !== "interface") return [];
  const ofHub = Object.keys(process.env).filter((name) => name.startsWith(hub));
  if (ofHub.length > 0)
    return ofHub.map((name) => ({ value: name.slice(hub.length), about: "lab in memory" }));
  return readdirSync("/sys/class/net").map((value) => ({ value, about: "interface" }));
};

const answerBytesMax = 4 * 1024 * 1024;

/** The machines that the daemon at a socket knows. */
function poolAt(socketPath: string, signal: AbortSignal): Promise<readonly { name: string; kind: string }[]> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: "/v1/nodes", agent: false, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
        if (text.length > answerBytesMax) response.destroy();
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve((JSON.parse(text) as { nodes: { name: string; kind: string }[] }).nodes);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
    asking.on("error", reject);
    asking.end();
  });
}

/** The machines of a deployed pool: of the first daemon on this computer that is named, or the system's. */
const pool: Source = async (kind, signal) => {
  if (kind !== "node" && kind !== "object") return [];
  const named = process.env.PROTEUS_CONTROL;
  if (!named && runningLabs().length > 0) return []; // the lab's daemons know its machines, which are here already
  const places = named ? parseEndpoints(named) : [{ kind: "unix" as const, path: systemSocket() }];
  const local = places.find((place) => place.kind === "unix");
  if (local === undefined) return [];
  const found = await poolAt(local.path, signal);
  return found
    .filter(({ name }) => typeof name === "string" && /^[\w.#-]+$/.test(name))
    .map(({ name, kind: what }) => ({ value: name, about: `${what}, as a control daemon knows it` }));
};

/** Everybody who knows names. Whoever else does is added here, and nowhere else. */
export const sources: readonly Source[] = [labs, interfaces, pool, paths, disks];

/** The names of a kind that are known within so many milliseconds, in order, each once. */
export async function namesOf(
  kind: Kind,
  milliseconds: number,
  from: readonly Source[] = sources,
  typed = "",
): Promise<readonly Candidate[]> {
  const abort = new AbortController();
  const late = new Promise<readonly Candidate[]>((resolve) => {
    abort.signal.addEventListener("abort", () => resolve([]), { once: true });
  });
  const timer = setTimeout(() => abort.abort(), milliseconds);
  const asked = from.map(async (source) => source(kind, abort.signal, typed));
  const found = await Promise.all(asked.map((names) => Promise.race([names, late]).catch(() => [])));
  clearTimeout(timer);
  abort.abort();
  const once = new Map(found.flat().map((candidate) => [candidate.value, candidate]));
  return [...once.values()].slice(0, namesMost);
}
