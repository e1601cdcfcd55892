// Who has a valid copy, who lacks what, and whether the storage may be served: decided from what was
// found on the media, and from nothing else.
//
// - Pure. `chief` is the record that counts: of the newest generation, then of the highest epoch.
// - A copy is valid when the member's own record has the newest generation and says that it is in sync.
//   A generation that another record's history names, or that another record names as the one with which
//   the member went out, is behind: it never wins, whoever came up first.
// - Two generations of which neither is behind the other are two histories: a split brain.
// - A medium that is blank, or of another storage, is never a source and has no vote: what it knew is gone.
// - Source: the generations of DRBD, condensed (storage.md A5.1); its union rule for what to copy.

import { sameBytes } from "../../../kernel/bytes.js";
import type { MemberFound } from "../member/port.js";
import { type MemberEntry, type MemberRecord, mapBytesOf } from "../member/record.js";
import { algorithmOf } from "./algorithm.js";
import { isEmptyMap, union } from "./extents.js";

/** What was found at the place of a member; null: no answer. */
export interface Seen {
  readonly id: Uint8Array;
  readonly found: MemberFound | null;
}

/** What a target has to be given. */
export type Lack =
  /** Nothing: it has missed no write. */
  | { readonly mode: "none" }
  /** What differs in some extents. */
  | { readonly mode: "extents"; readonly extents: Uint8Array }
  /** What differs, anywhere. */
  | { readonly mode: "all-by-digest" }
  /** Everything: the medium holds nothing of this storage. */
  | { readonly mode: "all-blank" };

export interface Target {
  /** Its place in `chief.members`. */
  readonly place: number;
  readonly lack: Lack;
  /** It went its own way: what it has and others lack is saved first. */
  readonly isDiverged: boolean;
}

/** One of two histories. */
export interface Side {
  readonly generation: bigint;
  readonly epoch: number;
  /** Ids of the members with a valid copy of it. */
  readonly members: readonly Uint8Array[];
}

export type Decision =
  | {
      readonly kind: "serve";
      readonly chief: MemberRecord;
      /** Places of the members with a valid copy, which agree outside of `unsure`. */
      readonly inSync: readonly number[];
      readonly targets: readonly Target[];
      /** Extents in which writes were under way when the last server ended. */
      readonly unsure: Uint8Array;
      /** Another generation has to begin before anything is answered. */
      readonly isTurning: boolean;
    }
  | { readonly kind: "wait"; readonly votes: number; readonly needed: number }
  | { readonly kind: "no-copy"; readonly chief: MemberRecord; readonly missing: readonly Uint8Array[] }
  | { readonly kind: "split"; readonly chief: MemberRecord; readonly sides: readonly Side[] };

export interface DecisionOptions {
  /** The age of the storage: media of another one are foreign. */
  readonly age: Uint8Array;
  /** A split brain may be ended by keeping one side, because the other is saved. */
  readonly mayKeep: boolean;
  /** The member whose side a person has named. */
  readonly winner?: Uint8Array;
}

/** How many members have to answer. */
export const votesNeeded = ({ storage, members }: Pick<MemberRecord, "storage" | "members">): number =>
  storage.serve === "majority" ? Math.floor(members.length / 2) + 1 : 1;

/** Who has to have a write before it is acknowledged, of so many in sync: the first in the list. */
export function acksNeeded(ack: "all" | "quorum" | "one", inSync: number, voters: number): number {
  if (ack === "all") return inSync;
  return Math.min(inSync, ack === "one" ? 1 : Math.floor(voters / 2) + 1);
}

export const entryOf = (record: MemberRecord, id: Uint8Array): MemberEntry | undefined =>
  record.members.find((entry) => sameBytes(entry.id, id));

/** Whether what `one` knows is behind what `other` knows. */
export function isBehind(one: MemberRecord, other: MemberRecord): boolean {
  if (one.generation === other.generation) return false;
  if (other.history.includes(one.generation)) return true;
  const entry = entryOf(other, one.member);
  return entry !== undefined && entry.state !== "in-sync" && entry.since === one.generation;
}

const isInSync = (record: MemberRecord): boolean => {
  const own = entryOf(record, record.member);
  return own !== undefined && !own.isWitness && own.state === "in-sync";
};

/** The record of a medium that is of this storage; null for a blank or foreign one, or none. */
function recordOf({ found }: Seen, age: Uint8Array): MemberRecord | null {
  return found?.kind === "member" && sameBytes(found.record.storage.age, age) ? found.record : null;
}

function newest(records: readonly MemberRecord[]): MemberRecord {
  return records.reduce((best, each) => {
    if (isBehind(best, each)) return each;
    return best.generation === each.generation && each.epoch > best.epoch ? each : best;
  });
}

/** The histories of which none is behind another, the one to be kept first. */
function sidesOf(records: readonly MemberRecord[], winner: Uint8Array | undefined): Side[] {
  const tips = records.filter((one) => !records.some((other) => isBehind(one, other)));
  const sides = [...new Set(tips.map(({ generation }) => generation))].map((generation): Side => {
    const of = tips.filter((each) => each.generation === generation);
    return {
      generation,
      epoch: Math.max(...of.map(({ epoch }) => epoch)),
      members: of.filter(isInSync).map(({ member }) => member),
    };
  });
  const isNamed = (side: Side): number =>
    winner !== undefined && side.members.some((id) => sameBytes(id, winner)) ? 1 : 0;
  return sides.sort(
    (a, b) =>
      isNamed(b) - isNamed(a) ||
      b.members.length - a.members.length ||
      b.epoch - a.epoch ||
      (a.generation < b.generation ? -1 : 1),
  );
}

