// The exports of this machine: a file for each, which its program writes when it serves and which
// goes with it.
//
// - Beside the folder of labs, readable by its user only. A file whose program is gone counts as none.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { stateRoot } from "../../lab/state.js";
import { programSchema, programsHere, writeProgram } from "../programs-here.js";

const schema = z.object({
  schema: z.literal(1),
  name: z.string(),
  /** The lab that it is of, or LAB@MACHINE for one of a machine of it. */
  lab: z.string().nullable(),
  process: programSchema,
  address: z.string(),
  readOnly: z.boolean(),
});
export type ExportState = z.infer<typeof schema>;

const folder = (): string => `${stateRoot()}-disk-exports`;
const fileOf = (lab: string | null, name: string): string =>
  join(folder(), `${lab === null ? "" : `${lab}.`}${name}.json`);

export const writeExport = (state: ExportState): void => writeProgram(fileOf(state.lab, state.name), state);

export function removeExport(lab: string | null, name: string): void {
  rmSync(fileOf(lab, name), { force: true });
}

/** The exports whose programs live. */
export const exportsHere = (): readonly ExportState[] => programsHere(folder(), schema);

export const findExport = (lab: string | null, name: string): ExportState | undefined =>
  exportsHere().find((each) => each.name === name && each.lab === lab);
