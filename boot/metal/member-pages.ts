// The member's way to its medium: one step's requests, the pages of digests that are in memory, flushes, and
// the writing of the record. control/server/disk/member/layout.ts says where what lies.
//
// - A step begins requests, and goes on when all of them have ended (`pending` is 0): functions here answer
//   false while something has to be waited for, and are called again then.
// - A page that cannot be read is full of digests that no block has. A write or a flush that fails is the end
//   of the member until its medium is opened anew (`failed`).
// - Each page has one place in memory, by its number: two pages of one place are not needed at once.

import { DIGESTS_A_PAGE, DISK_BLOCK_BYTES, RECORD_BLOCKS } from "../../build/metal/interface";
import { STD_OK } from "../../core-wasm/status";
import {
  BLK_BUSY,
  BLK_FAILED,
  BLK_FLUSH,
  BLK_GOOD,
  BLK_READ,
  BLK_SECTOR,
  BLK_WRITE,
} from "../../drivers/virtio-blk/blk";
import { diskBegin, diskCached, diskSectors, MEMBER_TAG } from "./disk";
import { copyNext, image, seal, spare, written } from "./member-record";

const BLOCK: u32 = DISK_BLOCK_BYTES;
const SECTORS: u64 = (DISK_BLOCK_BYTES / BLK_SECTOR) as u64;
const TAIL: u64 = 2 * (RECORD_BLOCKS as u64);
export const PAGES: u32 = 64;
const NO_PAGE: u32 = 0xffffffff;

/** Requests of this step that are under way. */
export let pending: u32 = 0;
/** A read of this step could not be done. */
export let unread: bool = false;
export let failed: bool = false;
let touched: bool = false;
let now: f64 = 0;

let pages: usize = 0;
let numbers: usize = 0; // of each place: its page
let dirty: u64 = 0; // bit i: place i is to be written
let loading: u32 = NO_PAGE;
let flushing: bool = false;
let saving: u32 = 0;

export function pagesBytes(): usize {
  return (PAGES as usize) * ((BLOCK as usize) + 4);
}

export function pagesOpen(room: usize): void {
  pages = room;
  numbers = room + (PAGES as usize) * (BLOCK as usize);
  pagesDrop();
}

/** Nothing of the medium is in memory; what waited to be written is given up. */
export function pagesDrop(): void {
  memory.fill(numbers, 0xff, 4 * (PAGES as usize));
  dirty = 0;
  loading = NO_PAGE;
  flushing = false;
  saving = 0;
  unread = false;
}

export function setNow(time: f64): void {
  now = time;
}

export function fail(yes: bool): void {
  failed = yes;
}

/** Blocks of the medium. */
export function mediumBlocks(): u64 {
  return min<u64>(diskSectors() / SECTORS, 0xffffffff);
}

/** Where the two copies of the record begin. */
export function copiesAt(): u64 {
  return mediumBlocks() - TAIL;
}

/** Blocks of data that the medium has room for; below 0: not even the records fit. */
export function capacity(): i64 {
  const room = (mediumBlocks() as i64) - (TAIL as i64);
  if (room <= 0) return room;
  const whole = room / ((DIGESTS_A_PAGE as i64) + 1);
  const rest = room - whole * ((DIGESTS_A_PAGE as i64) + 1);
  return whole * (DIGESTS_A_PAGE as i64) + max<i64>(0, rest - 1);
}

// ---- requests ----------------------------------------------------------------------------

/** Begins a request. False: not now. */
export function begin(what: u32, block: u64, pointer: usize, blocks: u32): bool {
  const tag = MEMBER_TAG + (what == BLK_READ ? 0 : 1);
  const status = diskBegin(what, block * SECTORS, pointer, blocks * BLOCK, tag, now);
  if (status < STD_OK) {
    if (status != BLK_BUSY) failed = true;
    return false;
  }
  pending++;
  if (what == BLK_WRITE) touched = true;
  return true;
}

