// What the machine's membership answers by RPC: control/group/member-server.ts under Linux, and
// control/server/group/roster.ts. control/interface/group.ts is the table.
//
// - A member without the group's state describes nothing; SUBMIT is answered when it was applied here.

import {
  GROUP_DESCRIBE,
  GROUP_SNAPSHOT,
  GROUP_SNAPSHOT_DONE,
  GROUP_SUBMIT,
  SNAPSHOT_PIECE_BYTES,
} from "../../build/metal/interface";
import { STD_ARGBAD, STD_COMBAD, STD_NOTNOW, STD_OK } from "../../core-wasm/status";
import {
  command,
  headerOffset,
  setHeaderOffset,
  setHeaderSize,
  setStatus,
} from "../../core-wasm/wire/header";
import { look, putDescription } from "./group-describe";
import { candidate } from "./group-found";
import { gid, hasState, minimum } from "./group-here";
import { outProgram } from "./group-out";
import { keptAt, keptLength, keptPlace, snapshotDrop } from "./group-snapshots";
import { now } from "./host";
import { holdReply, replyWith } from "./services";
import { SERVER_CANDIDATE, SERVER_ROSTER } from "./status";
import { textBegin, textLength } from "./text";

let answered: u32 = 0; // bytes of the reply

function describe(data: usize, capacity: u32): i32 {
  if (!hasState || !look(gid)) return STD_NOTNOW;
  textBegin(data, capacity);
  putDescription(gid, minimum, now());
  answered = textLength();
  return STD_OK;
}

function snapshot(header: usize, data: usize, length: u32): i32 {
  const place = length < 8 ? -1 : keptPlace(load<u64>(data));
  if (place < 0) return STD_NOTNOW;
  const whole = keptLength(place as u32);
  const at = headerOffset(header);
  if (at < 0 || (at as u32) > whole) return STD_ARGBAD;
  answered = min<u32>(whole - (at as u32), SNAPSHOT_PIECE_BYTES);
  replyWith(keptAt(place as u32) + (at as usize), answered);
  setHeaderOffset(header, whole as i32);
  return STD_OK;
}

function drop(data: usize, length: u32): i32 {
  const place = length < 8 ? -1 : keptPlace(load<u64>(data));
  if (place >= 0) snapshotDrop(place as u32);
  return STD_OK;
}

/** Answers a request to one of the group's servers. */
export function groupServe(server: u32, header: usize, data: usize, length: u32, capacity: u32): void {
  const asked = command(header);
  let status: i32 = STD_COMBAD;
  answered = 0;
  if (server >= SERVER_CANDIDATE) {
    status = STD_OK;
    answered = 8;
    replyWith(candidate, answered);
  } else if (asked == GROUP_DESCRIBE) {
    status = describe(data, capacity);
    replyWith(data, answered);
  } else if (server != SERVER_ROSTER) {
    if (asked == GROUP_SUBMIT) {
      outProgram(holdReply(), data, length);
      return;
    } else if (asked == GROUP_SNAPSHOT) status = snapshot(header, data, length);
    else if (asked == GROUP_SNAPSHOT_DONE) status = drop(data, length);
  }
  setStatus(header, status);
  setHeaderSize(header, answered & 0xffff);
}
