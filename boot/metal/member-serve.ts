// The disk server of the machine: its disk as a medium, /disk, for the servers of storages elsewhere.
// control/interface/disk.ts is its table; control/server/disk/server.ts is the same under Linux.
//
// - What reads or writes the medium is put in the member's queue (member-queue.ts), and answered when it is done;
//   the rest is answered at once, however much is in the queue.
// - The machine serves no storage itself: CREATE, TAKE and EXPORT are STD_COMBAD. It lists the storage that
//   its medium is of, keeps no branches, and cannot make its medium longer.
// - It needs room for as many requests as a server has under way, or there is no disk server.

import {
  DIGESTS_BLOCKS_MAX,
  DISK_ADOPT,
  DISK_ATTACH,
  DISK_BLOCK_BYTES,
  DISK_BRANCHES,
  DISK_DETACH,
  DISK_DIGESTS,
  DISK_EXPORTS,
  DISK_EXTEND,
  DISK_FENCE,
  DISK_FLUSH,
  DISK_FORGET,
  DISK_LOOK,
  DISK_MEDIA,
  DISK_MEDIUM as DISK_MEDIUM_ASKED,
  DISK_OPERATIONS,
  DISK_OPERATIONS_COUNT,
  DISK_READ,
  DISK_RENEW,
  DISK_SERVING,
  DISK_STORAGES,
  DISK_TRANSFER_BYTES,
  DISK_UPDATE,
  DISK_WRITE,
  DISK_ZERO,
  STANDARD_DESTROY,
  STANDARD_INFO,
  STANDARD_RESTRICT,
  STANDARD_REVOKE,
  STANDARD_STATUS,
  STANDARD_TOUCH,
} from "../../build/metal/interface";
import {
  DISK_MEDIUM,
  STD_ARGBAD,
  STD_CAPBAD,
  STD_COMBAD,
  STD_DENIED,
  STD_EXISTS,
  STD_NOSPACE,
  STD_NOTFOUND,
  STD_OK,
} from "../../core-wasm/status";
import { object, RIGHTS_ALL } from "../../core-wasm/wire/capability";
import {
  command,
  headerExtra,
  headerOffset,
  HEADER_PRIVATE_AT,
  setHeaderExtra,
} from "../../core-wasm/wire/header";
import { disk, hasDisk } from "./disk";
import { now as clock } from "./host";
import { left, take } from "./memory";
import { memberBytes, memberOpen } from "./member";
import { recordOut } from "./member-claim";
import { ATTACH, DETACH, enter, isWell, Job, JOB_IDENTITY, jobNew, Now, RENEW } from "./member-queue";
import { advance } from "./member-activity";
import { capacity as roomFor } from "./member-pages";
import { held, isMember, sameId } from "./member-record";
import { diskPart, diskPort, diskVerify, isAttached, storageCapability } from "./member-rights";
import { finishReply, holdReply, listenAt, replyWith, reserve } from "./services";
import { putName, SERVER_DISK } from "./status";
import { put, putByte, putHex, putNumber, putQuoted, same, startsWith, textBegin, textLength } from "./text";

const THREADS: u32 = 12;
const ROOM: u32 = DISK_TRANSFER_BYTES + 4096;
/** For the other servers. */
const OTHERS: usize = 3 << 20;
const TRANSFER: u32 = DISK_TRANSFER_BYTES / DISK_BLOCK_BYTES;
const ANYONE: u32 = 0x100;

const capability = memory.data(16, 8);
const part = memory.data(16, 8);
let open: bool = false;
let listens: bool = false;
let answered: u32 = 0;
let queued: bool = false;

/** Takes the room of the disk server, when the machine has a disk that can be a medium. */
export function diskServerOpen(now: f64): void {
  const bytes = memberBytes();
  if (!hasDisk || disk().readOnly || roomFor() < 0) return;
  if (left() < OTHERS + bytes + (THREADS as usize) * ((ROOM + 4096) as usize)) return;
  open = reserve(SERVER_DISK, THREADS, ROOM);
  const room = open ? take(bytes) : 0;
  if (room == 0) open = false;
  else memberOpen(room, now);
}

/** There is no disk server, or it is known what is on its medium. */
export function diskServerKnown(): bool {
  return !open || Now.looked;
}

