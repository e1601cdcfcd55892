// What is to be done about the copies of one file. Pure: it knows what was found of each member
// of a set and how many copies there are to be, and decides.
//
// - A member counts as there when it is good, when it can be mended, when nobody may look at it,
//   and while its server is away for less than the grace time.
// - Members that are good for nothing leave the set only when enough others are there; until then
//   they stay, marked as out of date: readers try them last.
// - Without a good copy, or when good copies differ, nothing is done: a person must look.

import type { Capability } from "../../capability/capability.js";
import { type CapabilitySet, MEMBERS_MAX } from "../../capability/set.js";

/** What was found of one member of a set. */
export type Finding =
  | { readonly kind: "good"; readonly hash: string; readonly bytes: number }
  /** Its server has it, and cannot read it any more. */
  | { readonly kind: "rotten"; readonly hash: string; readonly bytes: number }
  /** Its server says that there is no such file. */
  | { readonly kind: "gone"; readonly why: string }
  /** Its server does not answer; `lost` after the grace time. */
  | { readonly kind: "away"; readonly why: string; readonly lost: boolean }
  /** The capability does not allow to look. */
  | { readonly kind: "closed"; readonly why: string }
  /** Nothing that a Bullet server keeps. */
  | { readonly kind: "foreign" };

/** A member of a set, and what was found of it. */
export interface Found {
  readonly capability: Capability;
  readonly current: boolean;
  readonly finding: Finding;
}

export type PlanProblem =
  | "REPLICATION_LOST"
  | "REPLICATION_AWAY"
  | "REPLICATION_DENIED"
  | "REPLICATION_DIFFERENT";

export type Plan =
  /** It is no file. */
  | { readonly kind: "none" }
  | { readonly kind: "whole" }
  | { readonly kind: "problem"; readonly code: PlanProblem; readonly why: string }
  | Repair;

export interface Repair {
  readonly kind: "repair";
  readonly wanted: number;
  /** Where copies are taken from. */
  readonly good: readonly Found[];
  /** To be mended where they lie. */
  readonly rotten: readonly Found[];
  /** Neither good nor to be replaced yet: their servers are away, or nobody may look. */
  readonly standing: readonly Found[];
  /** Good for nothing. */
  readonly bad: readonly Found[];
  /** New ones that are missing if all that is rotten can be mended. */
  readonly missing: number;
}

const standsStill = ({ finding }: Found): boolean =>
  finding.kind === "closed" || finding.kind === "foreign" || (finding.kind === "away" && !finding.lost);
const isBad = ({ finding }: Found): boolean =>
  finding.kind === "gone" || (finding.kind === "away" && finding.lost);

/** How many copies a set is to have. */
export const wantedOf = ({ initial, members }: CapabilitySet, least: number): number =>
  members.length === 0 ? 0 : Math.min(MEMBERS_MAX, Math.max(1, initial, least));

/** What to do about a file. @param wanted copies */
export function planFor(found: readonly Found[], wanted: number): Plan {
  if (found.every(({ finding }) => finding.kind === "foreign")) return { kind: "none" };
  const good = found.filter(({ finding }) => finding.kind === "good");
  const rotten = found.filter(({ finding }) => finding.kind === "rotten");
  const standing = found.filter(standsStill);
  const bad = found.filter(isBad);
  const contents = new Set(found.flatMap(({ finding }) => ("hash" in finding ? [finding.hash] : [])));
  if (contents.size > 1)
    return {
      ...{ kind: "problem", code: "REPLICATION_DIFFERENT" },
      why: "its copies hold different contents: they are not copies of one file",
    };
  if (good.length === 0) return withoutGood(standing, rotten.length > 0);
  const missing = Math.max(0, wanted - good.length - rotten.length - standing.length);
  const isWhole = rotten.length + bad.length + missing === 0 && good.every(({ current }) => current);
  return isWhole ? { kind: "whole" } : { kind: "repair", wanted, good, rotten, standing, bad, missing };
}

function withoutGood(standing: readonly Found[], isRotten: boolean): Plan {
  const kinds = new Set(standing.map(({ finding }) => finding.kind));
  if (kinds.has("away"))
    return {
      ...{ kind: "problem", code: "REPLICATION_AWAY" },
      why: "no server with a good copy answers now",
    };
  if (kinds.has("closed"))
    return {
      ...{ kind: "problem", code: "REPLICATION_DENIED" },
      why: "the capabilities under this name do not allow to read it",
    };
  return {
    ...{ kind: "problem", code: "REPLICATION_LOST" },
    why: isRotten ? "every copy that is left has rotted" : "no copy is left",
  };
}

/** What came of a repair. */
export interface Repaired {
  /** Rotten ones that are good again. */
  readonly mended: readonly Found[];
  readonly made: readonly Capability[];
}

export interface NextSet {
  readonly set: CapabilitySet;
  /** Members that are not in it any more. */
  readonly dropped: readonly Found[];
  /** Members that are in it as out of date. */
  readonly marked: readonly Found[];
}

/** The set after a repair; null when it stays as it is. */
export function nextSet(
  before: CapabilitySet,
  { wanted, good, rotten, standing, bad }: Repair,
  { mended, made }: Repaired,
): NextSet | null {
  const unmended = rotten.filter((each) => !mended.includes(each));
  const useless = [...unmended, ...bad];
  const isEnough = good.length + mended.length + standing.length + made.length >= wanted;
  const sound = new Set([...good, ...mended]);
  const room = MEMBERS_MAX - made.length;
  const members: { capability: Capability; current: boolean }[] = [];
  const [dropped, marked]: [Found[], Found[]] = [[], []];
  // In their order, so that the first stays the first; what is useless only while there is room.
  const all = [...good, ...mended, ...standing, ...useless];
  const ordered = before.members.flatMap(({ capability }) =>
    all.filter((each) => each.capability === capability),
  );
  const needed = ordered.filter((each) => !useless.includes(each)).length;
  let spare = Math.max(0, room - needed);
  for (const each of ordered) {
    const { capability, current } = each;
    if (!useless.includes(each)) members.push({ capability, current: sound.has(each) || current });
    else if (isEnough || spare === 0) dropped.push(each);
    else {
      spare--;
      members.push({ capability, current: false });
      if (current) marked.push(each);
    }
  }
  members.push(...made.map((capability) => ({ capability, current: true })));
  const isSame =
    made.length === 0 &&
    members.length === before.members.length &&
    members.every(({ current }, index) => current === before.members[index]?.current);
  if (isSame || members.length === 0) return null;
  return { set: { initial: before.initial, final: members.length, members }, dropped, marked };
}
