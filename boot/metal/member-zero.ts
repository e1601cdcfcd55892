// Zeros on a member's medium: asked for by a storage's server, or before a medium is adopted.
//
// - A chunk is read first, and written only when it is not zeros yet or cannot be read.
// - The digests of zeros are set after the blocks were written.

import { DISK_BLOCK_BYTES, DISK_TRANSFER_BYTES } from "../../build/metal/interface";
import { BLK_READ, BLK_WRITE } from "../../drivers/virtio-blk/blk";
import * as medium from "./member-pages";
import { BLOCK, COMMIT, ERASE_LOOK, Now, ZERO_LOAD, ZERO_LOOK, jobAt } from "./member-queue";

const CHUNK: u32 = DISK_TRANSFER_BYTES / DISK_BLOCK_BYTES;

function isZeros(data: usize, bytes: u32): bool {
  for (let at: u32 = 0; at < bytes; at += 8) if (load<u64>(data + (at as usize)) != 0) return false;
  return true;
}

/** Reads what is to be zeros next, from `block` on, into the first job's place. */
export function zeroLoad(block: u64, blocks: u64): void {
  const job = jobAt(0);
  Now.part = min<u64>(CHUNK, blocks - Now.far) as u32;
  if (Now.phase == ZERO_LOAD && !medium.pagesReady((block + Now.far) as u32, Now.part)) return;
  if (medium.begin(BLK_READ, block + Now.far, job.data, Now.part))
    Now.phase = Now.phase == ZERO_LOAD ? ZERO_LOOK : ERASE_LOOK;
}

/** What is zeros already is not written. */
export function zeroLook(block: u64): bool {
  const job = jobAt(0);
  if (!medium.wasUnread() && isZeros(job.data, Now.part * BLOCK)) return true;
  memory.fill(job.data, 0, Now.part * BLOCK);
  return medium.begin(BLK_WRITE, block + Now.far, job.data, Now.part);
}

export function zeroNext(): void {
  const job = jobAt(0);
  medium.digestsSet(job.block + (Now.far as u32), Now.part, 0);
  Now.far += Now.part as u64;
  Now.phase = Now.far < (job.blocks as u64) ? ZERO_LOAD : COMMIT;
}
