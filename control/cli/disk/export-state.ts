// The exports of this machine: a file for each, which its program writes when it serves and which
// goes with it.
//
// - Beside the folder of labs, readable by its user only. A file whose program is gone counts as none.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isAlive } from "../../lab/processes.js";
import { stateRoot } from "../../lab/state.js";

const schema = z.object({
  schema: z.literal(1),
  name: z.string(),
  /** The lab that it is of, or LAB@MACHINE for one of a machine of it. */
  lab: z.string().nullable(),
  process: z.object({ pid: z.number(), started: z.number() }),
  address: z.string(),
  readOnly: z.boolean(),
});
export type ExportState = z.infer<typeof schema>;

const folder = (): string => `${stateRoot()}-disk-exports`;
const fileOf = (lab: string | null, name: string): string =>
  join(folder(), `${lab === null ? "" : `${lab}.`}${name}.json`);

export function writeExport(state: ExportState): void {
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  const path = fileOf(state.lab, state.name);
  writeFileSync(`${path}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeExport(lab: string | null, name: string): void {
  rmSync(fileOf(lab, name), { force: true });
}

/** The exports whose programs live. */
export function exportsHere(): readonly ExportState[] {
  let files: string[];
  try {
    files = readdirSync(folder());
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    try {
      const state = schema.parse(JSON.parse(readFileSync(join(folder(), file), "utf8")));
      return isAlive(state.process) ? [state] : [];
    } catch {
      return []; // half of one, or somebody else's
    }
  });
}

export const findExport = (lab: string | null, name: string): ExportState | undefined =>
  exportsHere().find((each) => each.name === name && each.lab === lab);
