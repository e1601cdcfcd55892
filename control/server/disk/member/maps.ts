// Maps of extents as records have them, and records with maps of their own: plain bytes, bit i is
// bit i & 7 of byte i >> 3.
//
// - A map is `mapBytesOf` the storage's blocks long; another length is cut or filled up with zeros.

import { type MemberEntry, type MemberRecord, mapBytesOf } from "./record.js";

export const hasBit = (map: Uint8Array, bit: number): boolean =>
  (((map[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;

/** Sets a bit of a map, unless it lies outside. */
export function setBit(map: Uint8Array, bit: number): void {
  if (bit >> 3 < map.length) map[bit >> 3] = (map[bit >> 3] ?? 0) | (1 << (bit & 7));
}

/** A map with the bits of both; as long as the first. */
export const united = (one: Uint8Array, other: Uint8Array): Uint8Array =>
  one.map((byte, index) => byte | (other[index] ?? 0));

/** A map with the bits that both have; as long as the first. */
export const shared = (one: Uint8Array, other: Uint8Array): Uint8Array =>
  one.map((byte, index) => byte & (other[index] ?? 0));

/** A map of extents that are so many times as large. */
export function scaled(map: Uint8Array, factor: number, bytes: number): Uint8Array {
  const to = new Uint8Array(bytes);
  for (let bit = 0; bit < map.length * 8; bit++) if (hasBit(map, bit)) setBit(to, Math.floor(bit / factor));
  return to;
}

/** A record with this activity, whose maps are its own and of the right length. */
export function copyOf(record: MemberRecord, activity: Uint8Array): MemberRecord {
  const empty = new Uint8Array(mapBytesOf(record.storage.blocks));
  const members = record.members.map((each) => ({
    ...each,
    lacks: each.lacks === null ? null : united(empty, each.lacks),
  }));
  return { ...record, members, activity: united(empty, activity) };
}

/**
 * What a server says of a member, as this one keeps it. One that is out also lacks what may be under
 * way here; and what it lacked when it was out `before` it lacks still.
 */
export function lackingActivity(
  entry: MemberEntry,
  activity: Uint8Array,
  before: MemberEntry | undefined,
): MemberEntry {
  if (entry.state === "in-sync") return { ...entry, lacks: null };
  if (entry.state === "syncing") return entry;
  const lacks = united(activity, entry.lacks ?? new Uint8Array(0));
  const still = before?.state === "out" ? before.lacks : null;
  return { ...entry, lacks: still === null ? lacks : united(lacks, still) };
}
