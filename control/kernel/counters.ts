// The kernel's counters by name, in the order of core-wasm/layout.ts: the place in the
// list is the number there. They are u32 and wrap.

import { COUNTER_COUNT } from "../../core-wasm/layout.js";

/** Names of the counters; the place in the list is the counter's number. */
export const counterNames = [
  "framesIn",
  "framesOut",
  "malformed",
  "notOurs",
  "transmitFailed",
  "locatesIn",
  "locatesOut",
  "hereisIn",
  "hereisOut",
  "unidataIn",
  "unidataOut",
  "multidataIn",
  "multidataOut",
  "nothereIn",
  "nothereOut",
  "untrustedIn",
  "untrustedOut",
  "forwarded",
  "broadcastsDropped",
  "tableFull",
  "creditWaits",
  "creditRequests",
  "requestsIn",
  "requestsOut",
  "repliesIn",
  "repliesOut",
  "acksOut",
  "acksImplicit",
  "naksOut",
  "duplicates",
  "failsOut",
  "enquiriesOut",
  "retransmissions",
  "repeatsAsked",
  "fragmentsRepeated",
  "localCalls",
  "callsFailed",
  "kernelsForgotten",
  "hopsDropped",
  "hellosIn",
  "groupSent",
  "groupDelivered",
  "groupRetransOut",
  "groupRepeated",
  "groupHistoryFull",
  "groupResets",
  "groupDropped",
] as const;

export type CounterName = (typeof counterNames)[number];
export type Counters = Readonly<Record<CounterName, number>>;

/** Reads all counters from the kernel's memory (`words`: as u32; `address`: in bytes). */
export function readCounters(words: Uint32Array, address: number): Counters {
  if (counterNames.length !== COUNTER_COUNT) throw new Error("counterNames and layout.ts differ");
  const entries = counterNames.map((name, index) => [name, words[(address >> 2) + index] ?? 0] as const);
  return Object.fromEntries(entries) as Record<CounterName, number>;
}