/** A request has ended. */
export function memberDone(tag: u32, outcome: u32): void {
  pending--;
  if (outcome == BLK_GOOD) return;
  if (outcome == BLK_FAILED && tag == MEMBER_TAG) unread = true;
  else failed = true;
}

/** Whether a read could not be done, once. */
export function wasUnread(): bool {
  const was = unread;
  unread = false;
  return was;
}

// ---- digests -----------------------------------------------------------------------------

function pageAt(page: u32): usize {
  return pages + ((page & (PAGES - 1)) as usize) * (BLOCK as usize);
}

function pageBlock(page: u32): u64 {
  return copiesAt() - 1 - (page as u64);
}

function writePage(place: u32): bool {
  const page = load<u32>(numbers + 4 * (place as usize));
  if (!begin(BLK_WRITE, pageBlock(page), pageAt(page), 1)) return false;
  dirty &= ~((1 as u64) << (place as u64));
  return true;
}

/** Whether the digests of these blocks are in memory: of two pages at most. */
export function pagesReady(block: u32, blocks: u32): bool {
  if (loading != NO_PAGE && wasUnread()) memory.fill(pageAt(loading), 0xff, BLOCK);
  loading = NO_PAGE;
  for (let page = block / DIGESTS_A_PAGE; page <= (block + blocks - 1) / DIGESTS_A_PAGE; page++) {
    const place = page & (PAGES - 1);
    const number = numbers + 4 * (place as usize);
    if (load<u32>(number) == page) continue;
    if ((dirty & ((1 as u64) << (place as u64))) != 0) writePage(place);
    else if (begin(BLK_READ, pageBlock(page), pageAt(page), 1)) {
      store<u32>(number, page);
      loading = page;
    }
    return false;
  }
  return true;
}

/** Copies the digests of blocks out of memory. */
export function digestsOut(block: u32, blocks: u32, to: usize): void {
  for (let i: u32 = 0; i < blocks; i++) store<u64>(to + 8 * (i as usize), load<u64>(digestAt(block + i)));
}

/** Sets digests; `from` 0: of blocks that hold nothing. */
export function digestsSet(block: u32, blocks: u32, from: usize): void {
  for (let i: u32 = 0; i < blocks; i++) {
    store<u64>(digestAt(block + i), from == 0 ? 0 : load<u64>(from + 8 * (i as usize)));
    dirty |= ((1 as u64) << (((block + i) / DIGESTS_A_PAGE) & (PAGES - 1))) as u64;
  }
}

function digestAt(block: u32): usize {
  return pageAt(block / DIGESTS_A_PAGE) + 8 * ((block % DIGESTS_A_PAGE) as usize);
}

/** Begins to write what waits, as much as can be under way. */
export function pagesWrite(): void {
  while (dirty != 0 && writePage(ctz(dirty) as u32));
}

// ---- flushes and the record --------------------------------------------------------------

/** Whether all that was written before is on the medium. */
export function flushReady(): bool {
  if (!flushing && dirty != 0) {
    pagesWrite();
    return false;
  }
  return emptied();
}

/** The device's own cache. */
function emptied(): bool {
  if (!flushing && touched && diskCached()) {
    flushing = begin(BLK_FLUSH, 0, 0, 0);
    if (flushing) touched = false;
    return false;
  }
  flushing = false;
  return true;
}

/** Whether the image is on the medium: in the place of the older copy. */
export function saveReady(): bool {
  if (saving == 0) {
    seal();
    if (begin(BLK_WRITE, (copiesAt() + copyNext() * RECORD_BLOCKS) as u64, image, RECORD_BLOCKS)) saving = 1;
    return false;
  }
  if (!emptied()) return false;
  saving = 0;
  written();
  return true;
}

/** Begins to read both copies. */
export function copiesRead(): bool {
  return begin(BLK_READ, copiesAt(), spare, 2 * RECORD_BLOCKS);
}
