// Names of the pool for completion: what stands in the directory that a path has come to.
//
// - Asked through a control daemon on this computer, with the root that a command without options
//   would take: PROTEUS_ROOT, the private file, the lab that runs. Without a daemon, or with a root
//   that is not plain hex, there are none: no kernel is started for a Tab.
// - Names that a shell would have to quote are left out.

import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Capability } from "../../capability/capability.js";
import { setOf } from "../../capability/set.js";
import type { LabState } from "../../lab/state.js";
import { call, capabilitiesIn, givenOut, labMeant, socketOf, through } from "./daemon-calls.js";
import type { Source } from "./names.js";

const capabilitiesMost = 8;
const plainName = /^[\p{L}\p{N}._+,:@%=-]+$/u;

const ofLabs = (lab: LabState): Capability[] =>
  givenOut(lab, "directory").map(({ capability }) => capability);

/** The private file, if it is its owner's alone. */
function ofFile(): Capability[] {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config");
  const path = join(config, "proteus", "root");
  if (!existsSync(path) || (statSync(path).mode & 0o077) !== 0) return [];
  return capabilitiesIn(readFileSync(path, "utf8"));
}

function rootOf(lab: LabState | undefined): Capability[] {
  const named = process.env.PROTEUS_ROOT;
  if (named) return capabilitiesIn(named);
  if (process.env.PROTEUS_LAB && lab !== undefined) return ofLabs(lab);
  const own = ofFile();
  return own.length > 0 || lab === undefined ? own : ofLabs(lab);
}

/** What stands beside the last component of a path; directories end with a slash. */
export const paths: Source = async (kind, signal, typed) => {
  if (kind !== "path") return [];
  const lab = labMeant();
  const [root, socket] = [rootOf(lab).slice(0, capabilitiesMost), socketOf(lab)];
  if (root.length === 0 || socket === undefined) return [];
  const { Directories } = await import("../../stub/directories.js");
  const names = new Directories(through(socket, signal), setOf(...root), { call });
  const before = typed.slice(0, typed.lastIndexOf("/") + 1);
  const rows = await names.entries(before || "/");
  return rows
    .filter(({ name }) => plainName.test(name))
    .map(({ name, set }) => {
      const isDirectory = set !== undefined && names.isDirectory(set);
      return {
        value: `${before}${name}${isDirectory ? "/" : ""}`,
        about: isDirectory ? "directory" : "file",
      };
    });
};
