// What a person may change of a storage while it is in use: its members, its size, what is taken for
// clean, and which of two histories counts.
//
// - Each ends when the members' records say so. A member that is added or replaced is blank, and is given
//   everything in the background, as one that comes back with a new medium is.
// - What would leave no valid copy, or too few to serve, is refused; nothing has changed then.

import { sameBytes } from "../../../kernel/bytes.js";
import { DiskError } from "../errors.js";
import { MEMBERS_MAX, type MemberEntry } from "../member/record.js";
import type { Core } from "./core.js";
import { emptyMap, isEmptyMap } from "./extents.js";
import type { MemberLink } from "./member-link.js";
import { keep } from "./returning.js";
import { changed, type Settings } from "./upkeep.js";

const refuse = (core: Core, why: string): DiskError =>
  new DiskError("DISK_NO_QUORUM", `${core.facts.name}: ${why}; nothing was changed`);

export function memberOf(core: Core, id: Uint8Array): MemberLink {
  const found = core.members.find(({ entry }) => sameBytes(entry.id, id));
  if (found !== undefined) return found;
  throw new DiskError("DISK_FOREIGN", `${core.facts.name} has no such member; see who are its members`);
}

function checkMirror(core: Core): void {
  if (core.algorithm.isWhole(core.entries, (place) => core.members[place]?.entry.isWitness === false)) {
    const ones = core.members.filter(({ entry }) => !entry.isWitness).length;
    if (ones === 1 || core.algorithm.isWhole(core.entries, (place) => place === firstPlace(core))) return;
  }
  throw refuse(core, `the members of a ${core.facts.algorithm} storage are for life`);
}

const firstPlace = (core: Core): number => core.members.findIndex(({ entry }) => !entry.isWitness);

/** Adds a member with data, or a witness. Its record is made when its medium answers. */
export async function addMember(
  core: Core,
  entry: Pick<MemberEntry, "id" | "node" | "path" | "capability" | "isWitness">,
): Promise<void> {
  await core.gate();
  if (!entry.isWitness) checkMirror(core);
  if (core.members.length >= MEMBERS_MAX) throw refuse(core, `it has ${MEMBERS_MAX} members, the most`);
  if (core.members.some((each) => sameBytes(each.entry.id, entry.id))) return;
  const blocks = entry.isWitness ? 0 : core.facts.blocks;
  const member = core.link({ ...entry, blocks, state: "out", since: 0n, lacks: null });
  if (entry.isWitness) member.entry = { ...member.entry, state: "in-sync" };
  else member.check.set(0, core.facts.blocks);
  // With one more, more have to answer: whoever answers now has to suffice.
  const needed = core.facts.serve === "majority" ? Math.floor((core.members.length + 1) / 2) + 1 : 1;
  if (core.votes < needed - 1) throw refuse(core, "too few members answer");
  core.members = [...core.members, member];
  void keep(core, member);
  core.changed.fire();
  await core.records.commit();
}

/** Takes a member off the list. Its medium keeps what it has: a backup, when it was in sync and flushed. */
export async function removeMember(core: Core, id: Uint8Array): Promise<void> {
  await core.gate();
  const member = memberOf(core, id);
  if (!member.entry.isWitness) checkMirror(core);
  if (!member.entry.isWitness && !core.isWholeWithout(member))
    throw refuse(core, "it is the last valid copy");
  const left = core.members.filter((each) => each !== member);
  const needed = core.facts.serve === "majority" ? Math.floor(left.length / 2) + 1 : 1;
  if (left.filter(({ isUp }) => isUp).length < needed) throw refuse(core, "too few would answer");
  const release = await core.locks.acquire(0, core.facts.blocks, true);
  try {
    await core.gate();
    // A generation that it does not have: put back some day, it is behind.
    core.turnSoon(true);
    member.isRemoved = true;
    core.members = left;
    member.down(null);
    member.close();
    core.changed.fire();
  } finally {
    release();
  }
  await core.records.commit();
}