/** What a member's record says that it lacks, seen from records of the newest generation. */
export function lackOf(
  member: MemberRecord,
  sources: readonly MemberRecord[],
  unsure: Uint8Array,
): { readonly lack: Lack; readonly isDiverged: boolean } {
  const { blocks } = member.storage;
  const isDiverged = !sources.some(
    (source) => member.generation === source.generation || isBehind(member, source),
  );
  const known = sources.map((source) => entryOf(source, member.member));
  const own = entryOf(member, member.member);
  const isKnown = known.every((entry) => {
    if (entry === undefined || (entry.state !== "in-sync" && entry.lacks === null)) return false;
    const isSame = member.generation === sources[0]?.generation;
    return isSame || (entry.state !== "in-sync" && entry.since === member.generation);
  });
  const isSameSize = sources.every((source) => mapBytesOf(source.storage.blocks) === mapBytesOf(blocks));
  if (!isKnown || isDiverged || !isSameSize) return { lack: { mode: "all-by-digest" }, isDiverged };
  const lacks = known.map((entry) => entry?.lacks ?? null);
  const extents = union(blocks, ...lacks, own?.lacks ?? null, member.activity, unsure);
  return { lack: isEmptyMap(extents) ? { mode: "none" } : { mode: "extents", extents }, isDiverged };
}

export function decide(seen: readonly Seen[], options: DecisionOptions): Decision {
  const records = seen.flatMap((each) => recordOf(each, options.age) ?? []);
  if (records.length === 0) return { kind: "wait", votes: 0, needed: 1 };
  const chief0 = newest(records);
  const counted = records.filter((each) => entryOf(chief0, each.member) !== undefined);
  const needed = votesNeeded(chief0);
  if (counted.length < needed) return { kind: "wait", votes: counted.length, needed };

  const sides = sidesOf(counted, options.winner);
  const withCopy = sides.filter((side) => side.members.length > 0);
  const isNamed = options.winner !== undefined;
  if (withCopy.length > 1 && !options.mayKeep && !isNamed) return { kind: "split", chief: chief0, sides };
  const side = sides[0];
  const tips = counted.filter((each) => each.generation === side?.generation);
  const chief = tips.length === 0 ? chief0 : newest(tips);
  const has = (place: number): boolean => {
    const id = chief.members[place]?.id;
    return id !== undefined && (side?.members.some((each) => sameBytes(each, id)) ?? false);
  };
  const algorithm = algorithmOf(chief.storage.algorithm);
  const hasOther = !isNamed && withCopy.length !== sides.length;
  if (side === undefined || hasOther || !algorithm?.isWhole(chief.members, has)) {
    const answering = (entry: MemberEntry) => counted.some((each) => sameBytes(each.member, entry.id));
    const missing = chief.members.filter((entry) => !entry.isWitness && !answering(entry));
    return { kind: "no-copy", chief, missing: missing.map(({ id }) => id) };
  }
  return serve(seen, options.age, chief, tips, has);
}

/** The members' parts once it is known whose history counts. */
function serve(
  seen: readonly Seen[],
  age: Uint8Array,
  chief: MemberRecord,
  tips: readonly MemberRecord[],
  has: (place: number) => boolean,
): Decision {
  const valid = chief.members.flatMap((_, place) => (has(place) ? [place] : []));
  const isValid = (record: MemberRecord) =>
    valid.some((place) => sameBytes(chief.members[place]?.id ?? age, record.member));
  const sources = tips.filter(isValid);
  const { blocks } = chief.storage;
  const unsure = union(blocks, ...sources.map(({ activity }) => activity));
  const wasInSync = chief.members.filter((entry) => !entry.isWitness && entry.state === "in-sync").length;
  const isMirrored = algorithmOf(chief.storage.algorithm)?.isWhole(chief.members, (p) => p === valid[0]);
  // Of copies that may differ where writes were under way, the first in the list counts: acksNeeded.
  const isTorn = isMirrored === true && !isEmptyMap(unsure);
  const inSync = isTorn ? valid.slice(0, 1) : valid;
  const targets = chief.members.flatMap((entry, place): Target[] => {
    if (entry.isWitness || inSync.includes(place)) return [];
    const at = seen.find(({ id }) => sameBytes(id, entry.id));
    const record = at === undefined ? null : recordOf(at, age);
    if (record === null)
      return at?.found === null || at === undefined
        ? []
        : [{ place, lack: { mode: "all-blank" }, isDiverged: false }];
    if (!sameBytes(record.member, entry.id) && entryOf(chief, record.member) !== undefined) return []; // misplaced
    if (!sameBytes(record.member, entry.id))
      return [{ place, lack: { mode: "all-blank" }, isDiverged: false }];
    if (has(place)) return [{ place, lack: { mode: "extents", extents: unsure }, isDiverged: false }];
    return [{ place, ...lackOf(record, sources, unsure) }];
  });
  const isTurning = isTorn && wasInSync > 1;
  return { kind: "serve", chief, inSync, targets, unsure, isTurning };
}
