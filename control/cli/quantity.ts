// Sizes, counts and durations as people type them.
//
// - K, M and G are powers of 1024. A duration is seconds unless it ends in ms, s, m, h or d.

import { usageError } from "../kernel/errors.js";

const units: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A number of bytes: `0`, `4096`, `64K`, `1M`. Throws a usage error. */
export function parseSize(text: string, most: number): number {
  const match = /^(\d+)([KMG]?)(?:i?B)?$/i.exec(text);
  const size = match === null ? Number.NaN : Number(match[1]) * (units[(match[2] ?? "").toUpperCase()] ?? 1);
  if (!(size <= most)) {
    throw usageError(
      `"${text}" is not a size`,
      `a size is 0 to ${most} bytes: 1402, 64K, 1M`,
      "SIZE_INVALID",
    );
  }
  return size;
}

/** Bytes a second: `50M`, also with `/s` behind it; 0 only when that means something. Throws a usage error. */
export function parseRate(text: string, least = 1): number {
  const rate = parseSize(text.replace(/\/s$/, ""), 1024 ** 4);
  if (rate >= least) return rate;
  throw usageError(`with ${text} bytes a second it would never end`, "a rate is like 50M", "SIZE_INVALID");
}

/** A number of bytes as parseSize takes it, in the largest unit that it is whole in. */
export function sizeText(bytes: number): string {
  for (const unit of ["G", "M", "K"]) {
    const factor = units[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}`;
}

/** A whole number from 1. Throws a usage error. */
export function parseCount(text: string, most = 1e9): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= 1 && count <= most)) {
    throw usageError(
      `"${text}" is not a count`,
      `a count is a whole number from 1 to ${most}`,
      "COUNT_INVALID",
    );
  }
  return count;
}

const durations: Readonly<Record<string, number>> = {
  ...{ ms: 1, "": 1000, s: 1000, m: 60_000 },
  ...{ h: 3_600_000, d: 86_400_000 },
};

/** Milliseconds, of a day unless more may be: `500ms`, `5s`, `5`, `2m`, `7d`. Throws a usage error. */
export function parseDuration(text: string, mostMs = 86_400_000): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|)$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) * (durations[match[2] ?? ""] ?? 1000);
  if (!(value >= 1 && value <= mostMs)) {
    throw usageError(`"${text}" is not a duration`, "a duration is like 500ms, 5s or 2m", "DURATION_INVALID");
  }
  return value;
}
