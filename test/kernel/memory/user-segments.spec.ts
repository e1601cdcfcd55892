// Segments of users against a plain list in the order of their addresses: two in one place
// would show a user what is another's, a piece that never comes back would end the machine's
// memory one day, and a request refused though there is room would end it today.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import {
  userSegmentAddress,
  userSegmentFree,
  userSegmentGrow,
  userSegmentLength,
  userSegmentRoom,
  userSegmentTake,
  userSegmentsCount,
  userSegmentsLargest,
  userSegmentsMost,
  userSegmentsOpen,
  userSegmentsRegion,
  userSegmentsTaken,
} from "../../../core-wasm/memory/user-segments";
import { KERNEL_BADHANDLE, KERNEL_FULL, STD_ARGBAD, STD_NOMEM, STD_OK } from "../../../core-wasm/status";

const ARENA: usize = 1 << 21;
const REGION: u32 = 1 << 20;
const MOST: i32 = 200;
const STEPS: i32 = 1000000;
const bytes = heap.alloc(ARENA);

// The model: segments in the order of their addresses.
const handles = new StaticArray<i32>(MOST);
const starts = new StaticArray<u32>(MOST);
const rooms = new StaticArray<u32>(MOST);
const lengths = new StaticArray<u32>(MOST);
let listed: i32 = 0;
let region: u32 = 0; // where it begins
let taken: u32 = 0;

let seed: u32 = 11;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function open(size: u32, most: u32): void {
  arenaOpen(bytes, bytes + ARENA);
  userSegmentsOpen(size, most);
  arenaSeal();
  listed = 0;
  taken = 0;
  const whole = userSegmentTake(size); // the region is one piece
  region = userSegmentAddress(whole) as u32;
  userSegmentFree(whole);
}

function rounded(size: u32): u32 {
  return max<u32>((size + 15) & ~15, 16);
}

/** The longest gap between segments of the model. */
function longestGap(): u32 {
  let longest: u32 = 0;
  let end = region;
  for (let i = 0; i < listed; i++) {
    longest = max<u32>(longest, starts[i] - end);
    end = starts[i] + rooms[i];
  }
  return max<u32>(longest, region + userSegmentsRegion() - end);
}

/** Puts a new segment into the model; false when it overlaps one or leaves the region. */
function note(handle: i32, size: u32): bool {
  const start = userSegmentAddress(handle) as u32;
  const room = rounded(size);
  let place = listed;
  while (place > 0 && starts[place - 1] > start) place--;
  if (start < region || start + room > region + userSegmentsRegion() || (start & 15) != 0) return false;
  if (place > 0 && starts[place - 1] + rooms[place - 1] > start) return false;
  if (place < listed && start + room > starts[place]) return false;
  for (let i = listed; i > place; i--) {
    handles[i] = handles[i - 1];
    starts[i] = starts[i - 1];
    rooms[i] = rooms[i - 1];
    lengths[i] = lengths[i - 1];
  }
  handles[place] = handle;
  starts[place] = start;
  rooms[place] = room;
  lengths[place] = size;
  listed++;
  taken += room;
  return userSegmentRoom(handle) == room && userSegmentLength(handle) == size;
}

function forget(place: i32): void {
  taken -= rooms[place];
  listed--;
  for (let i = place; i < listed; i++) {
    handles[i] = handles[i + 1];
    starts[i] = starts[i + 1];
    rooms[i] = rooms[i + 1];
    lengths[i] = lengths[i + 1];
  }
}

/** Mostly small, some large, a few absurd. */
function someSize(): u32 {
  const kind = random(64);
  if (kind == 0) return random(0x7fffffff) * 2;
  if (kind < 8) return random(REGION / 8);
  if (kind < 24) return random(16384);
  return random(1024);
}

let wrong = 0;
let refused = 0;

