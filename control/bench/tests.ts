// What each test of the benchmark does: how much goes there and back in a call, how many
// clients call at the same time, and which figure it is about. Pure.
//
// - call-… are sink calls, reply-… source calls (control/interface/echo.ts); MB are 10^6
//   bytes of payload in one direction.
// - rate-N: N clients in one process, each with one call under way: a call begins when the
//   last one of its client has ended.
// - open-loop: calls begin when their time has come, whatever became of those before.

import type { LinkName, Run, TestName } from "./types.js";
import { callBytes } from "./types.js";

export type Figure = "p50Us" | "megabytesPerSecond" | "callsPerSecond" | "idleCpu";

export interface TestFacts {
  readonly request: number;
  readonly reply: number;
  readonly clients: number;
  readonly figure: Figure;
  /** How long a run measures. */
  readonly milliseconds: number;
  /** The fewest calls that make a run, however slow. */
  readonly callsMin: number;
}

const nothing = { request: 0, reply: 0, clients: 1 } as const;
const rate = (clients: number): TestFacts => ({
  ...{ request: 0, reply: 0, clients, figure: "callsPerSecond", milliseconds: 300, callsMin: 500 },
});
const bulk = { clients: 1, figure: "megabytesPerSecond", milliseconds: 300 } as const;

export const testFacts: Readonly<Record<TestName, TestFacts>> = {
  "null-rpc": { ...nothing, figure: "p50Us", milliseconds: 250, callsMin: 2000 },
  "call-4k": { ...bulk, request: 4096, reply: 0, callsMin: 1000 },
  "call-30000": { ...bulk, request: 30_000, reply: 0, callsMin: 500 },
  "call-1m": { ...bulk, request: callBytes, reply: 0, callsMin: 50 },
  "reply-1m": { ...bulk, request: 0, reply: callBytes, callsMin: 50 },
  "rate-1": rate(1),
  "rate-8": rate(8),
  "rate-32": rate(32),
  "open-loop": { ...nothing, clients: 64, figure: "callsPerSecond", milliseconds: 1000, callsMin: 1 },
  idle: { ...nothing, figure: "idleCpu", milliseconds: 2000, callsMin: 1 },
  incast: { ...bulk, request: callBytes, reply: 0, milliseconds: 2000, callsMin: 1 },
  sharing: { ...bulk, request: callBytes, reply: 0, milliseconds: 3000, callsMin: 1 },
};

/** The figure that a test is about. */
export const leading = ({ test }: { readonly test: TestName }): Figure => testFacts[test].figure;

/** A slow link takes longer to show what it gives, and calls take longer. */
export function spanOf(test: TestName, link: LinkName): { milliseconds: number; callsMin: number } {
  const { milliseconds, callsMin } = testFacts[test];
  if (link === "1gbit")
    return { milliseconds: Math.max(milliseconds, 1000), callsMin: Math.min(callsMin, 5) };
  if (link.startsWith("loss-"))
    return { milliseconds: Math.max(milliseconds, 2000), callsMin: Math.min(callsMin, 5) };
  return { milliseconds, callsMin };
}

/** Payload of one call. */
export const payloadOf = (test: TestName): number => testFacts[test].request + testFacts[test].reply;

/** What a run gave of a figure; null when it has none. */
export const figureOfRun = (run: Run, figure: Figure): number | null => run[figure] ?? null;
