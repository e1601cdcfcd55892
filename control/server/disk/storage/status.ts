// What a storage says of itself: the document that `disk show --json` prints.
//
// - percent is of the resync under way: it stays within 0 and 100 and does not run backwards while the
//   same one goes on, also when it was interrupted.
// - `ok` means that every member is in sync; a witness that is down makes it `degraded` too.

import { sameBytes, toHex } from "../../../kernel/bytes.js";
import { BLOCK_BYTES } from "../disk.js";
import type { MemberEntry } from "../member/record.js";
import type { Core } from "./core.js";
import type { MemberLink } from "./member-link.js";

export type StorageState = "ok" | "degraded" | "resyncing" | "split-brain" | "failed";
export type MemberCondition = "in-sync" | "dirty" | "resyncing" | "down" | "failed";

export interface MemberStatus {
  readonly node: string;
  readonly path: string;
  readonly state: MemberCondition;
  readonly dirtyBytes: number;
  readonly percent: number;
}

export interface StorageStatus {
  readonly name: string;
  readonly age: string;
  readonly size: number;
  readonly state: StorageState;
  readonly generation: string;
  readonly members: readonly MemberStatus[];
}

function conditionOf(member: MemberLink): MemberCondition {
  if (member.link === "down") {
    const code = member.failure?.code;
    if (code === undefined || code === "DISK_GONE" || code === "DISK_FENCED") return "down";
    return code === "DISK_SPLIT" ? "dirty" : "failed";
  }
  if (member.entry.state === "out") return "dirty";
  return member.entry.state === "syncing" ? "resyncing" : "in-sync";
}

function stateOf(core: Core, members: readonly MemberStatus[]): StorageState {
  const isSplit = core.members.some(({ failure }) => failure?.code === "DISK_SPLIT");
  if (core.decision?.kind === "split" || isSplit) return "split-brain";
  if (!core.isServing) return "failed";
  if (members.some(({ state }) => state === "resyncing")) return "resyncing";
  return members.every(({ state }) => state === "in-sync") ? "ok" : "degraded";
}

export function statusOf(core: Core): StorageStatus {
  const members = core.members.map((member): MemberStatus => {
    const { node, path } = member.entry;
    const state = conditionOf(member);
    const blocks = Math.min(core.facts.blocks, member.dirtyBlocks);
    return {
      node,
      path,
      state,
      dirtyBytes: blocks * BLOCK_BYTES,
      percent: state === "in-sync" ? 100 : member.percent,
    };
  });
  return {
    name: core.facts.name,
    age: toHex(core.facts.age),
    size: core.facts.blocks * BLOCK_BYTES,
    state: stateOf(core, members),
    generation: core.generation.toString(16).padStart(16, "0"),
    members,
  };
}

/** What there is to tell of a split brain. */
export interface SplitStatus {
  /** Nothing is served until a person has said which history counts; the first is the one to be kept. */
  readonly sides: readonly (readonly MemberEntry[])[];
  /** Members with a history of their own beside the one that is served, and what is done about it. */
  readonly apart: readonly { readonly entry: MemberEntry; readonly why: string }[];
}

export function splitOf(core: Core): SplitStatus {
  const { decision } = core;
  const found = (id: Uint8Array) => core.entries.filter((entry) => sameBytes(entry.id, id));
  return {
    sides: decision?.kind === "split" ? decision.sides.map(({ members }) => members.flatMap(found)) : [],
    apart: core.members.flatMap(({ entry, failure }) =>
      failure?.code === "DISK_SPLIT" ? [{ entry, why: failure.message }] : [],
    ),
  };
}
