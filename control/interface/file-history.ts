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

const momentForm = /^(\d{4})-(\d\d)-(\d\d)[T_](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?Z?$/;
const dayMs = 86_400_000;
const padded = (number: number, digits = 2): string => String(number).padStart(digits, "0");

// Years count from March on here, so that a leap day is a year's last: 400 of them are 146,097 days.

/** Days since 1970 of a day of the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leaps + ofYear - 719_468;
}

/** The day's name, 2026-11-28. */
function dayName(days: number): string {
  const era = Math.floor((days + 719_468) / 146_097);
  const left = days + 719_468 - era * 146_097;
  const leaps = Math.floor(left / 1460) - Math.floor(left / 36_524) + Math.floor(left / 146_096);
  const years = Math.floor((left - leaps) / 365);
  const ofYear = left - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const months = Math.floor((5 * ofYear + 2) / 153);
  const month = ((months + 2) % 12) + 1;
  const year = years + era * 400 + (month > 2 ? 0 : 1);
  return `${padded(year, 4)}-${padded(month)}-${padded(ofYear - Math.floor((153 * months + 2) / 5) + 1)}`;
}

/** A moment as a name. */
export function momentName(at: number): string {
  const [seconds, ms] = [Math.floor((at % dayMs) / 1000), at % 1000];
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${dayName(Math.floor(at / dayMs))}T${clock.map((part) => padded(part)).join(":")}.${padded(ms, 3)}Z`;
}

/** The moment that a name means; null: none. */
export function parseMoment(name: string): number | null {
  const parts = momentForm.exec(name);
  if (parts === null) return null;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0));
  const ms = Number((parts[7] ?? "").padEnd(3, "0"));
  const days = daysOf(year, month, day);
  const isDay = dayName(days) === name.slice(0, 10);
  if (!isDay || hours > 23 || minutes > 59 || seconds > 59) return null;
  const at = days * dayMs + ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
  return at > EVER ? at : null;
}
