// What a command is done to: a capability in full, a port, or a server of a machine in a lab or
// in a deployed pool. resolveTarget is the one place where a text becomes a capability.
//
// - 32 hex digits or PORT/OBJECT(RIGHTS)/CHECK: the capability itself; @FILE: a file that holds
//   one. 12 hex digits: a port alone, for what anyone may ask. NODE or NODE:SERVER: the capability
//   that the machine's agent gave out, as the lab has written it down (--lab, PROTEUS_LAB, or the
//   lab that runs). With that somebody has all rights: it is the lab's owner who can read it.
//   A path from the root: what has that name, with the rights that the name gives.
// - Outside of a lab, or with --control, a machine is known by its control daemon, and its
//   servers by their ports: for what anyone may ask.
// - serverAt says whose port it is, as far as lab and daemon know.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Capability, parseCapability, portOnly } from "../capability/capability.js";
import { parsePort, portHex } from "../capability/port.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import { type LabState, nodeFolder } from "../lab/state.js";
import { requireNode } from "../lab/topology.js";
import { type Access, type Found, findAnyControl, findControl } from "./control-access.js";
import { offlineKernel } from "./package-files.js";

export const readySchema = z.object({ capabilities: z.record(z.string(), z.string()) });
const fileBytesMax = 4096;

/** A server of a machine, by name. */
export interface NamedServer {
  readonly node: string;
  readonly server: string;
}

/** With where paths begin (root.ts). */
export interface TargetAccess extends Access {
  readonly root?: string | undefined;
}

export interface Target {
  readonly capability: Capability;
  /** When the text named it. */
  readonly named?: NamedServer;
}

/** What an argument names; `server` is meant when only a node is named. */
export async function resolveTarget(
  text: string,
  server: string,
  access: TargetAccess = {},
): Promise<Target> {
  if (text.startsWith("@")) return { capability: ofFile(text.slice(1)) };
  if (text.startsWith("/")) {
    const { lookUp } = await import("./files/session.js"); // only paths need all of that
    return { capability: await lookUp(text, access) };
  }
  if (/^[0-9a-fA-F]{32}$/.test(text) || text.includes("/"))
    return { capability: parseCapability(offlineKernel(), text) };
  if (/^[0-9a-fA-F]{12}$/.test(text)) return { capability: portOnly(parsePort(text)) };
  const named = parseNamed(text, server);
  const pool = poolFor(access);
  const capability = await (pool === null ? ofNode(named, access.lab) : ofPool(pool, named));
  return { capability, named };
}

/** The capability that an argument names. */
export async function parseTarget(
  text: string,
  server: string,
  access: TargetAccess = {},
): Promise<Capability> {
  return (await resolveTarget(text, server, access)).capability;
}

/** NODE:SERVER, or NODE with the server that is meant then. */
export function parseNamed(text: string, otherwise?: string): NamedServer {
  const [node = "", server = otherwise, more] = text.split(":");
  if (node !== "" && server !== undefined && server !== "" && more === undefined) return { node, server };
  throw usageError(
    `"${text}" names nothing`,
    "give a path from /, a capability of 32 hex digits, @FILE with one, a port of 12 digits, or NODE:SERVER",
    "TARGET_INVALID",
  );
}

/** The capability in a file; what it holds is not repeated in an error. */
function ofFile(path: string): Capability {
  const text = statSync(path).size > fileBytesMax ? "" : readFileSync(path, "utf8").trim();
  try {
    return parseCapability(offlineKernel(), text);
  } catch (cause) {
    throw new ProteusError({
      code: "CAPABILITY_INVALID",
      exit: exitCodes.usage,
      message: `${path} holds no capability`,
      why: "it is one line: 32 hex digits, or PORT/OBJECT(RIGHTS)/CHECK",
      unchanged: "nothing was asked",
      hint: `proteus capability give CAPABILITY -o ${path} writes such a file`,
      cause,
    });
  }
}

/** The daemon that knows the machine: the one that is named, or this machine's when no lab runs. */
function poolFor(access: Access): Found | null {
  if (access.control !== undefined) return findControl(access);
  if (access.lab !== undefined || process.env.PROTEUS_LAB) return null;
  if (process.env.PROTEUS_CONTROL) return findControl(access);
  return runningLabs().length > 0 ? null : findAnyControl(access);
}

async function ofPool({ client }: Found, { node, server }: NamedServer): Promise<Capability> {
  const { servers } = await client.node(node);
  const port = servers[server];
  if (port !== undefined) return portOnly(parsePort(port));
  throw serverUnknown(node, server, Object.keys(servers));
}

/** The capabilities that the agent of a lab's machine gave out; throws when it gave out none. */
const givenBy = (lab: string, node: string): Readonly<Record<string, string>> =>
  readySchema.parse(JSON.parse(readFileSync(join(nodeFolder(lab, node), "ready.json"), "utf8"))).capabilities;

/** What the machines of a lab gave out for a server, in their order; not of those that are off. */
export function givenInLab(
  { topology }: LabState,
  server: string,
): readonly { readonly node: string; readonly capability: Capability }[] {
  return topology.nodes.flatMap(({ name: node }) => {
    try {
      const hex = givenBy(topology.name, node)[server];
      return hex === undefined ? [] : [{ node, capability: parseCapability(offlineKernel(), hex) }];
    } catch {
      return []; // a host, or a machine that is off
    }
  });
}

function ofNode({ node: name, server }: NamedServer, among: string | undefined): Capability {
  const lab = requireLab(among);
  const node = requireNode(lab.topology, name);
  let given: Readonly<Record<string, string>>;
  try {
    given = givenBy(lab.topology.name, node.name);
  } catch (cause) {
    throw new ProteusError({
      code: "NODE_SILENT",
      exit: exitCodes.unreachable,
      message: `${name} has given out no capabilities`,
      why: node.kind === "host" ? "a host has no agent" : "its agent does not serve",
      hint: `proteus lab status shows it, proteus lab start ${name} boots it`,
      cause,
    });
  }
  const hex = given[server];
  if (hex !== undefined) return parseCapability(offlineKernel(), hex);
  throw serverUnknown(name, server, Object.keys(given));
}

function serverUnknown(name: string, server: string, known: readonly string[]): ProteusError {
  return new ProteusError({
    code: "SERVER_UNKNOWN",
    exit: exitCodes.notFound,
    message: `${name} has no server ${server}`,
    why: `it has ${known.join(", ")}`,
    hint: `name one: ${name}:SERVER`,
  });
}

/** Whose port it is, as far as the lab or the control daemon knows; null when nobody does. */
export async function serverAt(port: Uint8Array, access: Access = {}): Promise<NamedServer | null> {
  const hex = portHex(port);
  try {
    const pool = poolFor(access);
    if (pool === null) return serverInLab(hex, access.lab);
    for (const { name, servers } of await pool.client.nodes())
      for (const [server, own] of Object.entries(servers)) if (own === hex) return { node: name, server };
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error; // without lab and daemon it stays nameless
  }
  return null;
}

function serverInLab(port: string, among: string | undefined): NamedServer | null {
  const { topology } = requireLab(among);
  for (const { name } of topology.nodes) {
    let given: Readonly<Record<string, string>> = {};
    try {
      given = givenBy(topology.name, name);
    } catch {
      // A machine that is off, or a host.
    }
    for (const [server, hex] of Object.entries(given))
      if (hex.startsWith(port)) return { node: name, server };
  }
  return null;
}
