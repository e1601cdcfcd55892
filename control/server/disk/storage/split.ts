// Two histories: the loser's blocks are saved as a branch before it becomes a copy of the winner.
//
// - The side that serves wins. A person says otherwise with heal, which opens the storage anew with a
//   member named (operations.ts); so it works from any side.
// - Without a place for branches, or when the storage's policy is `ask`, the loser is left as it is, and
//   DISK_SPLIT says so, until a person heals it. So it is while there is no room for the branch.
// - Kept is every block that the loser may have written since the split, as its record says, and every
//   other one that differs now. A loser that has written nothing has nothing to keep.
// - It is called again when it was cut short, and goes on then (branches.ts). One piece is in memory.

import { branchBlock } from "../branch/layout.js";
import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { DIGEST_BYTES, type MemberPort } from "../member/port.js";
import type { MemberRecord } from "../member/record.js";
import { BRANCH_PIECE_BLOCKS, type Branch, type Branches, type BranchPiece } from "./branches.js";
import type { Core } from "./core.js";
import { entryOf } from "./decision.js";
import type { Run } from "./dirty-map.js";
import { isEmptyMap, runsOf, union } from "./extents.js";
import type { MemberLink } from "./member-link.js";
import { isHoleAt, storedDigests } from "./reads.js";
import { inTime } from "./returning.js";

interface Loser {
  readonly core: Core;
  readonly member: MemberLink;
  readonly record: MemberRecord;
  /** Extents that it may have written since the split; null: it does not say. */
  readonly written: Uint8Array | null;
}

/** Saves what a member has of its own. Rejects with DISK_SPLIT when a person has to decide first. */
export async function saveBranch(core: Core, member: MemberLink, record: MemberRecord): Promise<void> {
  const { branches } = core.options;
  const loser: Loser = { core, member, record, written: writtenBy(core, record) };
  if (loser.written !== null && isEmptyMap(loser.written)) {
    core.log(`${nameOf(loser)} went its own way and has written nothing: nothing is lost`);
    return;
  }
  const isAllowed = core.facts.onSplit === "keep" || member.isHealing;
  if (!isAllowed) throw new DiskError("DISK_SPLIT", "it has a history of its own; say which side counts");
  if (branches === undefined)
    throw new DiskError(
      "DISK_SPLIT",
      "it has a history of its own, and the machine that serves keeps no branches; give it a state folder",
    );
  try {
    await keep(loser, branches);
  } catch (error) {
    if (!(error instanceof DiskError) || (error.code !== "DISK_FULL" && error.code !== "DISK_MEDIUM"))
      throw error;
    throw new DiskError(
      "DISK_SPLIT",
      `its own history cannot be kept: ${error.message}; make room in the state folder of the machine that serves`,
      [],
      { cause: error },
    );
  }
  member.isHealing = false;
}

const nameOf = ({ member: { entry } }: Loser): string => `${entry.node}:${entry.path}`;

/** What the loser's record says that our copies lack, and what it was at; null when it knows too little. */
function writtenBy(core: Core, record: MemberRecord): Uint8Array | null {
  const sources = core.members.filter(({ isSource }) => isSource);
  const lacks = sources.map(({ entry }) => {
    const known = entryOf(record, entry.id);
    return known === undefined || known.state === "in-sync" ? null : known.lacks;
  });
  const all = lacks.flatMap((map) => (map === null ? [] : [map]));
  if (all.length === 0 || all.length < lacks.length) return null;
  return union(record.storage.blocks, ...all, record.activity);
}

async function keep(loser: Loser, branches: Branches): Promise<void> {
  const { core, member, record } = loser;
  const { node, path, id } = member.entry;
  const facts = {
    ...{ age: core.facts.age, name: core.facts.name, member: id, node, path },
    ...{ generation: record.generation, other: core.generation, blocks: record.storage.blocks },
  };
  let branch = await branches.create(facts);
  try {
    if (branch.isKept && !(await isWhole(loser, branch))) {
      await branches.release(branch);
      branch = await branches.create(facts, true);
    }
    if (!branch.isKept) {
      core.log(`split brain: the history of ${nameOf(loser)} is being kept as branch ${branch.id}`);
      for (const run of pieces(record)) await keepPiece(loser, branch, run);
      await branch.close();
    }
  } finally {
    await branches.release(branch);
  }
  core.log(`split brain: the history of ${nameOf(loser)} is kept as branch ${branch.id}`);
}

