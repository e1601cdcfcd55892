// What can be wrong with a link of a lab, as people write it and as it is kept.
//
// - Both directions of a link are impaired alike.
// - Every value has a neutral one that means "as if it had never been set".
// - Pure: impairment-plan.ts says what has to be typed, impair.ts does it.

import { isRate } from "./rate.js";

/** Of one link; shares of frames from 0 to 1. */
export interface Impairments {
  readonly loss: number;
  /** Each way. */
  readonly delayMs: number;
  readonly reorder: number;
  readonly duplicate: number;
  readonly corrupt: number;
  /** As `tc` writes it; null: what its network has. */
  readonly rate: string | null;
  /** Nothing passes. */
  readonly cut: boolean;
}

export const noImpairments: Impairments = {
  loss: 0,
  delayMs: 0,
  reorder: 0,
  duplicate: 0,
  corrupt: 0,
  rate: null,
  cut: false,
};

export const delayMsMax = 10_000;

export const shareRule = "a share is from 0 to 1, or from 0% to 100%, such as 5%";
export const delayRule = `a delay is from 0 to ${delayMsMax / 1000} s, such as 2ms, 500us or 1s`;
export const rateRule = "a rate is such as 1gbit, 100mbit or 64kbit (8kbit to 1000gbit), or 0 for no limit";

/** 0.05 of `5%` or `0.05`; null when it is no share. */
export function parseShare(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text.trim());
  if (match === null) return null;
  const share = Number(match[1]) / (match[2] === "%" ? 100 : 1);
  return share <= 1 ? share : null;
}

const delayUnits: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** Milliseconds of `2ms`, `500us`, `1s` or `0`; null when it is no delay. */
export function parseDelay(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s)?$/.exec(text.trim());
  if (match === null) return null;
  const value = Number(match[1]);
  if (match[2] === undefined) return value === 0 ? 0 : null;
  const delay = value * (delayUnits[match[2]] ?? Number.NaN);
  return delay <= delayMsMax ? Math.round(delay * 1000) / 1000 : null;
}

/** The text of a rate, null for `0`; undefined when it is no rate. */
export function parseRate(text: string): string | null | undefined {
  if (/^0(\.0+)?([kmg]?bit)?$/i.test(text.trim())) return null;
  return isRate(text.trim()) ? text.trim().toLowerCase() : undefined;
}

/** What can be set of a link, as impairment-fields.ts reads it; what is left out stays. */
export interface ImpairmentFields {
  readonly loss?: number | undefined;
  readonly delay?: number | undefined;
  readonly reorder?: number | undefined;
  readonly duplicate?: number | undefined;
  readonly corrupt?: number | undefined;
  readonly rate?: string | null | undefined;
  readonly cut?: boolean | undefined;
}

/** `fields` over `base`. */
export function mergeImpairments(base: Impairments, { delay, ...fields }: ImpairmentFields): Impairments {
  const given = Object.fromEntries(Object.entries(fields).filter(([, each]) => each !== undefined));
  return { ...base, ...given, ...(delay === undefined ? {} : { delayMs: delay }) };
}

export function sameImpairments(a: Impairments, b: Impairments): boolean {
  return (Object.keys(noImpairments) as (keyof Impairments)[]).every((key) => a[key] === b[key]);
}

export function isHealthy(impairments: Impairments): boolean {
  return sameImpairments(impairments, noImpairments);
}

const percent = (of: number): string => `${Number((of * 100).toPrecision(6))}%`;

/** `loss 5%, delay 2ms`; `none` when there is none. */
export function impairmentText(impairments: Impairments): string {
  const { cut, delayMs, rate } = impairments;
  const words = cut ? ["cut"] : [];
  if (impairments.loss > 0) words.push(`loss ${percent(impairments.loss)}`);
  if (delayMs > 0) words.push(`delay ${delayMs}ms`);
  for (const name of ["reorder", "duplicate", "corrupt"] as const)
    if (impairments[name] > 0) words.push(`${name} ${percent(impairments[name])}`);
  if (rate !== null) words.push(`rate ${rate}`);
  return words.length === 0 ? "none" : words.join(", ");
}
