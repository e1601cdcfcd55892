// What the benchmarks' commands share: lists on the command line, the line that says how
// far they are, and when their result is only a part of what was asked for.

import { usageError } from "../kernel/errors.js";
import { mtuMax } from "../lab/topology.js";

/** The smallest MTU of a FLIP network; control/bench's own links obey it as well. */
const mtuMin = 576;

/** A list such as `a,b`, each one of `known`. Throws a usage error. */
export function parseList<Name extends string>(what: string, text: string, known: readonly Name[]): Name[] {
  return text.split(",").map((word) => {
    const found = known.find((each) => each === word);
    if (found === undefined) throw usageError(`"${word}" is no ${what}`, `there are ${known.join(", ")}`);
    return found;
  });
}

export function parseMtus(text: string): number[] {
  return text.split(",").map((word) => {
    const mtu = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(mtu >= mtuMin && mtu <= mtuMax))
      throw usageError(`"${word}" is not an MTU`, `it is ${mtuMin} to ${mtuMax} bytes: 1500,9000,65521`);
    return mtu;
  });
}

/** A line that is written over again and again, on a terminal only. */
export class ProgressLine {
  readonly #shown = process.stderr.isTTY;

  say(words: readonly string[], done: number, all: number): void {
    if (!this.#shown) return;
    const percent = Math.floor((100 * done) / all);
    process.stderr.write(`\r\x1b[K${percent}%  ${words.join("  ")}`);
  }

  clear(): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
  }
}

/** A missing tool is no failure of ours; anything else that left a row empty is. */
export function isDegraded(results: readonly { readonly problem?: string }[]): boolean {
  return results.some(({ problem }) => problem !== undefined && !problem.includes("is not installed"));
}

/** A list such as `2,3`, each from `least` to `most`. Throws a usage error. */
export function parseNumbers(what: string, text: string, least: number, most: number): number[] {
  return text.split(",").map((word) => {
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw usageError(`"${word}" is not a ${what}`, `it is a whole number from ${least} to ${most}`);
  });
}
