// What people hear of a change: two pictures of the machines of one name, and the events between them.
//
// - Pure.

import type { PoolEvent } from "../../interface/pool.js";
import type { Machine } from "./records.js";

/** All machines of one name, as people see them. */
export interface Picture {
  readonly draining: boolean;
  /** By address. */
  readonly states: ReadonlyMap<string, Machine["state"]>;
}

export interface Change {
  readonly kind: PoolEvent["kind"];
  readonly subject: string;
}

const stateEvents = { up: "back", unreachable: "lost", down: "left" } as const;

/** `replaced`: one of them took the place of another. */
export function changesBetween(name: string, was: Picture, is: Picture, replaced: boolean): Change[] {
  const changes: Change[] = [];
  const add = (kind: PoolEvent["kind"]) => changes.push({ kind, subject: name });
  // One restarted: the old kernel is gone, the new one is there.
  if (replaced) add("back");
  for (const [address, state] of is.states) {
    const before = was.states.get(address);
    if (before === undefined && !replaced) add("joined");
    if (before === undefined ? state !== "up" : state !== before) add(stateEvents[state]);
  }
  if (!replaced && [...was.states.keys()].some((address) => !is.states.has(address))) add("forgotten");
  if (was.draining !== is.draining) add(is.draining ? "draining" : "undrained");
  return changes;
}
