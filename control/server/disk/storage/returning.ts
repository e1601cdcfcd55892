// The way back of a member that is down: asked for ever, looked at before anything is asked of it, and
// put where it belongs.
//
// - One loop a member, with a back-off that is reset only when the member has stayed for a while: one that
//   comes and goes is not asked thirteen times a second (storage.md A5.1).
// - A medium that is blank, or of another storage, is adopted and lacks everything. One of this storage
//   lacks what the maps say, when it is the one that went out; else what its digests say.
// - A member that went its own way is saved as a branch first, or waits for a person (split.ts).
// - A later epoch or history on it ends this server: another one has the storage. So does a blank medium
//   in the place of the last copy: what is known of the others on their media is all there is.

import { sameBytes } from "../../../kernel/bytes.js";
import { DiskError } from "../errors.js";
import type { MemberFound } from "../member/port.js";
import type { MemberEntry, MemberRecord } from "../member/record.js";
import type { Core } from "./core.js";
import { entryOf, isBehind } from "./decision.js";
import { runsOf, union } from "./extents.js";
import type { MemberLink } from "./member-link.js";
import { resync } from "./resync.js";
import { settleUnsure } from "./settle.js";
import { saveBranch } from "./split.js";

/** A medium may have to be written with zeros from end to end. */
const adoptMsPerBlock = 0.2;

/** A call that ends in time, with DISK_SILENT. */
export function inTime<T>(core: Core, work: Promise<T>, milliseconds: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = new DiskError("DISK_SILENT", "no answer in time; the member is asked again");
    const cancel = core.options.after(milliseconds, () => reject(late));
    work.finally(cancel).then(resolve, reject);
  });
}

/** Brings a member back whenever it is down, until the server ends or the member is removed. */
export async function keep(core: Core, member: MemberLink): Promise<void> {
  const { retryMinMs, retryMaxMs } = core.policy;
  let delay = retryMinMs;
  let upAt = Number.POSITIVE_INFINITY;
  while (core.ended === null && !member.isRemoved) {
    if (member.link === "up") {
      await core.changed.wait();
      continue;
    }
    if (core.now() - upAt > retryMaxMs) delay = retryMinMs;
    upAt = Number.POSITIVE_INFINITY;
    try {
      await comeBack(core, member);
      if (member.isUp) upAt = core.now();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.code !== "DISK_SILENT" && error.code !== "DISK_GONE") member.failure = error;
    }
    if (member.isUp) continue;
    const [part = 0] = core.options.random(1);
    await core.pause(delay * (1 + part / 512));
    delay = Math.min(retryMaxMs, delay * 2);
  }
}

async function comeBack(core: Core, member: MemberLink): Promise<void> {
  const found = await inTime(core, member.port.look(), core.policy.memberTimeoutMs);
  if (core.ended !== null || member.isRemoved) return;
  if (found.kind === "blank" || !sameBytes(found.record.storage.age, core.facts.age))
    return adopt(core, member, found);
  const { record } = found;
  if (!sameBytes(record.member, member.entry.id)) {
    if (core.members.every(({ entry }) => !sameBytes(entry.id, record.member)))
      return adopt(core, member, found);
    throw new DiskError("DISK_FOREIGN", "the medium of another member is in its place; put it back");
  }
  if (record.epoch > core.epoch || (record.epoch === core.epoch && record.server !== core.server))
    return core.end(new DiskError("DISK_FENCED", "another server has the storage; use that one"));
  const isSameLife = await isBoundStill(core, member, record);
  const bound = isSameLife ? record : await fence(core, member);
  if (core.ended !== null || member.isRemoved || member.isUp) return;
  member.generation = bound.generation;
  if (member.entry.isWitness) return settle(core, member);
  if (member.entry.state === "in-sync") return goOn(core, member, bound, isSameLife);
  return join(core, member, bound);
}

async function isBoundStill(core: Core, member: MemberLink, record: MemberRecord): Promise<boolean> {
  if (record.epoch !== core.epoch || member.isRebound) return false;
  try {
    const sentAt = core.now();
    await inTime(core, member.port.renew(core.epoch, core.done), core.policy.memberTimeoutMs);
    member.renewedAt = sentAt;
    return true;
  } catch (error) {
    if (error instanceof DiskError && error.code !== "DISK_SILENT") return false;
    throw error;
  }
}

async function fence(core: Core, member: MemberLink): Promise<MemberRecord> {
  const { epoch, server, facts } = core;
  const sentAt = core.now();
  const claim = { epoch, server, age: facts.age };
  member.isRebound = true;
  const record = await inTime(core, member.port.fence(claim), core.policy.memberTimeoutMs);
  // Copies of what has ended that come late find that they are too late, also in this life of it.
  await inTime(core, member.port.renew(epoch, core.done), core.policy.memberTimeoutMs);
  member.renewedAt = sentAt;
  return record;
}

