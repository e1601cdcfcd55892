// Reads: from the nearest member in sync, elsewhere when it fails, and the bad copy is repaired.
//
// - The nearest is the one that has answered fastest of late.
// - When every copy of a block is rotten and a write was under way there when the last server ended, the
//   bytes of the first copy are taken as they are: an unfinished write may leave any mix of sectors.
//   Anywhere else it is DISK_ROT.
// - A port fills the buffer until its call ends; so a call that was given up is waited for before the
//   buffer is used for another one.

import { BLOCK_BYTES, type DiskExtent, TRANSFER_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { hasBit } from "../member/maps.js";
import { DIGEST_BYTES } from "../member/port.js";
import { extentBlocksOf } from "../member/record.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import type { MemberLink } from "./member-link.js";
import { repair, store } from "./repair.js";
import { checkRange } from "./writes.js";

interface Bad {
  readonly member: MemberLink;
  readonly error: DiskError;
}

/** Members in sync that answer and have a part, the nearest first. */
export const sourcesOf = (core: Core, part: Part): MemberLink[] =>
  part.members
    .flatMap((place) => core.members[place] ?? [])
    .filter((member) => member.isSource)
    .sort((a, b) => a.latencyMs - b.latencyMs);

/** One member's copy; ends when the port has let go of the buffer. */
async function readFrom(
  core: Core,
  member: MemberLink,
  block: number,
  buffer: Uint8Array,
): Promise<Uint8Array> {
  let sent: Promise<unknown> = Promise.resolve();
  try {
    return await core.ask(
      member,
      (port) => {
        const call = port.read(core.epoch, block, buffer);
        sent = call.catch(() => undefined);
        return call;
      },
      true,
    );
  } catch (error) {
    await sent;
    throw error;
  }
}

/** Fills the buffer from a good copy; answers the digests. The range must be held against writers. */
export async function readPart(core: Core, part: Part, buffer: Uint8Array): Promise<Uint8Array> {
  for (;;) {
    await core.gate();
    const failed: Bad[] = [];
    for (const member of sourcesOf(core, part)) {
      if (!member.isSource) continue; // it went, and may have come back blank, while another was asked
      try {
        const digests = await readFrom(core, member, part.memberBlock, buffer);
        for (const each of failed) repair(core, each.member, part, each.error.blocks);
        return digests;
      } catch (error) {
        if (core.ended !== null) throw core.ended;
        if (!(error instanceof DiskError)) throw error;
        if (error.code === "DISK_GONE") core.lose(member, error);
        else if (error.code !== "DISK_SILENT") failed.push({ member, error });
      }
    }
    const bad = failed.filter(({ member }) => member.isSource);
    if (bad.length === 0) continue; // all went down: the gate says when there is somebody again
    if (part.blocks > 1) {
      for (const { member, error } of bad)
        if (error.blocks.length > 0) repair(core, member, part, error.blocks);
      return readSingly(core, part, buffer);
    }
    return takeAsItIs(core, part, buffer, bad);
  }
}

/** Block by block: each may have its good copy elsewhere. */
async function readSingly(core: Core, part: Part, buffer: Uint8Array): Promise<Uint8Array> {
  const digests = new Uint8Array(part.blocks * DIGEST_BYTES);
  for (let at = 0; at < part.blocks; at++) {
    const one = { ...part, block: part.block + at, memberBlock: part.memberBlock + at, blocks: 1 };
    const from = buffer.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
    digests.set(await readPart(core, one, from), at * DIGEST_BYTES);
  }
  return digests;
}

async function takeAsItIs(
  core: Core,
  part: Part,
  buffer: Uint8Array,
  bad: readonly Bad[],
): Promise<Uint8Array> {
  const rotten = bad.find(({ error }) => error.code === "DISK_ROT");
  const first = bad[0];
  if (
    rotten === undefined ||
    !hasBit(core.unsure, Math.floor(part.memberBlock / extentBlocksOf(core.facts.blocks)))
  )
    throw (rotten ?? first)?.error;
  const member = core.members.find((each) => bad.some((one) => one.member === each)) ?? rotten.member;
  await core.ask(member, (port) => port.read(core.epoch, part.memberBlock, buffer, true), true);
  const digests = core.options.digests(buffer);
  // Every copy gets it before anybody sees it; the range is held against writers already.
  const copy = new Uint8Array(buffer); // a copy also of a Buffer, whose slices share its bytes
  await Promise.allSettled(bad.map((each) => store(core, each.member, part.memberBlock, copy, digests)));
  return digests;
}

export function read(core: Core, block: number, buffer: Uint8Array): Promise<void> {
  if (buffer.length > TRANSFER_BYTES) throw new DiskError("DISK_RANGE", "a call reads 1 MiB at most");
  const blocks = buffer.length / BLOCK_BYTES;
  checkRange(core, block, blocks);
  if (blocks === 0) return Promise.resolve();
  return core.request(async () => {
    const release = await core.locks.acquire(block, blocks, false);
    try {
      for (const part of core.algorithm.parts(core.entries, block, blocks)) {
        const from = (part.block - block) * BLOCK_BYTES;
        await readPart(core, part, buffer.subarray(from, from + part.blocks * BLOCK_BYTES));
      }
    } finally {
      release();
    }
  });
}

const chunkBlocks = 32 * 1024;

/** Holes and dirty blocks, as runs. */
export function extents(core: Core, block: number, blocks: number): Promise<readonly DiskExtent[]> {
  checkRange(core, block, blocks);
  return core.look(async () => {
    const found: { blocks: number; isHole: boolean; isDirty: boolean }[] = [];
    const add = (isHole: boolean, isDirty: boolean): void => {
      const last = found.at(-1);
      if (last?.isHole === isHole && last.isDirty === isDirty) last.blocks++;
      else found.push({ blocks: 1, isHole, isDirty });
    };
    for (let at = block; at < block + blocks; at += chunkBlocks)
      for (const part of core.algorithm.parts(core.entries, at, Math.min(chunkBlocks, block + blocks - at)))
        await extentsOf(core, part, add);
    return found;
  });
}

async function extentsOf(
  core: Core,
  part: Part,
  add: (isHole: boolean, isDirty: boolean) => void,
): Promise<void> {
  const digests = await storedDigests(core, part);
  const isDirty = new Uint8Array(part.blocks);
  const to = part.memberBlock + part.blocks;
  for (const place of part.members)
    for (const map of [core.members[place]?.copy, core.members[place]?.check])
      for (let from = part.memberBlock; map !== undefined; ) {
        const run = map.next(from, part.blocks);
        if (run === null || run.block >= to) break;
        isDirty.fill(1, run.block - part.memberBlock, run.block + run.blocks - part.memberBlock);
        from = run.block + run.blocks;
      }
  for (let at = 0; at < part.blocks; at++) add(isHoleAt(digests, at), isDirty[at] === 1);
}

export function isHoleAt(digests: Uint8Array, at: number): boolean {
  for (let byte = 0; byte < DIGEST_BYTES; byte++) if (digests[at * DIGEST_BYTES + byte] !== 0) return false;
  return true;
}

/** The digests of a part, from whoever in sync answers. */
export async function storedDigests(core: Core, part: Part): Promise<Uint8Array> {
  for (;;) {
    await core.gate();
    for (const member of sourcesOf(core, part)) {
      if (!member.isSource) continue;
      try {
        return await core.ask(member, (port) =>
          port.digests(core.epoch, part.memberBlock, part.blocks, false),
        );
      } catch (error) {
        if (core.ended !== null) throw core.ended;
        if (!(error instanceof DiskError)) throw error;
        if (error.code !== "DISK_SILENT") core.lose(member, error);
      }
    }
  }
}