function stepTake(): void {
  const size = someSize();
  const handle = userSegmentTake(size);
  if (handle > 0) {
    if (!note(handle, size)) wrong++;
    return;
  }
  refused++;
  const fits = size <= REGION && rounded(size) <= longestGap();
  if (handle == STD_NOMEM ? fits : handle != KERNEL_FULL || listed < MOST) wrong++;
  // The bound: k segments leave at most k + 1 gaps, so a refusal tells how little is free.
  if (handle == STD_NOMEM && size <= REGION) {
    const free = userSegmentsRegion() - taken;
    if ((free as u64) >= (rounded(size) as u64) * ((listed + 1) as u64)) wrong++;
  }
}

function stepFree(): void {
  const place = random(listed as u32) as i32;
  const handle = handles[place];
  if (userSegmentFree(handle) != STD_OK) wrong++;
  if (userSegmentFree(handle) != KERNEL_BADHANDLE || userSegmentAddress(handle) != 0) wrong++;
  forget(place);
}

function stepGrow(): void {
  const place = random(listed as u32) as i32;
  const size = random(8) == 0 ? someSize() : lengths[place] + random(2048);
  const end = place + 1 < listed ? starts[place + 1] : region + userSegmentsRegion();
  const answer = userSegmentGrow(handles[place], size);
  if (size < lengths[place]) {
    if (answer != STD_ARGBAD) wrong++;
    return;
  }
  const fits = size <= REGION && rounded(size) <= end - starts[place];
  if (answer != (fits ? STD_OK : STD_NOMEM)) wrong++;
  if (answer != STD_OK) return;
  taken += rounded(size) - rooms[place];
  rooms[place] = rounded(size);
  lengths[place] = size;
  if (
    userSegmentRoom(handles[place]) != rooms[place] ||
    (userSegmentAddress(handles[place]) as u32) != starts[place]
  )
    wrong++;
}