/** Begins to serve when the medium has said under which port. */
export function diskServerTurn(now: f64): void {
  if (!open || listens || diskPort() == 0) return;
  listens = listenAt(SERVER_DISK, diskPort(), now);
}

/** The ten private bytes of a capability of the server with all rights; 0: there is none. */
export function diskServerPart(): usize {
  if (!listens) return 0;
  diskPart(0, RIGHTS_ALL, part);
  return part;
}

function rightsOf(asked: u32): usize {
  for (let i: u32 = 0; i < DISK_OPERATIONS_COUNT; i++) {
    const at = DISK_OPERATIONS + 12 * (i as usize);
    if (load<u32>(at) == asked) return at;
  }
  return 0;
}

// ---- what it says of itself --------------------------------------------------------------

function told(): i32 {
  answered = textLength();
  return STD_OK;
}

function putField(name: string, from: usize, length: u32): void {
  put(',"');
  put(name);
  put('":"');
  putHex(from, length);
  putByte(0x22);
}

function media(): i32 {
  put('{"media":[');
  if (isAttached()) {
    put('{"object":1,"path":"/disk","bytes":');
    putNumber(disk().sectors * 512);
    put(isWell() ? ',"state":"open"' : ',"state":"closed","why":"the disk does not read or write"');
    if (isMember) putField("age", held().begin, 16);
    putByte(0x7d);
  }
  put("]}");
  return told();
}

function storages(rights: u32): i32 {
  put('{"node":');
  putName();
  put(',"storages":[');
  if (isAttached() && isMember) {
    storageCapability(held().begin + 16, rights, capability);
    put('{"name":');
    const name = held().name;
    let length: u32 = 0;
    while (load<u8>(name + (length as usize)) != 0) length++;
    putQuoted(name, length);
    putField("age", held().begin, 16);
    putField("capability", capability, 16);
    put(',"served":false,"why":"a metal machine serves no disk itself"}');
  }
  put("]}");
  return told();
}

function describe(asked: u32, number: u32): i32 {
  if (number != 0) put("medium /disk");
  else if (asked == STANDARD_INFO) {
    put("disk server of ");
    putName();
  } else {
    put("medium /disk ");
    put(!isAttached() ? "not attached" : isWell() ? "open" : "closed");
  }
  return told();
}

// ---- what takes the medium ---------------------------------------------------------------

function queue(asked: u32, data: usize, length: u32): Job {
  const job = jobNew();
  job.slot = holdReply();
  job.asked = asked;
  job.data = data;
  job.length = length;
  queued = true;
  return job;
}

/** The identity is to change: answered when it is on the medium. */
function change(what: u32, data: usize): i32 {
  queue(JOB_IDENTITY, data, 0).flags = what;
  return STD_OK;
}

function attach(data: usize, length: u32): i32 {
  let end: u32 = 0;
  while (end < length && load<u8>(data + (end as usize)) != 0) end++;
  if (end + 9 > length) return STD_ARGBAD;
  if (!same(data, end, "/disk") && !startsWith(data, end, "witness:")) return STD_NOTFOUND;
  return isAttached() ? STD_EXISTS : change(ATTACH, data);
}

function forget(header: usize, data: usize, length: u32): i32 {
  if (length != 16) return STD_ARGBAD;
  const is = isAttached() && isMember && sameId(held().begin, data);
  setHeaderExtra(header, is ? 1 : 0);
  return is ? change(DETACH, data) : STD_OK;
}

/** A request for blocks; the lengths of its parts are looked at here. */
function blocks(asked: u32, header: usize, data: usize, length: u32): i32 {
  const count = load<u32>(data + (asked == DISK_ZERO || asked == DISK_WRITE ? 20 : 4));
  let blocks = count;
  if (asked == DISK_WRITE) {
    blocks = count / 8;
    if (length < 24 || count % 8 != 0 || blocks > TRANSFER) return STD_ARGBAD;
    if (length != 24 + count + blocks * DISK_BLOCK_BYTES) return STD_ARGBAD;
  } else if (length != (asked == DISK_ZERO ? 24 : 8)) return STD_ARGBAD;
  if (blocks == 0 || (asked == DISK_READ && blocks > TRANSFER)) return STD_ARGBAD;
  if (asked == DISK_DIGESTS && blocks > DIGESTS_BLOCKS_MAX) return STD_ARGBAD;
  const job = queue(asked, data, length);
  job.block = headerOffset(header) as u32;
  job.blocks = blocks;
  job.flags = headerExtra(header);
  job.epoch = load<u32>(data);
  job.sequence = load<u64>(data, 4);
  job.done = load<u64>(data, 12);
  job.digests = data + 24;
  return STD_OK;
}

