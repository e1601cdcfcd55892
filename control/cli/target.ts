// What a command is done to: a capability in full, a port, or a server of a machine in a lab or
// in a deployed pool.
//
// - 32 hex digits or PORT/OBJECT(RIGHTS)/CHECK: the capability itself. 12 hex digits: a port
//   alone, for what anyone may ask. NODE or NODE:SERVER: the capability that the machine's agent
//   gave out at its start, as the lab has written it down (--lab, PROTEUS_LAB, or the lab that
//   runs). With that somebody has all rights: it is the lab's owner who can read it.
// - Outside of a lab, or with --control, a machine is known by its control daemon, and its
//   servers by their ports: for what anyone may ask.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Capability, parseCapability, portOnly } from "../capability/capability.js";
import { parsePort } from "../capability/port.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import { nodeFolder } from "../lab/state.js";
import { requireNode } from "../lab/topology.js";
import { type Access, type Found, findAnyControl, findControl } from "./control-access.js";
import { offlineKernel } from "./package-files.js";

const readySchema = z.object({ capabilities: z.record(z.string(), z.string()) });

/** What an argument names; `server` is meant when only a node is named. */
export async function parseTarget(text: string, server: string, access: Access = {}): Promise<Capability> {
  if (/^[0-9a-fA-F]{32}$/.test(text) || text.includes("/")) return parseCapability(offlineKernel(), text);
  if (/^[0-9a-fA-F]{12}$/.test(text)) return portOnly(parsePort(text));
  const [node = "", named = server, more] = text.split(":");
  if (node === "" || more !== undefined)
    throw usageError(
      `"${text}" names nothing`,
      "give a capability of 32 hex digits, a port of 12, or NODE:SERVER",
      "TARGET_INVALID",
    );
  const pool = poolFor(access);
  return pool === null ? ofNode(node, named, access.lab) : ofPool(pool, node, named);
}

/** The daemon that knows the machine: the one that is named, or this machine's when no lab runs. */
function poolFor(access: Access): Found | null {
  if (access.control !== undefined) return findControl(access);
  if (access.lab !== undefined || process.env.PROTEUS_LAB) return null;
  if (process.env.PROTEUS_CONTROL) return findControl(access);
  return runningLabs().length > 0 ? null : findAnyControl(access);
}

async function ofPool({ client }: Found, name: string, server: string): Promise<Capability> {
  const { servers } = await client.node(name);
  const port = servers[server];
  if (port !== undefined) return portOnly(parsePort(port));
  throw serverUnknown(name, server, Object.keys(servers));
}

function ofNode(name: string, server: string, among: string | undefined): Capability {
  const lab = requireLab(among);
  const node = requireNode(lab.topology, name);
  const path = join(nodeFolder(lab.topology.name, node.name), "ready.json");
  let given: Readonly<Record<string, string>>;
  try {
    given = readySchema.parse(JSON.parse(readFileSync(path, "utf8"))).capabilities;
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
