// Whether the time that a server takes over a forged capability tells how much of its check field
// is right: then it could be guessed byte by byte.
//
// - Forged check fields agree with the genuine one in their first 0 to 5 bytes. Each of 1 to 5 is
//   compared with 0 by Welch's t (welch.ts); a sample is a row of verifications of one kind.
// - A round takes one sample of each kind, in an order drawn anew, over the same memory, which was
//   filled before: nothing but the bytes differs.
// - `early-exit` is the control: a comparison that stops at the first wrong byte. When that is not
//   found, the clock of this machine is too coarse, and the other rows say nothing.

import { randomBytes, randomInt } from "node:crypto";
import { keyedScheme, originalScheme } from "../../capability/scheme.js";
import type { Privates } from "../../kernel/privates.js";
import { cropped, momentsOf, tThreshold, welch } from "./welch.js";

export const timedSchemes = ["keyed", "original", "early-exit"] as const;
export type TimedScheme = (typeof timedSchemes)[number];

/** Leading bytes of the check field that are right. */
const kinds = [0, 1, 2, 3, 4, 5] as const;
const rowParts = 64;
const privateBytes = 10;
const checkAt = 4;
const warmupPart = 0.1;
const keptPart = 0.9;

export interface TimingRow {
  readonly scheme: TimedScheme;
  /** Leading bytes that are right, compared with none. */
  readonly agreeing: number;
  readonly samples: number;
  /** Of one verification with none right, and with these. */
  readonly noneNs: number;
  readonly someNs: number;
  readonly t: number;
}

export interface TimingVerdict {
  readonly scheme: TimedScheme;
  /** The t that is farthest from 0. */
  readonly t: number;
  /** A difference was found. */
  readonly differs: boolean;
}

export interface TimingReport {
  readonly threshold: number;
  readonly rows: readonly TimingRow[];
  readonly verdicts: readonly TimingVerdict[];
}

export interface TimingOptions {
  readonly privates: Privates;
  /** Samples of each kind. */
  readonly samples: number;
  /** Told now and then: how many samples of how many. */
  readonly progress: (scheme: TimedScheme, done: number, all: number) => void;
  readonly abort?: AbortSignal | undefined;
}

interface Judged {
  readonly genuine: Uint8Array;
  readonly verify: (part: Uint8Array) => number;
}

/** What is measured: a genuine private part, and what tells others from it. */
function judge(scheme: TimedScheme, privates: Privates): Judged {
  const secret = Uint8Array.from(randomBytes(8));
  const made = (part: Uint8Array | number): Uint8Array => {
    if (typeof part === "number") throw new Error(`the private part was not made: ${part}`);
    return part;
  };
  if (scheme === "keyed") {
    const keyed = keyedScheme(privates, Uint8Array.from(randomBytes(32)), () => secret);
    const genuine = made(keyed.make(17, 0xff));
    keyed.verify(genuine); // it is remembered now, as one that is in use
    return { genuine, verify: keyed.verify };
  }
  const original = originalScheme(privates, () => secret.subarray(0, 6));
  if (scheme === "original") return { genuine: made(original.make(17, 0x7f)), verify: original.verify };
  const genuine = made(original.make(17, 0x7f));
  const verify = (part: Uint8Array): number => {
    for (let i = 0; i < part.length; i++) if (part[i] !== genuine[i]) return -1;
    return 0;
  };
  return { genuine, verify };
}

/** Fills a row with forgeries that agree in so many leading bytes, and not in the next. */
export function fill(row: readonly Uint8Array[], genuine: Uint8Array, agreeing: number): void {
  const noise = randomBytes(row.length * privateBytes);
  for (const [index, part] of row.entries()) {
    part.set(genuine);
    const wrong = checkAt + agreeing;
    for (let i = wrong; i < privateBytes; i++) part[i] = noise[index * privateBytes + i] ?? 0;
    if (part[wrong] === genuine[wrong]) part[wrong] = (genuine[wrong] ?? 0) ^ 0x5a;
  }
}

function shuffled(order: number[]): number[] {
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

/** Times of one verification in nanoseconds, by kind. */
async function measure(scheme: TimedScheme, options: TimingOptions): Promise<number[][]> {
  const { genuine, verify } = judge(scheme, options.privates);
  const row = Array.from({ length: rowParts }, () => new Uint8Array(privateBytes));
  const times: number[][] = kinds.map(() => []);
  const warmup = Math.ceil(options.samples * warmupPart);
  let refused = 0;
  for (let round = -warmup; round < options.samples; round++) {
    if (round % 256 === 0) {
      options.progress(scheme, Math.max(0, round), options.samples);
      await new Promise((resolve) => setImmediate(resolve)); // for the progress, and an interruption
      options.abort?.throwIfAborted();
    }
    for (const kind of shuffled([...kinds])) {
      fill(row, genuine, kind);
      const begin = process.hrtime.bigint();
      for (let i = 0; i < rowParts; i++) if (verify(row[i] as Uint8Array) < 0) refused++;
      const end = process.hrtime.bigint();
      if (round >= 0) times[kind]?.push(Number(end - begin) / rowParts);
    }
  }
  const asked = (options.samples + warmup) * kinds.length * rowParts;
  if (refused !== asked) throw new Error(`${asked - refused} forgeries were taken for genuine`);
  return times;
}

/** Measures all schemes. Rejects with the abort's reason. */
export async function measureTiming(options: TimingOptions): Promise<TimingReport> {
  const rows: TimingRow[] = [];
  for (const scheme of timedSchemes) {
    const [none = momentsOf([]), ...some] = cropped(await measure(scheme, options), keptPart).map(momentsOf);
    for (const [index, moments] of some.entries())
      rows.push({
        ...{ scheme, agreeing: index + 1, samples: none.count + moments.count },
        ...{ noneNs: none.mean, someNs: moments.mean, t: welch(moments, none) },
      });
  }
  const verdicts = timedSchemes.map((scheme): TimingVerdict => {
    const ts = rows.filter((row) => row.scheme === scheme).map(({ t }) => t);
    const t = ts.reduce((worst, each) => (Math.abs(each) > Math.abs(worst) ? each : worst), 0);
    return { scheme, t, differs: Math.abs(t) > tThreshold };
  });
  return { threshold: tThreshold, rows, verdicts };
}
