// What a batch does, given what is there: one pure function that every store of ours uses.
//
// - etcd decides by itself; the suite of tests proves that it decides alike.

import { type CheckedBatch, keyText } from "./check.js";
import type { BatchResult, Change } from "./store.js";

interface Decision {
  readonly result: BatchResult;
  /** What is to be done; null when nothing changes. */
  readonly change: Change | null;
}

/**
 * Decides a batch. `revisionOf` says the revision of a key's entry, 0 for absent; `latest` is
 * the store's latest revision, and a change gets the next one.
 */
export function decide(
  { conditions, operations }: CheckedBatch,
  latest: number,
  revisionOf: (key: Uint8Array) => number,
): Decision {
  const found = conditions.map(({ key }) => revisionOf(key));
  if (conditions.some(({ revision }, index) => revision !== found[index]))
    return { result: { committed: false, found }, change: null };
  const effective = operations.filter(({ kind, key }) => kind === "put" || revisionOf(key) !== 0);
  if (effective.length === 0) return { result: { committed: true, revision: latest }, change: null };
  const revision = latest + 1;
  return { result: { committed: true, revision }, change: { revision, operations: effective } };
}

/** What a group of batches, one after the other, comes to. */
export interface GroupDecision {
  /** In the order of the batches. */
  readonly results: readonly BatchResult[];
  /** Revisions without a gap, after the latest. */
  readonly changes: readonly Change[];
}

/** Decides batches that are to be written together; each sees what those before it do. */
export function decideGroup(
  group: readonly CheckedBatch[],
  latest: number,
  revisionOf: (key: Uint8Array) => number,
): GroupDecision {
  const results: BatchResult[] = [];
  const changes: Change[] = [];
  const changed = new Map<string, number>();
  for (const batch of group) {
    const revision = latest + changes.length;
    const { result, change } = decide(batch, revision, (key) => changed.get(keyText(key)) ?? revisionOf(key));
    results.push(result);
    if (change === null) continue;
    changes.push(change);
    for (const { kind, key } of change.operations)
      changed.set(keyText(key), kind === "put" ? change.revision : 0);
  }
  return { results, changes };
}
