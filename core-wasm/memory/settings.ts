// The limits record of boot, read once, with its defaults and bounds.
//
// - setting(LIMIT_X) is for boot; what the frame path needs is in a global below.
// - A value past its bound makes boot answer KERNEL_BADLIMIT; nothing is rounded silently.

import * as limits from "../limits";
import { LIMITS_ADDRESS } from "../layout";
import { KERNEL_BADLIMIT, STD_OK } from "../status";

export let locateTimeoutMs: u32 = 0;
export let pollMs: u32 = 0;
export let deadMs: u32 = 0;
export let ackDelayUs: u32 = 0;
export let verifyMs: u32 = 0;
export let broadcastsPerSecond: u32 = 0;
export let extensions: u32 = 0;

function standard(field: i32): u32 {
  switch (field) {
    case limits.LIMIT_NETWORKS:
      return 4;
    case limits.LIMIT_NEIGHBOURS:
      return 512;
    case limits.LIMIT_ROUTES:
      return 2048;
    case limits.LIMIT_LOCATIONS:
      return 4096;
    case limits.LIMIT_ENDPOINTS:
      return 64;
    case limits.LIMIT_LOCATES:
      return 256;
    case limits.LIMIT_BROADCASTS_SEEN:
      return 1024;
    case limits.LIMIT_FRAMES:
      return 512;
    case limits.LIMIT_FRAME_BYTES:
      return 1536;
    case limits.LIMIT_THREADS:
      return 256;
    case limits.LIMIT_PORTS:
      return 16384;
    case limits.LIMIT_PORT_CACHE:
      return 1024;
    case limits.LIMIT_CLIENT_KERNELS:
      return 256;
    case limits.LIMIT_DUPLICATE_WINDOW:
      return 65536;
    case limits.LIMIT_FORGOTTEN_KERNELS:
      return 8192;
    case limits.LIMIT_STASH_BYTES:
      return 262144;
    case limits.LIMIT_LOCATE_TIMEOUT_MS:
      return 5200;
    case limits.LIMIT_POLL_MS:
      return 500;
    case limits.LIMIT_DEAD_MS:
      return 2000;
    case limits.LIMIT_ACK_DELAY_US:
      return 1000;
    case limits.LIMIT_VERIFY_MS:
      return 500;
    case limits.LIMIT_BROADCASTS_PER_SECOND:
      return 1000;
    case limits.LIMIT_GROUPS:
      return 10;
    case limits.LIMIT_GROUP_OPERATIONS:
      return 256;
    case limits.LIMIT_GROUP_BYTES:
      return 4194304;
    case limits.LIMIT_SEGMENTS:
      return 1024;
    case limits.LIMIT_EXTENSIONS:
      return limits.EXTENSIONS_GIVEN | limits.EXTENSIONS_ALL;
    default:
      return 0;
  }
}

function bound(field: i32): u32 {
  switch (field) {
    case limits.LIMIT_MEMORY_BYTES:
    case limits.LIMIT_TABLE_BASE:
    case limits.LIMIT_SEGMENT_BYTES:
      return 0xffff0000;
    case limits.LIMIT_NETWORKS:
      return limits.NETWORKS_MAX;
    case limits.LIMIT_THREADS:
      return 32767; // a thread's index is 15 bits of a handle
    case limits.LIMIT_FRAME_BYTES:
      return 65600;
    case limits.LIMIT_STASH_BYTES:
      return 1 << 26;
    case limits.LIMIT_EXTENSIONS:
      return 0xffff;
    case limits.LIMIT_GROUPS:
      return 256;
    case limits.LIMIT_GROUP_OPERATIONS:
      return 32767; // an operation's index is 15 bits of a handle
    case limits.LIMIT_GROUP_BYTES:
      return 1 << 30;
    case limits.LIMIT_SEGMENTS:
      return 32767; // of 65536 pieces: the index of one is 16 bits of a handle
    case limits.LIMIT_LOCATE_TIMEOUT_MS:
    case limits.LIMIT_POLL_MS:
    case limits.LIMIT_DEAD_MS:
    case limits.LIMIT_VERIFY_MS:
      return 86400000;
    case limits.LIMIT_ACK_DELAY_US:
      return 1000000;
    default:
      return 1 << 20;
  }
}

/** The value of one field: what the host wrote, or the standard. */
export function setting(field: i32): u32 {
  const given = load<u32>((LIMITS_ADDRESS as usize) + (field as usize) * 4);
  return given != 0 ? given : standard(field);
}

/** Checks the record and fills the globals; a status. */
export function settingsOpen(): i32 {
  for (let field = 0; field < limits.LIMIT_FIELDS; field++) {
    if (setting(field) > bound(field)) return KERNEL_BADLIMIT;
  }
  locateTimeoutMs = setting(limits.LIMIT_LOCATE_TIMEOUT_MS);
  pollMs = setting(limits.LIMIT_POLL_MS);
  deadMs = setting(limits.LIMIT_DEAD_MS);
  ackDelayUs = setting(limits.LIMIT_ACK_DELAY_US);
  verifyMs = setting(limits.LIMIT_VERIFY_MS);
  broadcastsPerSecond = setting(limits.LIMIT_BROADCASTS_PER_SECOND);
  extensions = setting(limits.LIMIT_EXTENSIONS) & ~limits.EXTENSIONS_GIVEN;
  return STD_OK;
}