/** In sync, as far as it goes: only its link was down. */
async function goOn(
  core: Core,
  member: MemberLink,
  record: MemberRecord,
  isSameLife: boolean,
): Promise<void> {
  if (!isSameLife && core.isWholeWithout(member)) {
    core.takeOut(member);
    return join(core, member, record);
  }
  if (!isSameLife) {
    if (core.isUnflushed) core.isCacheLost = true;
    core.doubt(member, record.activity);
  }
  await settle(core, member);
  for (const other of core.members)
    if (other !== member && other.isSuspect && other.isUp && core.isWholeWithout(other)) {
      core.takeOut(other);
      other.down(null); // it comes back at once, and is given what it has lost
    }
  if (!isSameLife) for (const again of [...core.unacked]) again(member);
  void settleUnsure(core);
}

async function settle(core: Core, member: MemberLink): Promise<void> {
  member.up();
  core.log(`${member.entry.node}:${member.entry.path} is back`);
  core.evaluate();
  core.changed.fire();
  void core.records.commit();
}

/** Gives it a place among those that get every write, and what it lacks. */
async function join(core: Core, member: MemberLink, record: MemberRecord): Promise<void> {
  const ours = core.records.recordFor(member.entry);
  const isSame = record.generation === core.generation;
  if (!isSame && isBehind(ours, record))
    return core.end(new DiskError("DISK_FENCED", "a member has a later history; open the storage anew"));
  const isOld = isSame || isBehind(record, ours);
  if (!isOld) await giveUp(core, member, record);
  if (core.ended !== null || member.isRemoved) return;
  const isKnown = isOld && (isSame || member.entry.since === record.generation);
  const own = entryOf(record, record.member);
  const blocks = core.facts.blocks;
  if (!isKnown || record.storage.blocks !== blocks) member.check.set(0, blocks);
  else
    for (const map of [record.activity, own?.lacks ?? null, core.unsure])
      if (map !== null) for (const run of runsOf(map, blocks)) member.check.set(run.block, run.blocks);
  member.earlier = union(blocks, member.earlier, record.activity);
  begin(core, member);
}

/**
 * A history of its own ends: what was written is saved, and then, before the first of its blocks is
 * overwritten, the medium says that it is no copy any more. Neither is ever half there and taken for whole.
 */
async function giveUp(core: Core, member: MemberLink, record: MemberRecord): Promise<void> {
  await saveBranch(core, member, record);
  if (core.ended !== null || member.isRemoved) return;
  member.entry = { ...member.entry, state: "out", since: 0n };
  member.check.set(0, core.facts.blocks);
  const { members, ...rest } = core.records.adoptionFor(member.entry);
  const isIt = ({ id }: MemberEntry): boolean => sameBytes(id, member.entry.id);
  const own = members.map((each): MemberEntry => (isIt(each) ? { ...each, state: "syncing" } : each));
  await inTime(core, member.port.update({ ...rest, members: own }), core.policy.operationLimitMs);
}

/** Makes a medium that holds nothing of the storage its member. */
async function adopt(core: Core, member: MemberLink, found: MemberFound): Promise<void> {
  const { entry } = member;
  const place = core.members.indexOf(member);
  const needed = entry.isWitness ? 0 : core.algorithm.memberBlocks(core.entries, place, core.facts.blocks);
  if (found.blocks < needed)
    throw new DiskError(
      "DISK_SHORT",
      `it has ${found.blocks} blocks, ${needed} are needed; give it more room`,
    );
  if (!entry.isWitness && entry.state !== "out") {
    // Others may have gone out a moment ago, which no medium says and no write has seen: media decide.
    if (entry.state === "in-sync" && !core.isWholeWithout(member))
      return core.end(new DiskError("DISK_FENCED", "the last copy is blank; open the storage anew"));
    member.failure = new DiskError("DISK_FOREIGN", "its medium is blank");
    core.takeOut(member);
  }
  const state = entry.isWitness ? "in-sync" : "syncing";
  member.check.set(0, core.facts.blocks);
  member.entry = { ...member.entry, since: 0n };
  const record = core.records.adoptionFor(member.entry);
  const isIt = (each: MemberEntry): boolean => sameBytes(each.id, entry.id);
  const members = record.members.map((each): MemberEntry => (isIt(each) ? { ...each, state } : each));
  const sentAt = core.now();
  const limit = core.policy.operationLimitMs + needed * adoptMsPerBlock;
  await inTime(core, member.port.adopt({ ...record, members }), limit);
  if (core.ended !== null || member.isRemoved) return;
  member.renewedAt = sentAt;
  member.generation = record.generation;
  member.percent = 0;
  member.earlier = null;
  core.log(`${entry.node}:${entry.path} was blank and is a member now`);
  if (entry.isWitness) return settle(core, member);
  member.isEmpty = true;
  begin(core, member);
}

function begin(core: Core, member: MemberLink): void {
  member.entry = { ...member.entry, state: "syncing" };
  member.up();
  core.log(`${member.entry.node}:${member.entry.path} is back, ${member.dirtyBlocks} blocks to look at`);
  core.evaluate();
  core.changed.fire();
  void core.records.commit();
  void resync(core, member);
}
