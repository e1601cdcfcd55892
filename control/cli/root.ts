// Where paths begin: the directory that a person calls the root.
//
// - --root, else PROTEUS_ROOT: what target.ts takes (a capability, @FILE, NODE:SERVER), several
//   with commas for the same directory on different servers. Else the lab that is named with
//   --lab. Else the private file `root` in proteus/ of the config folder, one capability a line.
//   Else the lab that runs.
// - The private file must be its owner's alone: whoever reads it has the rights that are in it.

import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Capability, capabilityHex, parseCapability } from "../capability/capability.js";
import { type CapabilitySet, MEMBERS_MAX, setOf } from "../capability/set.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import type { Access } from "./control-access.js";
import { offlineKernel } from "./package-files.js";
import { givenInLab, parseTarget } from "./target.js";

export interface RootOptions extends Access {
  readonly root?: string | undefined;
}

/** For the help of commands that take paths. */
export const rootHelp = `
Paths begin at a root directory: --root or PROTEUS_ROOT (its capability, @FILE or NODE:directory; several
with commas), else that of the lab that is named, else the one in the private file ~/.config/proteus/root,
else that of the lab that runs.`;

const fileBytesMax = 4096;
const otherPeople = 0o077;

/** The private file with the root's capabilities. */
export function rootFile(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CONFIG_HOME || join(homedir(), ".config"), "proteus", "root");
}

/** The root as a person has it. Throws ROOT_NONE, ROOT_FILE, and what parseTarget throws. */
export async function findRoot(options: RootOptions): Promise<CapabilitySet> {
  const named = options.root ?? (process.env.PROTEUS_ROOT || undefined);
  if (named !== undefined) return setFrom(await several(named, options), "--root");
  const lab = options.lab !== undefined || process.env.PROTEUS_LAB ? ofLab(options) : null;
  if (lab !== null) return lab;
  const own = ofFile(rootFile());
  if (own !== null) return setFrom(own, rootFile());
  const running = runningLabs().length > 0 ? ofLab(options) : null;
  if (running !== null) return running;
  throw new ProteusError({
    code: "ROOT_NONE",
    exit: exitCodes.notFound,
    message: "it is not known where paths begin",
    why: `no --root, no PROTEUS_ROOT, no file ${rootFile()}, and no lab with a directory server`,
    unchanged: "nothing was asked",
    hint: "proteus capability give NODE:directory -o FILE makes such a file: --root @FILE",
  });
}

async function several(text: string, access: Access): Promise<readonly Capability[]> {
  const all: Capability[] = [];
  if (text.split(",").some((each) => each.trim().startsWith("/")))
    throw usageError(
      "the root cannot be a path",
      "paths begin there: name it by its capability, @FILE or NODE:directory",
      "CAPABILITY_INVALID",
    );
  for (const each of text.split(",")) all.push(await parseTarget(each.trim(), "directory", access));
  return all;
}

function setFrom(capabilities: readonly Capability[], where: string): CapabilitySet {
  const once = new Map(capabilities.map((each) => [capabilityHex(each), each]));
  if (once.size >= 1 && once.size <= MEMBERS_MAX) return setOf(...once.values());
  throw usageError(
    `${where} has ${once.size} capabilities`,
    `the root has 1 to ${MEMBERS_MAX}: one for each directory server`,
    "CAPABILITY_INVALID",
  );
}

/** The directory that the machines of a lab gave out; null when none has a directory server. */
function ofLab({ lab }: Access): CapabilitySet | null {
  const given = givenInLab(requireLab(lab), "directory").map(({ capability }) => capability);
  return given.length === 0 ? null : setFrom(given.slice(0, MEMBERS_MAX), "the lab");
}

function ofFile(path: string): readonly Capability[] | null {
  let mode: number;
  let text: string;
  try {
    const stats = statSync(path);
    mode = stats.mode;
    text = stats.size > fileBytesMax ? "" : readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw refused(path, (error as Error).message, "let its owner read it, or name another: --root @FILE");
  }
  if ((mode & otherPeople) !== 0)
    throw refused(path, "others may read or change it", `make it yours alone: chmod 600 ${path}`);
  const lines = text.split("\n").map((line) => line.trim());
  try {
    return lines.filter((line) => line !== "").map((line) => parseCapability(offlineKernel(), line));
  } catch {
    throw refused(path, "a line is no capability", "write one capability a line, of 32 hex digits");
  }
}

function refused(path: string, why: string, hint: string): ProteusError {
  return new ProteusError({
    code: "ROOT_FILE",
    exit: exitCodes.failed,
    ...{ message: `the root cannot be taken from ${path}`, why, unchanged: "nothing was asked", hint },
  });
}
