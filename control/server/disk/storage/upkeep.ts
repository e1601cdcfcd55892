// How patient a storage is with its members, and what goes on in its background by itself: what a person
// may change of it, what it is at first, and when the next scrub is due. Pure.
//
// - Kept in the records of the members (record.ts): the next server goes on with it.
// - Times are milliseconds since 1970; a machine's clock that is wrong makes a scrub early or late, and
//   nothing else.

import type { Upkeep } from "../member/record.js";
import type { StoragePolicy } from "./policy.js";

/** What a person may change. */
export type Settings = Omit<Upkeep, "scrub">;

const dayMs = 24 * 60 * 60 * 1000;

export const defaultSettings: Settings = {
  memberTimeoutMs: 2000,
  resyncRest: 3,
  resyncBytesPerSecond: 0,
  scrubEveryMs: 7 * dayMs,
  scrubBytesPerSecond: 64 * 1024 * 1024,
};

export const newUpkeep = (settings: Partial<Settings> = {}): Upkeep => ({
  ...defaultSettings,
  ...settings,
  scrub: {
    ...{ beganAt: 0, block: 0, mended: 0, bytesPerSecond: 0 },
    ...{ endedAt: 0, lastMended: 0, dueAt: 0 },
  },
});

/** What of the policy the records say. */
export const policyOf = ({ memberTimeoutMs, resyncRest, resyncBytesPerSecond }: Settings) =>
  ({ memberTimeoutMs, resyncRest, resyncBytesPerSecond }) satisfies Partial<StoragePolicy>;

/** When the next scrub is due: so long after the last one, or after now when there was none; 0: never. */
export const dueAt = ({ scrubEveryMs, scrub }: Upkeep, now: number): number =>
  scrubEveryMs === 0 ? 0 : (scrub.endedAt === 0 ? now : scrub.endedAt) + scrubEveryMs;

/** With other settings; the next scrub is due when these say. */
export function changed(upkeep: Upkeep, settings: Partial<Settings>, now: number): Upkeep {
  const next = { ...upkeep, ...settings };
  return { ...next, scrub: { ...next.scrub, dueAt: dueAt(next, now) } };
}

export const isUnderWay = ({ scrub }: Upkeep): boolean => scrub.beganAt !== 0;

/** One begins, at its own rate or, with 0, at that of the settings. */
export const begun = (upkeep: Upkeep, now: number, bytesPerSecond: number): Upkeep => ({
  ...upkeep,
  scrub: { ...upkeep.scrub, beganAt: Math.max(1, now), block: 0, mended: 0, bytesPerSecond },
});

/** The one under way has ended. */
export function ended(upkeep: Upkeep, now: number): Upkeep {
  const { mended } = upkeep.scrub;
  const scrub = {
    ...{ beganAt: 0, block: 0, mended: 0, bytesPerSecond: 0 },
    ...{ endedAt: Math.max(1, now), lastMended: mended },
  };
  const next = { ...upkeep, scrub: { ...scrub, dueAt: 0 } };
  return { ...next, scrub: { ...scrub, dueAt: dueAt(next, now) } };
}
