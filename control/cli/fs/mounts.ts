// The mounts of this machine: a file for each, with its socket beside it, written by its program.
//
// - Beside the folder of labs, readable by its user only. A file whose program is gone counts as none.

import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { processOf } from "../../lab/processes.js";
import { stateRoot } from "../../lab/state.js";
import { programSchema, programsHere, writeProgram } from "../programs-here.js";

const schema = z.object({
  schema: z.literal(1),
  target: z.string(),
  volume: z.string(),
  cache: z.string(),
  /** It is the root of mounted cells; volumes below have programs of their own. */
  isRoot: z.boolean().optional(),
  process: programSchema,
});
export type MountState = z.infer<typeof schema>;

const folder = (): string => `${stateRoot()}-fs-mounts`;
const nameOf = (target: string): string => createHash("sha256").update(target).digest("hex").slice(0, 16);

/** The path of a mount point as it is known by. */
export const targetOf = (path: string): string => resolve(path);
export const socketOf = (target: string): string => join(folder(), `${nameOf(target)}.sock`);

export function writeMount(facts: Omit<MountState, "schema" | "process">): void {
  const own = processOf(process.pid);
  if (own === null) throw new Error("this program is not there");
  writeProgram(join(folder(), `${nameOf(facts.target)}.json`), {
    ...{ schema: 1, ...facts, process: own },
  } satisfies MountState);
}

export function removeMount(target: string): void {
  for (const end of ["json", "sock", "capability"])
    rmSync(join(folder(), `${nameOf(target)}.${end}`), { force: true });
}

/** A file of the mounts' folder for the capability that a mount's program is started with. */
export const capabilityFileOf = (target: string): string => join(folder(), `${nameOf(target)}.capability`);

/** The mounts of volumes whose programs live. */
export const mountsHere = (): readonly MountState[] =>
  programsHere(folder(), schema).filter(({ isRoot }) => isRoot !== true);

/** The roots of mounted cells whose programs live. */
export const rootsHere = (): readonly MountState[] =>
  programsHere(folder(), schema).filter(({ isRoot }) => isRoot === true);

/** The mount at a place. Throws FS_NOT_MOUNTED. */
export function requireMount(path: string): MountState {
  const target = targetOf(path);
  return mountsHere().find((each) => each.target === target) ?? notMounted(target);
}

/** The mount that a path is on, and the path from its root on. Throws FS_NOT_MOUNTED. */
export function requireMountOf(path: string): { readonly mount: MountState; readonly below: string } {
  const whole = targetOf(path);
  const above = mountsHere().filter(({ target }) => whole === target || whole.startsWith(`${target}/`));
  const [mount] = above.sort((one, other) => other.target.length - one.target.length);
  return mount === undefined ? notMounted(whole) : { mount, below: whole.slice(mount.target.length) };
}

function notMounted(target: string): never {
  const others = mountsHere().map((each) => each.target);
  throw new ProteusError({
    code: "FS_NOT_MOUNTED",
    exit: exitCodes.notFound,
    message: `no volume is mounted at ${target}`,
    why:
      others.length === 0
        ? "no volume is mounted on this machine"
        : `volumes are mounted at ${others.join(", ")}`,
    unchanged: "nothing was done",
    hint: "proteus fs mount VICE FOLDER --volume NAME mounts one",
  });
}
