// Segments as a host sees them: create, destroy, grow, and what there is.
//
// - A handle is above 0; an answer below 0 is a status. STD_NOMEM: no free piece is that long.
//   KERNEL_FULL: as many segments as the limits allow.
// - A segment begins as zeros, and so does what grow adds: nobody reads what its last owner left.
// - A segment must not be destroyed while a call still sends from it or receives into it.

import * as layout from "../layout";
import { KERNEL_BADHANDLE, RPC_BADADDRESS, STD_OK } from "../status";
import { inMemory } from "./bounds";
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
  userSegmentsRegion,
  userSegmentsTaken,
} from "./user-segments";

/** A segment of `bytes`: its handle, or a status. */
export function segment_create(bytes: u32): i32 {
  const handle = userSegmentTake(bytes);
  if (handle > 0) memory.fill(userSegmentAddress(handle), 0, userSegmentRoom(handle));
  return handle;
}

/** The handle is of no use afterwards; a status. */
export function segment_destroy(handle: i32): i32 {
  return userSegmentFree(handle);
}

/** Makes it `bytes` long where it is; a status. */
export function segment_grow(handle: i32, bytes: u32): i32 {
  const at = userSegmentAddress(handle);
  if (at == 0) return KERNEL_BADHANDLE;
  const before = userSegmentLength(handle);
  const status = userSegmentGrow(handle, bytes);
  if (status == STD_OK) memory.fill(at + before, 0, bytes - before);
  return status;
}

/** Writes SEGMENT_INFO_BYTES; a status. */
export function segment_info(handle: i32, out: usize): i32 {
  const at = userSegmentAddress(handle);
  if (at == 0) return KERNEL_BADHANDLE;
  if (!inMemory(out, layout.SEGMENT_INFO_BYTES)) return RPC_BADADDRESS;
  store<u32>(out, at as u32, layout.SEGMENT_INFO_ADDRESS);
  store<u32>(out, userSegmentLength(handle), layout.SEGMENT_INFO_LENGTH);
  store<u32>(out, userSegmentRoom(handle), layout.SEGMENT_INFO_ROOM);
  return STD_OK;
}

/** Writes SEGMENT_STAT_BYTES; a status. */
export function segment_stat(out: usize): i32 {
  if (!inMemory(out, layout.SEGMENT_STAT_BYTES)) return RPC_BADADDRESS;
  store<u32>(out, userSegmentsRegion(), layout.SEGMENT_STAT_REGION);
  store<u32>(out, userSegmentsTaken(), layout.SEGMENT_STAT_TAKEN);
  store<u32>(out, userSegmentsLargest(), layout.SEGMENT_STAT_LARGEST);
  store<u32>(out, userSegmentsCount(), layout.SEGMENT_STAT_COUNT);
  store<u32>(out, userSegmentsMost(), layout.SEGMENT_STAT_MOST);
  return STD_OK;
}
