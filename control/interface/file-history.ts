// What vice says of how a volume was: trees as of a moment, and what could be found under a name.
//
// - A moment is whole milliseconds since 1970 by vice's clock, and names a step: each is later than the
//   one before. As a name it is written in UTC, 2026-11-28T08:10:29.123Z; what is left out at its end is 0.
// - What was so at a moment is so for good, for as long as it is kept: no promises.

import { z } from "zod";
import { idSchema, nameSchema, statusSchema } from "./file-status.js";

/** The hidden folder of a mount, and in it the folder of versions by paths. */
export const HISTORY_NAME = ".history";
export const VERSIONS_NAME = "versions";
/** Instead of a moment: everything that there is or was, each as it was last. */
export const EVER = 0;
/** Most versions in one answer. */
export const VERSIONS_MAX = 200;
/** Of how a volume was is kept at most so long, in seconds: a year. */
export const HISTORY_SECONDS_MAX = 366 * 86_400;

const momentSchema = z.int().nonnegative();

export const pastSchema = z.object({
  /** The object itself. */
  status: statusSchema,
  /** Of a directory: its names from one on. */
  names: z.array(z.tuple([nameSchema, statusSchema])),
  more: z.boolean(),
});
export type Past = z.infer<typeof pastSchema>;

export const versionsSchema = z.object({
  versions: z.array(
    z.object({
      /** When it came, and when it was replaced or removed; 0: it is there. */
      from: momentSchema,
      until: momentSchema,
      /** Whose content it is. */
      machine: z.string(),
      id: idSchema,
      status: statusSchema,
    }),
  ),
  more: z.boolean(),
});
export type Versions = z.infer<typeof versionsSchema>;

const momentForm = /^(\d{4}-\d\d-\d\d)[T_](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?Z?$/;

/** A moment as a name. */
export const momentName = (at: number): string => new Date(at).toISOString();

/** The moment that a name means; null: none. */
export function parseMoment(name: string): number | null {
  const parts = momentForm.exec(name);
  if (parts === null) return null;
  const [, day, minutes, seconds = ":00"] = parts;
  const at = Date.parse(`${day}T${minutes}${seconds}Z`);
  return Number.isSafeInteger(at) && at > EVER ? at : null;
}
