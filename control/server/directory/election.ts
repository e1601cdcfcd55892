// Who founds the group of the directory servers, and when a store is good enough for it: pure
// decisions, and why they lose nothing.
//
// - An update is acknowledged when a majority of the configured members has it in their stores. A
//   group is founded only with promises of a majority: one of them has every acknowledged update,
//   and nobody promises to one whose store is behind its own. So a lone old store never serves.
// - Positions (term, view, version) order stores: within one view all members execute the same
//   sequence; a view, and a term, begins with a state that has everything acknowledged before it,
//   and counts only when it is durable. A member that went on alone in an older view, with more
//   updates than others, is behind them all the same.
// - Terms: who promised one takes part in no lower one. A promise of a term whose founder did not
//   get a majority together within CAMPAIGN_MS is void after twice that: the founder gives up too.
// - Source: the config vector of Amoeba's group directory server (Kaashoek, Tanenbaum, Verstoep
//   1993); B. Oki and B. Liskov, viewstamped replication (1988); D. Ongaro (2014), 3.6.

import { comparePositions, type Position } from "./records.js";

/** A founder that has no majority together by then gives its term up. */
export const CAMPAIGN_MS = 8000;

export const majorityOf = (members: number): number => Math.floor(members / 2) + 1;

/** A member that can be asked, and what it says of itself. */
export interface Candidate extends Position {
  /** Index in the list of configured members. */
  readonly index: number;
  readonly promised: number;
  /** Term of the group that it is a member of; 0: it is in none. */
  readonly group: number;
}

export type Decision =
  /** There is a group to join. */
  | { readonly kind: "join"; readonly term: number }
  /** We are to found one. */
  | { readonly kind: "found"; readonly term: number }
  /** Somebody else is, or too few are there. */
  | { readonly kind: "wait"; readonly missing: number };

/**
 * What a member does that is in no group.
 *
 * @param bound the term below which it may join nothing
 * @param others who could be asked
 */
export function decide(
  own: Candidate,
  others: readonly Candidate[],
  members: number,
  bound: number,
): Decision {
  const groups = others.map(({ group }) => group).filter((term) => term > 0 && term >= bound);
  if (groups.length > 0) return { kind: "join", term: Math.max(...groups) };
  const all = [own, ...others];
  const missing = majorityOf(members) - all.length;
  if (missing > 0) return { kind: "wait", missing };
  const best = all.reduce((first, each) => {
    const order = comparePositions(each, first) || first.index - each.index;
    return order > 0 ? each : first;
  });
  if (best.index !== own.index) return { kind: "wait", missing: 0 };
  return { kind: "found", term: Math.max(...all.flatMap(({ promised, term }) => [promised, term])) + 1 };
}

/** Whether a member that is in no group promises a term to a founder. */
export function mayPromise(
  own: Pick<Candidate, "promised" | "group"> & Position,
  term: number,
  founder: Position,
): boolean {
  return own.group === 0 && term > own.promised && term > own.term && comparePositions(founder, own) >= 0;
}
