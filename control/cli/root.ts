// The capability that paths begin at: the root of the pool, or whatever directory a person was given.
//
// - In this order: --root, PROTEUS_ROOT, a private file of this user (proteus/root below
//   XDG_CONFIG_HOME or ~/.config), the root of the lab that runs. With --lab or PROTEUS_LAB the file
//   is passed over. Several capabilities of one set are joined by commas.
// - With the root's capability somebody has everything below it: a file that others may read is an
//   error, and nothing prints it but the command that is asked to.

import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parseCapability } from "../capability/capability.js";
import { type CapabilitySet, MEMBERS_MAX, setOf } from "../capability/set.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { directoryNodes } from "../lab/directory.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import { nodeFolder } from "../lab/state.js";
import type { Access } from "./control-access.js";
import { offlineKernel } from "./package-files.js";
import { readySchema } from "./target.js";

export interface RootOptions extends Access {
  /** As --root has it. */
  readonly root?: string | undefined;
}

/** For the help of commands that take paths. */
export const rootHelp = `
Paths begin at a root directory: --root or PROTEUS_ROOT (its capability; several with commas), else
the one in the private file ~/.config/proteus/root, else that of the lab that runs.`;

/** Where a person keeps the root's capability. */
export const rootFile = (environment: NodeJS.ProcessEnv = process.env): string =>
  join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "proteus", "root");

/** The root that paths begin at. Throws ROOT_NONE, ROOT_FILE, CAPABILITY_INVALID, LAB_*. */
export function findRoot(options: RootOptions, environment: NodeJS.ProcessEnv = process.env): CapabilitySet {
  const given = options.root ?? (environment.PROTEUS_ROOT || undefined);
  if (given !== undefined) return parseSet(given);
  const isNamed = options.lab !== undefined || (environment.PROTEUS_LAB ?? "") !== "";
  const kept = isNamed ? undefined : readRootFile(rootFile(environment));
  if (kept !== undefined) return parseSet(kept);
  if (isNamed || runningLabs().length > 0) return ofLab(options.lab);
  throw noRoot("no root was given, and no lab is running");
}

/** A set as text: capabilities joined by commas. */
function parseSet(text: string): CapabilitySet {
  const parts = text.split(",").map((each) => each.trim());
  if (parts.length > MEMBERS_MAX)
    throw usageError("a root has too many capabilities", `give at most ${MEMBERS_MAX}`, "CAPABILITY_INVALID");
  return setOf(...parts.map((each) => parseCapability(offlineKernel(), each)));
}

function rootFileFault(path: string, why: string, hint: string, cause?: unknown): ProteusError {
  return new ProteusError({
    ...{ code: "ROOT_FILE", exit: exitCodes.denied, why, hint, cause },
    message: `the root in ${path} is not used`,
    unchanged: "nothing was called",
  });
}

function readRootFile(path: string): string | undefined {
  try {
    if ((statSync(path).mode & 0o077) !== 0)
      throw rootFileFault(
        path,
        "others may read the file: what is in it is no secret any more",
        `when nobody has read it: chmod 600 ${path}; else revoke that capability`,
      );
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof ProteusError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw rootFileFault(path, message, "give the root another way: --root, or PROTEUS_ROOT", error);
  }
}

function ofLab(named: string | undefined): CapabilitySet {
  const { topology } = requireLab(named);
  for (const node of directoryNodes(topology)) {
    try {
      const text = readFileSync(join(nodeFolder(topology.name, node), "ready.json"), "utf8");
      const { directory } = readySchema.parse(JSON.parse(text)).capabilities;
      if (directory !== undefined) return parseSet(directory);
    } catch (error) {
      if (error instanceof ProteusError) throw error; // else it has not started: another one may have
    }
  }
  throw noRoot(`no machine of lab ${topology.name} has a directory server that was started`);
}

function noRoot(why: string): ProteusError {
  return new ProteusError({
    code: "ROOT_NONE",
    exit: exitCodes.notFound,
    message: "there is no root that paths could begin at",
    why,
    unchanged: "nothing was called",
    hint: `give --root CAPABILITY, or write it into ${rootFile()}; a lab has one when a node has directory: true`,
  });
}