function look(data: usize): i32 {
  store<u32>(data, max<i64>(0, roomFor()) as u32);
  store<u8>(data, 0, 4);
  answered = 5 + (isMember ? recordOut(data + 5) : 0);
  return STD_OK;
}

function renew(data: usize, length: u32): i32 {
  if (length != 12) return STD_ARGBAD;
  const status = enter(load<u32>(data));
  if (status == STD_OK) advance(load<u64>(data, 4));
  return status;
}

// ---- requests ----------------------------------------------------------------------------

function ofServer(asked: u32, rights: u32, header: usize, data: usize, length: u32): i32 {
  if (asked == DISK_ATTACH) return attach(data, length);
  if (asked == DISK_FORGET) return forget(header, data, length);
  if (asked == DISK_SERVING) {
    setHeaderExtra(header, 0);
    return STD_OK;
  }
  if (asked == DISK_MEDIA) return media();
  if (asked == DISK_STORAGES) return storages(rights);
  if (asked == DISK_EXPORTS) {
    put('{"exports":[]}');
    return told();
  }
  if (asked != DISK_BRANCHES) return STD_COMBAD;
  put('{"node":');
  putName();
  put(',"branches":[]}');
  return told();
}

function ofMedium(asked: u32, header: usize, data: usize, length: u32): i32 {
  if (asked == DISK_MEDIUM_ASKED) {
    put("/disk");
    putByte(0);
    putByte(0);
    putByte(0);
    return told();
  }
  if (asked == DISK_DETACH || asked == STANDARD_DESTROY) return change(DETACH, data);
  if (asked == STANDARD_REVOKE) return change(RENEW, data);
  if (!isWell()) return DISK_MEDIUM;
  if (asked == DISK_RENEW) return renew(data, length);
  if (asked == DISK_LOOK) return look(data);
  if (asked == DISK_EXTEND)
    return length == 8 && load<u64>(data) <= disk().sectors * 512 ? STD_OK : STD_NOSPACE;
  if (asked == DISK_ADOPT || asked == DISK_UPDATE) {
    queue(asked, data, length);
    return STD_OK;
  }
  if (asked == DISK_FENCE || asked == DISK_FLUSH) {
    if (length != (asked == DISK_FENCE ? 28 : 4)) return STD_ARGBAD;
    queue(asked, data, length).epoch = load<u32>(data);
    return STD_OK;
  }
  if (asked == DISK_READ || asked == DISK_WRITE || asked == DISK_ZERO || asked == DISK_DIGESTS)
    return blocks(asked, header, data, length);
  return STD_COMBAD;
}

function judge(header: usize, data: usize, length: u32, capacity: u32): i32 {
  const asked = command(header);
  const operation = rightsOf(asked);
  if (operation == 0) return STD_COMBAD;
  const private_ = header + (HEADER_PRIVATE_AT as usize);
  const wanted = load<u32>(operation, 4);
  const bare = wanted == ANYONE && object(private_) == 0;
  const rights = bare ? 0 : diskVerify(private_, clock());
  if (rights < 0) return rights;
  if (wanted != ANYONE && ((rights as u32) & wanted) != wanted) return STD_DENIED;
  const number = object(private_);
  if (number != 0 && !isAttached()) return STD_CAPBAD;
  textBegin(data, capacity);
  if (asked == STANDARD_INFO || asked == STANDARD_STATUS) return describe(asked, number);
  if (asked == STANDARD_TOUCH) return STD_OK;
  if (asked == STANDARD_RESTRICT) {
    diskPart(number, (rights as u32) & (headerOffset(header) as u32), private_);
    return STD_OK;
  }
  return number == 0
    ? ofServer(asked, rights as u32, header, data, length)
    : ofMedium(asked, header, data, length);
}

export function diskServe(header: usize, data: usize, length: u32, capacity: u32): void {
  answered = 0;
  queued = false;
  const status = judge(header, data, length, capacity);
  if (queued) return;
  finishReply(header, status, status == STD_OK ? answered : 0);
  replyWith(data, status == STD_OK ? answered : 0);
}
