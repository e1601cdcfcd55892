// Writes a good copy over a bad one.
//
// - In the background, holding the range against writers; what was written meanwhile is read anew.
// - A member that cannot be written to is lost, as after any write that failed.

import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { DIGEST_BYTES, type MemberWrite, type Sequenced } from "../member/port.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import type { MemberLink } from "./member-link.js";
import { isHoleAt, readPart } from "./reads.js";

/** Repairs some blocks of a part on a member; `blocks` are the member's, none: all of the part. */
export function repair(core: Core, member: MemberLink, part: Part, blocks: readonly number[]): void {
  const to = part.memberBlock + part.blocks;
  const inPart = blocks.filter((block) => block >= part.memberBlock && block < to);
  const all = Array.from({ length: part.blocks }, (_, at) => part.memberBlock + at);
  const work = async (): Promise<void> => {
    for (const block of inPart.length === 0 ? all : inPart) {
      const at = part.block + block - part.memberBlock;
      await repairBlock(core, member, { ...part, block: at, memberBlock: block, blocks: 1 });
    }
  };
  work().catch((error: unknown) => {
    if (!(error instanceof DiskError)) throw error;
    core.log(`a bad copy could not be repaired: ${error.message}`);
  });
}

/** One block, from the others' good copies or as the unfinished write has left it. */
async function repairBlock(core: Core, member: MemberLink, part: Part): Promise<void> {
  const release = await core.locks.acquire(part.block, part.blocks, true);
  try {
    if (member.link === "down" || !member.isAttached) return;
    const data = new Uint8Array(part.blocks * BLOCK_BYTES);
    const others = part.members.filter((place) => core.members[place] !== member);
    const isElsewhere = others.some((place) => core.members[place]?.isSource === true);
    if (!isElsewhere) return;
    const digests = await readPart(core, { ...part, members: others }, data);
    await store(core, member, part.memberBlock, data, digests);
    core.log(`repaired block ${part.memberBlock} of ${member.entry.node}:${member.entry.path}`);
  } finally {
    release();
  }
}

/** Writes blocks with their digests to one member; holes stay holes. Loses the member when that fails. */
export async function store(
  core: Core,
  member: MemberLink,
  block: number,
  data: Uint8Array,
  digests: Uint8Array,
  durable = true,
): Promise<void> {
  const blocks = data.length / BLOCK_BYTES;
  for (let from = 0; from < blocks; ) {
    const isHole = isHoleAt(digests, from);
    let to = from + 1;
    while (to < blocks && isHoleAt(digests, to) === isHole) to++;
    await storeRun(core, member, isHole, {
      ...{ block: block + from, blocks: to - from, durable },
      data: data.subarray(from * BLOCK_BYTES, to * BLOCK_BYTES),
      digests: digests.subarray(from * DIGEST_BYTES, to * DIGEST_BYTES),
    });
    from = to;
  }
}

type Stored = Omit<MemberWrite, keyof Sequenced> & { readonly blocks: number };

async function storeRun(core: Core, member: MemberLink, isHole: boolean, run: Stored): Promise<void> {
  const sequence = core.begin(run.durable);
  const sequenced = { epoch: core.epoch, sequence, done: core.done };
  const { block, blocks, durable, data, digests } = run;
  try {
    await core.ask(member, (port) =>
      isHole
        ? port.zero({ ...sequenced, block, blocks, durable, punch: true })
        : port.write({ ...sequenced, block, data, digests, durable }),
    );
  } catch (error) {
    if (error instanceof DiskError && error.code !== "DISK_SILENT" && core.ended === null)
      core.lose(member, error);
    throw error;
  } finally {
    core.finish(sequence);
  }
}
