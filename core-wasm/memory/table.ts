// A fixed pool of records with a hash over two keys: routes, ports, neighbours, kernels.
//
// - Sized at boot; take() answers 0 when it is full and the caller says so in a status.
// - Records never move. The order of scans is by index, never by address.
// - Entry is the head of every record:
//     0 next   4 state   8 key   16 second key   24 the user's fields

import { allocate } from "./arena";
import { insist } from "./assert";

/** Head of every record; classes of records extend it. */
@unmanaged
export class Entry {
  next: u32;
  used: u32;
  key: u64;
  key2: u64;
}

@unmanaged
export class Table {
  base: usize;
  buckets: usize;
  mask: u32;
  capacity: u32;
  recordBytes: u32;
  free: u32;
  count: u32;
  last: u32; // the record found or added last: most look-ups are for the same one again
}

/** Mixes two keys into 32 well-spread bits (the finaliser of MurmurHash3). */
// @ts-ignore: decorator
@inline
export function mix(a: u64, b: u64): u32 {
  let h = a ^ (b * 0x9e3779b97f4a7c15);
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccd;
  h ^= h >> 33;
  return h as u32;
}

/** A table for `capacity` records of `recordBytes`; its fields are 0 when memory ran out. */
export function tableNew(capacity: u32, recordBytes: u32): Table {
  const table = changetype<Table>(allocate(offsetof<Table>()));
  let buckets: u32 = 16;
  while (buckets < capacity) buckets <<= 1;
  const bytes = (recordBytes + 7) & ~7;
  const base = allocate((capacity as u64) * bytes);
  const heads = allocate((buckets as u64) * 4);
  if (base == 0 || heads == 0) return table;
  table.base = base;
  table.buckets = heads;
  table.mask = buckets - 1;
  table.capacity = capacity;
  table.recordBytes = bytes;
  for (let i = capacity; i > 0; i--) {
    const at = base + ((i - 1) as usize) * bytes;
    store<u32>(at, table.free);
    table.free = at as u32;
  }
  return table;
}

/** The record with both keys, or 0. The most recently added wins. */
// @ts-ignore: decorator
@inline
export function tableFind(table: Table, key: u64, key2: u64): usize {
  const last: usize = table.last;
  if (last != 0 && load<u64>(last, 8) == key && load<u64>(last, 16) == key2 && load<u32>(last, 4))
    return last;
  return tableSearch(table, key, key2);
}

function tableSearch(table: Table, key: u64, key2: u64): usize {
  let at: usize = load<u32>(table.buckets + ((mix(key, key2) & table.mask) as usize) * 4);
  while (at != 0) {
    if (load<u64>(at, 8) == key && load<u64>(at, 16) == key2) {
      table.last = at as u32;
      return at;
    }
    at = load<u32>(at);
  }
  return 0;
}

/** A new record under these keys, its other fields zero; 0 when the table is full. */
export function tableAdd(table: Table, key: u64, key2: u64): usize {
  const at: usize = table.free;
  if (at == 0) return 0;
  table.free = load<u32>(at);
  memory.fill(at, 0, table.recordBytes);
  const bucket = table.buckets + ((mix(key, key2) & table.mask) as usize) * 4;
  const entry = changetype<Entry>(at);
  entry.next = load<u32>(bucket);
  entry.used = 1;
  entry.key = key;
  entry.key2 = key2;
  store<u32>(bucket, at as u32);
  table.last = at as u32;
  table.count++;
  insist(table.count <= table.capacity, 110);
  return at;
}

/** Takes a record out; it may be handed out again at once. */
export function tableRemove(table: Table, record: usize): void {
  const entry = changetype<Entry>(record);
  insist(entry.used == 1, 111);
  let link = table.buckets + ((mix(entry.key, entry.key2) & table.mask) as usize) * 4;
  while (load<u32>(link) != (record as u32)) {
    link = load<u32>(link);
    insist(link != 0, 112);
  }
  store<u32>(link, entry.next); // `next` is a record's first field: a link is a link
  entry.used = 0;
  entry.next = table.free;
  table.free = record as u32;
  table.count--;
}

/** The record at an index, used or not: for scans. */
// @ts-ignore: decorator
@inline
export function tableAt(table: Table, index: u32): usize {
  return table.base + (index as usize) * table.recordBytes;
}

/** The index of a record. */
// @ts-ignore: decorator
@inline
export function tableIndex(table: Table, record: usize): u32 {
  return ((record - table.base) as u32) / table.recordBytes;
}
