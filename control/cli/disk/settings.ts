// `proteus disk settings`, and the same options of `create`: how patient a disk is with its members, and
// what goes on in its background.
//
// - What is not given stays as it is; without any option the settings are shown, and how scrubs fare.
// - They are kept on the members: whoever serves the disk keeps to them.

import type { StorageSettings } from "../../interface/disk.js";
import type { UpkeepDocument } from "../../interface/storage.js";
import { usageError } from "../../kernel/errors.js";
import { emit } from "../output.js";
import { parseDuration, parseRate, sizeText } from "../quantity.js";
import { send } from "./change.js";
import { type DiskOptions, describe, findStorage, onDisks } from "./session.js";

export interface SettingOptions {
  readonly memberTimeout?: string | undefined;
  readonly resyncRest?: string | undefined;
  readonly resyncRate?: string | undefined;
  readonly scrubEvery?: string | undefined;
  readonly scrubRate?: string | undefined;
}

const [dayMs, yearMs] = [86_400_000, 366 * 86_400_000];
const [timeoutLeastMs, timeoutMostMs] = [1000, 20_000];

function parseTimeout(text: string): number {
  const timeout = Math.ceil(parseDuration(text));
  if (timeout >= timeoutLeastMs && timeout <= timeoutMostMs) return timeout;
  throw usageError(
    `a member cannot be waited for ${text}`,
    "from 1s, twice as long as it may take to answer, to 20s: requests of the disk wait for 30s",
    "DURATION_INVALID",
  );
}

function parseRest(text: string): number {
  const rest = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (rest <= 1000) return rest;
  throw usageError(`resync cannot rest "${text}" times as long as it works`, "0 to 1000", "COUNT_INVALID");
}

/** What is given, as it travels. Throws usage errors. */
export function settingsOf(options: SettingOptions): StorageSettings {
  const { memberTimeout, resyncRest, resyncRate, scrubEvery, scrubRate } = options;
  return {
    ...(memberTimeout === undefined ? {} : { memberTimeoutMs: parseTimeout(memberTimeout) }),
    ...(resyncRest === undefined ? {} : { resyncRest: parseRest(resyncRest) }),
    ...(resyncRate === undefined ? {} : { resyncBytesPerSecond: parseRate(resyncRate, 0) }),
    ...(scrubEvery === undefined
      ? {}
      : { scrubEveryMs: scrubEvery === "never" ? 0 : Math.ceil(parseDuration(scrubEvery, yearMs)) }),
    ...(scrubRate === undefined ? {} : { scrubBytesPerSecond: parseRate(scrubRate) }),
  };
}

const timeOf = (milliseconds: number): string | null =>
  milliseconds === 0 ? null : new Date(milliseconds).toISOString();

/** The same for programs, with times as ISO 8601 has them. */
export function settingsDocument(upkeep: UpkeepDocument): object {
  const { scrub, ...settings } = upkeep;
  const { beganAt, percent, mended, bytesPerSecond, endedAt, lastMended, dueAt } = scrub;
  return {
    ...settings,
    scrub: {
      underWay: beganAt === 0 ? null : { beganAt: timeOf(beganAt), percent, mended, bytesPerSecond },
      last: endedAt === 0 ? null : { endedAt: timeOf(endedAt), mended: lastMended },
      dueAt: timeOf(dueAt),
    },
  };
}

function everyText(milliseconds: number): string {
  if (milliseconds === 0) return "only when asked for";
  const days = milliseconds / dayMs;
  return days >= 1 && Number.isInteger(days) ? `every ${days}d` : `every ${milliseconds / 1000}s`;
}

const mendedText = (count: number): string =>
  count === 0 ? "all was well" : `${count} bad block${count === 1 ? "" : "s"} mended`;

/** A line about scrubs, for `disk show`. */
export function scrubText({ scrubEveryMs, scrub }: UpkeepDocument): string {
  const { beganAt, percent, mended, endedAt, lastMended, dueAt } = scrub;
  const now = beganAt === 0 ? [] : [`${percent} % done, ${mendedText(mended)}`];
  const last = endedAt === 0 ? "never ended" : `last ended ${timeOf(endedAt)}, ${mendedText(lastMended)}`;
  const next = dueAt === 0 || beganAt !== 0 ? [] : [`next ${timeOf(dueAt)}`];
  return `scrub: ${[...now, last, everyText(scrubEveryMs), ...next].join("; ")}`;
}

function text(name: string, upkeep: UpkeepDocument): string {
  const { memberTimeoutMs, resyncRest, resyncBytesPerSecond, scrubBytesPerSecond } = upkeep;
  const limit = resyncBytesPerSecond === 0 ? "no limit" : `${sizeText(resyncBytesPerSecond)}/s at most`;
  return [
    `${name}: a member that is silent for ${memberTimeoutMs / 1000}s is down`,
    `resync: ${limit}; while the disk is used it rests ${resyncRest} times as long as it works`,
    `${scrubText(upkeep)}; ${sizeText(scrubBytesPerSecond)}/s`,
  ].join("\n");
}

export async function settings(name: string, options: DiskOptions & SettingOptions): Promise<void> {
  const given = settingsOf(options);
  await onDisks(options, async (session) => {
    const storage = await findStorage(session, name);
    if (Object.keys(given).length > 0)
      await send(session, storage, { operation: "settings", settings: given });
    const { upkeep, storage: document } = await describe(session, storage);
    const shown = { name: document.name, ...settingsDocument(upkeep) };
    emit("disk settings", options.json, shown, () => text(document.name, upkeep));
  });
}
