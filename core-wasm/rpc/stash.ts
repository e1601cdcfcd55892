// Fragments that came before the first one of their message, kept for a moment.
//
// - Only the first fragment says whose message it is. When that one is lost, the others
//   wait here, so that only it has to be sent again.
// - Records one behind the other; when there is no room all are given up. Nothing is
//   promised: what is not here is sent again.
// - Record: u32 bytes of the record, u32 message id, u64 source, u32 offset, u32 total,
//   u32 length, u32 unused, data (padded to 8).

import { allocate } from "../memory/arena";

const RECORD: u32 = 32;

let base: usize = 0;
let size: u32 = 0;
let head: u32 = 0; // where the next record goes

export function stashOpen(bytes: u32): void {
  size = bytes & ~7;
  base = allocate(size);
  head = 0;
}

/** Keeps a fragment; false when it is larger than the stash. */
export function stashKeep(source: u64, id: u32, offset: u32, total: u32, data: usize, length: u32): bool {
  const bytes = (RECORD + length + 7) & ~7;
  if (bytes > size) return false;
  if (head + bytes > size) head = 0; // full: what was there is given up
  const at = base + head;
  store<u32>(at, bytes);
  store<u32>(at, id, 4);
  store<u64>(at, source, 8);
  store<u32>(at, offset, 16);
  store<u32>(at, total, 20);
  store<u32>(at, length, 24);
  memory.copy(at + RECORD, data, length);
  head += bytes;
  return true;
}

/** The next record of (source, id) after the cursor, or 0; begin with cursor 0. */
export function stashNext(source: u64, id: u32, cursor: usize): usize {
  let at = cursor == 0 ? base : cursor + load<u32>(cursor);
  while (at < base + head) {
    if (load<u64>(at, 8) == source && load<u32>(at, 4) == id) return at;
    at += load<u32>(at);
  }
  return 0;
}

/** The lowest offset kept of (source, id), or 0 when nothing is. */
export function stashLowest(source: u64, id: u32): u32 {
  let lowest: u32 = 0;
  let record = stashNext(source, id, 0);
  while (record != 0) {
    const offset = load<u32>(record, 16);
    if (lowest == 0 || offset < lowest) lowest = offset;
    record = stashNext(source, id, record);
  }
  return lowest;
}

/** The record is used up. */
export function stashForget(record: usize): void {
  store<u64>(record, 0, 8);
}

// @ts-ignore: decorator
@inline
export function recordOffset(record: usize): u32 {
  return load<u32>(record, 16);
}

// @ts-ignore: decorator
@inline
export function recordTotal(record: usize): u32 {
  return load<u32>(record, 20);
}

// @ts-ignore: decorator
@inline
export function recordLength(record: usize): u32 {
  return load<u32>(record, 24);
}

// @ts-ignore: decorator
@inline
export function recordData(record: usize): usize {
  return record + RECORD;
}
