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

/** How often it is said where there is no terminal. */
const plainEveryMs = 10_000;

/**
 * How far a benchmark is, on stderr: on a terminal one line that is written over again and again,
 * elsewhere a plain line every ten seconds.
 */
export class ProgressLine {
  readonly #stream: { readonly isTTY?: boolean; readonly write: (text: string) => unknown };
  readonly #now: () => number;
  #said: number;

  constructor(stream: typeof process.stderr = process.stderr, now = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
    this.#said = now();
  }

  say(words: readonly string[], done: number, all: number): void {
    const text = `${Math.floor((100 * done) / all)}%  ${words.join("  ")}`;
    if (this.#stream.isTTY === true) this.#stream.write(`\r\x1b[K${text}`);
    else if (this.#now() - this.#said >= plainEveryMs) {
      this.#said = this.#now();
      this.#stream.write(`${text}\n`);
    }
  }

  clear(): void {
    if (this.#stream.isTTY === true) this.#stream.write("\r\x1b[K");
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