describe("segments of users", () => {
  it("are as a plain list says, over a million operations", () => {
    open(REGION, MOST);
    wrong = 0;
    refused = 0;
    let takes = 5; // of 10: now the region fills, now it empties
    for (let step = 0; step < STEPS; step++) {
      if ((step & 8191) == 0) takes = 3 + (random(4) as i32);
      const what = random(10) as i32;
      if (what < takes || listed == 0) stepTake();
      else if (what == 9) stepGrow();
      else stepFree();
      if ((step & 63) == 0 && userSegmentsLargest() != longestGap()) wrong++;
      if (userSegmentsTaken() != taken || userSegmentsCount() != (listed as u32)) wrong++;
    }
    expect(wrong).toBe(0);
    expect(refused).toBeGreaterThan(10000); // the region was full at times
    while (listed > 0) stepFree();
    expect(wrong).toBe(0);
    expect(userSegmentsTaken()).toBe(0);
    expect(userSegmentsLargest()).toBe(REGION); // nothing is left in pieces that do not join
  });

  it("fill the region to the last granule, in any size", () => {
    open(65536, 4097);
    for (let i = 0; i < 4096; i++) if (userSegmentTake(1 + random(16)) <= 0) expect(i).toBe(-1);
    expect(userSegmentTake(0)).toBe(STD_NOMEM);
    expect(userSegmentsTaken()).toBe(65536);
    expect(userSegmentsLargest()).toBe(0);
    open(65536 + 15, 8);
    expect(userSegmentsRegion()).toBe(65536);
    expect(userSegmentTake(65537)).toBe(STD_NOMEM);
    expect(userSegmentTake(65536)).toBeGreaterThan(0);
  });

  it("find the one piece that fits, though its list begins with shorter ones", () => {
    open(1 << 20, 64);
    // Pieces of one size class, 1024 to 1039 granules long, kept apart by segments.
    const gaps = new StaticArray<i32>(8);
    for (let i = 0; i < 8; i++) {
      gaps[i] = userSegmentTake((1032 - ((i * 5) % 8)) << 4);
      expect(userSegmentTake(16)).toBeGreaterThan(0);
    }
    expect(userSegmentTake(userSegmentsLargest())).toBeGreaterThan(0);
    for (let i = 0; i < 8; i++) expect(userSegmentFree(gaps[i])).toBe(STD_OK);
    expect(userSegmentsLargest()).toBe(1032 << 4);
    expect(userSegmentTake((1032 << 4) + 1)).toBe(STD_NOMEM);
    for (let i = 0; i < 8; i++) expect(userSegmentTake((1032 - i) << 4)).toBeGreaterThan(0);
    expect(userSegmentsLargest()).toBe(0);
  });

  it("are refused only when less is free than the bound says, in the worst pattern", () => {
    // Every second of the smallest is freed: half of the region is free, 16 bytes at a time.
    open(65536, 4096);
    const all = new StaticArray<i32>(4096);
    for (let i = 0; i < 4096; i++) all[i] = userSegmentTake(16);
    for (let i = 0; i < 4096; i += 2) userSegmentFree(all[i]);
    expect(userSegmentsLargest()).toBe(16);
    expect(userSegmentTake(17)).toBe(STD_NOMEM); // 32768 free < 32 (2048 + 1)
    userSegmentFree(all[2047]); // one less between two: three granules join
    expect(userSegmentTake(48)).toBeGreaterThan(0);
  });

  it("are as many as the limits say, however the region is cut, and then the table is full", () => {
    open(65536, 4);
    expect(userSegmentsMost()).toBe(4);
    for (let round = 0; round < 100; round++) {
      const a = userSegmentTake(16 + random(99));
      const b = userSegmentTake(16 + random(99));
      const c = userSegmentTake(16 + random(99));
      const d = userSegmentTake(16);
      expect(d).toBeGreaterThan(0);
      expect(userSegmentTake(16)).toBe(KERNEL_FULL);
      userSegmentFree(a);
      userSegmentFree(c);
      userSegmentFree(b);
      userSegmentFree(d);
    }
    expect(userSegmentsLargest()).toBe(65536);
  });

  it("answer a status to a handle that is stale, foreign or negative", () => {
    open(65536, 4);
    const first = userSegmentTake(100);
    userSegmentFree(first);
    const second = userSegmentTake(100); // the same piece, another handle
    expect(second == first).toBe(false);
    expect(userSegmentFree(first)).toBe(KERNEL_BADHANDLE);
    expect(userSegmentGrow(first, 200)).toBe(KERNEL_BADHANDLE);
    for (let handle = -70000; handle < 140000; handle++)
      if (handle != second && userSegmentFree(handle) != KERNEL_BADHANDLE) expect(handle).toBe(-1);
    expect(userSegmentFree(second)).toBe(STD_OK);
    let handle: i32 = 0;
    for (let round = 0; round < 70000; round++) {
      handle = userSegmentTake(16); // generations come round and stay above 0
      if (handle <= 0 || userSegmentFree(handle) != STD_OK) expect(round).toBe(-1);
    }
  });

  it("grow where they are, up to what is taken behind them", () => {
    open(65536, 8);
    const a = userSegmentTake(10);
    const b = userSegmentTake(10);
    const at = userSegmentAddress(a);
    expect(userSegmentGrow(a, 16)).toBe(STD_OK); // within its granule
    expect(userSegmentGrow(a, 17)).toBe(STD_NOMEM);
    expect(userSegmentGrow(a, 9)).toBe(STD_ARGBAD);
    expect(userSegmentLength(a)).toBe(16);
    userSegmentFree(b);
    expect(userSegmentGrow(a, 65536)).toBe(STD_OK);
    expect(userSegmentAddress(a)).toBe(at);
    expect(userSegmentsLargest()).toBe(0);
    expect(userSegmentGrow(a, 0xffffffff)).toBe(STD_NOMEM);
    userSegmentFree(a);
    expect(userSegmentsLargest()).toBe(65536);
  });

  it("are none without a region", () => {
    arenaOpen(bytes, bytes + ARENA);
    userSegmentsOpen(15, 4);
    arenaSeal();
    expect(userSegmentTake(0)).toBe(STD_NOMEM);
    expect(userSegmentTake(1)).toBe(STD_NOMEM);
    expect(userSegmentFree(0x10000)).toBe(KERNEL_BADHANDLE);
    expect(userSegmentsLargest()).toBe(0);
    expect(userSegmentsRegion()).toBe(0);
  });
});