/** For an offline backup: what has ended is on its medium, then it is taken off the list. */
export async function detachMember(core: Core, id: Uint8Array): Promise<void> {
  const member = memberOf(core, id);
  if (member.entry.state !== "in-sync" || !member.isUp)
    throw refuse(core, "it is not in sync, so it is no backup; wait until it is");
  await core.ask(member, (port) => port.flush(core.epoch));
  await removeMember(core, id);
}

/** Puts another medium in a member's place: the new one is given everything, then the old one is let go. */
export async function replaceMember(
  core: Core,
  id: Uint8Array,
  by: Pick<MemberEntry, "id" | "node" | "path" | "capability">,
): Promise<void> {
  const old = memberOf(core, id);
  const { isWitness } = old.entry;
  if (old.entry.state === "in-sync" && old.isUp && core.members.length < MEMBERS_MAX) {
    await addMember(core, { ...by, isWitness });
    const made = memberOf(core, by.id);
    while (core.ended === null && !(made.isUp && made.entry.state === "in-sync")) await core.changed.wait();
    return removeMember(core, id);
  }
  if (!isWitness && !core.isWholeWithout(old)) throw refuse(core, "it is the last valid copy");
  await removeMember(core, id);
  await addMember(core, { ...by, isWitness });
}

/** Makes it larger; every member has to have the room, and to answer. */
export async function grow(core: Core, blocks: number): Promise<void> {
  await core.gate();
  checkMirror(core);
  if (blocks <= core.facts.blocks)
    throw new DiskError("DISK_RANGE", "a storage only grows; nothing was changed");
  const withData = core.members.filter(({ entry }) => !entry.isWitness);
  if (withData.some((member) => !member.isUp || member.entry.state !== "in-sync") || !isEmptyMap(core.unsure))
    throw refuse(core, "it grows only while every member is in sync");
  for (const member of withData) {
    const found = await core.ask(member, (port) => port.look());
    if (found.blocks < blocks)
      throw new DiskError(
        "DISK_SHORT",
        `${member.entry.node}:${member.entry.path} is too small; make it larger`,
      );
  }
  const release = await core.locks.acquire(0, core.facts.blocks, true);
  try {
    core.facts = { ...core.facts, blocks };
    core.unsure = emptyMap(blocks);
    for (const member of withData) member.resize(blocks);
  } finally {
    release();
  }
  await core.records.commit();
  core.changed.fire();
}

/** How patient it is with members, and what goes on in its background. */
export async function changeSettings(core: Core, settings: Partial<Settings>): Promise<void> {
  await core.gate();
  core.setUpkeep(changed(core.upkeep, settings, core.wall()));
  core.changed.fire();
  await core.records.commit();
}

/** Says that a member may lack anything: all of it is compared, and given where it differs. */
export async function markDirty(core: Core, id: Uint8Array): Promise<void> {
  await core.gate();
  const member = memberOf(core, id);
  if (member.entry.isWitness) return;
  if (member.entry.state === "in-sync" && !core.isWholeWithout(member))
    throw refuse(core, "it is the last valid copy");
  const wasInSync = member.entry.state === "in-sync";
  core.takeOut(member);
  if (wasInSync) core.turnSoon(true);
  member.check.set(0, core.facts.blocks);
  member.percent = 0;
  member.down(null); // it comes back at once, and is classified anew
  core.changed.fire();
  await core.records.commit();
}

/** Says that a member lacks nothing, on the word of a person: what its maps name is not compared. */
export async function markClean(core: Core, id: Uint8Array): Promise<void> {
  await core.gate();
  const member = memberOf(core, id);
  if (member.entry.isWitness || member.entry.state === "in-sync") return;
  if (member.entry.state !== "syncing") throw refuse(core, "it does not answer; start it first");
  member.copy.clear(0, core.facts.blocks);
  member.check.clear(0, core.facts.blocks);
  core.changed.fire();
}

/** Of a member that went its own way: its blocks are saved as a branch, then it becomes a copy of ours. */
export function healMember(core: Core, id: Uint8Array): void {
  const member = memberOf(core, id);
  member.isHealing = true;
  member.failure = null;
  core.changed.fire();
}