function* pieces({ storage: { blocks } }: MemberRecord): Generator<Run> {
  for (let block = 0; block < blocks; block += BRANCH_PIECE_BLOCKS)
    yield { block, blocks: Math.min(BRANCH_PIECE_BLOCKS, blocks - block) };
}

/** A branch that was closed is all that there is to keep. */
async function isWhole(loser: Loser, branch: Branch): Promise<boolean> {
  for (const run of pieces(loser.record))
    if (!(await branch.has(run.block, await digestsOf(loser, run), mustKeep(loser, run)))) return false;
  return true;
}

async function keepPiece(loser: Loser, branch: Branch, run: Run): Promise<void> {
  const its = await digestsOf(loser, run);
  const must = mustKeep(loser, run);
  if (!(await branch.has(run.block, its, must))) {
    const states = await statesOf(loser, run, its, must);
    await branch.put({ block: run.block, states, digests: its, data: await dataOf(loser, run, states) });
  }
  await branch.passed(run.block);
  tell(loser, branch, run);
}

/** How far it is, where a person looks. */
function tell({ member, record }: Loser, { id }: Branch, { block, blocks }: Run): void {
  const percent = Math.floor((100 * (block + blocks)) / record.storage.blocks);
  member.failure = new DiskError("DISK_SPLIT", `its own history is being kept as branch ${id}, ${percent} %`);
}

function ask<T>({ core, member }: Loser, work: (port: MemberPort) => Promise<T>): Promise<T> {
  if (core.ended !== null) throw core.ended;
  return inTime(core, work(member.port), core.policy.operationLimitMs);
}

const digestsOf = (loser: Loser, { block, blocks }: Run): Promise<Uint8Array> =>
  ask(loser, (port) => port.digests(loser.core.epoch, block, blocks, true));

/** Which of the blocks the loser may have written since the split. */
function mustKeep({ record, written }: Loser, { block, blocks }: Run): Uint8Array {
  const must = new Uint8Array(blocks);
  if (written === null) return must;
  for (const run of runsOf(written, record.storage.blocks)) {
    const from = Math.max(block, run.block) - block;
    const to = Math.min(block + blocks, run.block + run.blocks) - block;
    if (to > from) must.fill(1, from, to);
  }
  return must;
}

async function statesOf(
  { core, member }: Loser,
  { block, blocks }: Run,
  its: Uint8Array,
  must: Uint8Array,
): Promise<Uint8Array> {
  const members = core.members.flatMap((each, place) =>
    each === member || each.entry.isWitness ? [] : [place],
  );
  const common = Math.max(0, Math.min(blocks, core.facts.blocks - block));
  const ours =
    common === 0
      ? new Uint8Array(0)
      : await storedDigests(core, { block, blocks: common, memberBlock: block, members });
  return must.map((isMust, at) => {
    const [from, to] = [at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES];
    const isSame = at < common && Buffer.compare(ours.subarray(from, to), its.subarray(from, to)) === 0;
    if (isMust === 0 && isSame) return branchBlock.same;
    return isHoleAt(its, at) ? branchBlock.hole : branchBlock.kept;
  });
}

/** The bytes of the blocks that are kept, in the places of all. */
async function dataOf(
  loser: Loser,
  { block, blocks }: Run,
  states: Uint8Array,
): Promise<BranchPiece["data"]> {
  const data = new Uint8Array(blocks * BLOCK_BYTES);
  for (let at = 0; at < blocks; at++) {
    if (states[at] !== branchBlock.kept) continue;
    const from = at;
    while (at + 1 < blocks && states[at + 1] === branchBlock.kept) at++;
    const room = data.subarray(from * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
    await ask(loser, (port) => port.read(loser.core.epoch, block + from, room, true));
  }
  return data;
}
