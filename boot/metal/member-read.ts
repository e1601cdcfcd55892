// Reads from a member's medium: blocks with their digests, and digests alone, stored or computed.
//
// - A block whose digest is another one is named and not answered, but for who asks for it raw.
// - What cannot be read at once is read block by block, so that only blocks that are lost are named.

import { DIGESTS_A_PAGE, DIGESTS_READ, DISK_RAW } from "../../build/metal/interface";
import { STD_OK } from "../../core-wasm/status";
import { BLK_READ } from "../../drivers/virtio-blk/blk";
import { mirrorDiffer, mirrorDigests } from "./kernel";
import * as activity from "./member-activity";
import * as medium from "./member-pages";
import { BLOCK, Job, Now, jobAt, reply } from "./member-queue";
import * as record from "./member-record";

/** Of blocks that are read for their digests: so many at once, behind the digests of the reply. */
const COMPUTED: u32 = 64;
const COMPUTED_AT: usize = 640 << 10;
export const differing = memory.data(1024, 8); // a map of blocks, or of extents
const lost = memory.data(64, 8);

function seedAt(half: usize): u32 {
  return load<u32>(record.held().begin + half);
}

/** How many blocks have another digest; a map of them is in `differing`. */
export function differs(data: usize, blocks: u32, digests: usize): i32 {
  return mirrorDiffer(data, blocks, BLOCK, seedAt(0), seedAt(4), digests, differing);
}

/** Where the blocks of a read go: behind what its reply has before them. */
export function readAt(job: Job): usize {
  return job.data + 6 + 8 * (job.blocks as usize);
}

/** What was to be read at once is read block by block; those that cannot be are zeros, and known. */
function singles(block: u64, blocks: u32): bool {
  if (Now.single == 0) memory.fill(lost, 0, 64);
  if (medium.wasUnread() && Now.single > 0) {
    memory.fill(Now.singleData + ((Now.single - 1) as usize) * (BLOCK as usize), 0, BLOCK);
    activity.setBit(lost, Now.single - 1);
  }
  if (Now.single == blocks) return true;
  if (
    medium.begin(
      BLK_READ,
      block + (Now.single as u64),
      Now.singleData + (Now.single as usize) * (BLOCK as usize),
      1,
    )
  )
    Now.single++;
  return false;
}

/** Blocks were read: whether they are all there, or are read one by one. */
function hasRead(block: u64, blocks: u32): bool {
  if (Now.single == 0 && !medium.unread) {
    memory.fill(lost, 0, 64);
    return true;
  }
  return singles(block, blocks);
}

function isLost(index: u32): bool {
  return ((load<u8>(lost + ((index >> 3) as usize)) >> ((index & 7) as u8)) & 1) != 0;
}

export function read(): void {
  const job = jobAt(0);
  if (!hasRead(job.block, job.blocks)) return;
  const digests = job.data + 6;
  medium.digestsOut(job.block, job.blocks, digests);
  differs(Now.singleData, job.blocks, digests);
  let rotten: u32 = 0;
  if ((job.flags & DISK_RAW) == 0)
    for (let index: u32 = 0; index < job.blocks; index++) {
      const differ = (load<u8>(differing + ((index >> 3) as usize)) >> ((index & 7) as u8)) & 1;
      if (differ == 0 && !isLost(index)) continue;
      rotten++;
      store<u16>(job.data + 2 * (rotten as usize), index as u16);
    }
  store<u16>(job.data, rotten as u16);
  const behind = job.data + 2 + 2 * (rotten as usize);
  store<u32>(behind, rotten != 0 ? 0 : 8 * job.blocks);
  reply(STD_OK, rotten != 0 ? 6 + 2 * rotten : 6 + 8 * job.blocks + job.blocks * BLOCK);
}

export function digest(): void {
  const job = jobAt(0);
  const to = job.data + 8 * (Now.far as usize);
  const block = job.block + (Now.far as u32);
  const left = job.blocks - (Now.far as u32);
  if ((job.flags & DIGESTS_READ) == 0) {
    const here = min(left, DIGESTS_A_PAGE - (block % DIGESTS_A_PAGE));
    if (!medium.pagesReady(block, here)) return;
    medium.digestsOut(block, here, to);
    Now.far += here as u64;
  } else if (Now.part == 0) {
    Now.singleData = job.data + COMPUTED_AT;
    Now.single = 0;
    const here = min(left, COMPUTED);
    if (medium.begin(BLK_READ, block, Now.singleData, here)) Now.part = here;
    return;
  } else {
    if (!hasRead(block, Now.part)) return;
    mirrorDigests(Now.singleData, Now.part, BLOCK, seedAt(0), seedAt(4), to);
    for (let index: u32 = 0; index < Now.part; index++)
      if (isLost(index)) store<u64>(to + 8 * (index as usize), 0xffffffffffffffff);
    Now.far += Now.part as u64;
    Now.part = 0;
  }
  if (Now.far == (job.blocks as u64)) reply(STD_OK, 8 * job.blocks);
}
