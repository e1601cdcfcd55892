// The segment server of the machine; control/interface/segment.ts is its table, and its numbers and
// rights come from there. control/server/segment/segment.ts is the same under Linux.
//
// - Segments lie in the kernel's own region, which main.ts sets aside by the size of memory. A reply's
//   bytes are copied into the request's buffer: a segment may be destroyed while they are on their way.
// - CREATE and COPY take sources of this machine; of another one they answer STD_NOTFOUND. MAP is
//   STD_COMBAD: nothing else runs here that could map.
// - Bytes of one call end at the buffer: on small machines below SEGMENT_PIECE_BYTES (STD_OVERFLOW).

import {
  SEGMENT_CREATE,
  SEGMENT_GROW,
  SEGMENT_OBJECT_BASE,
  SEGMENT_OPERATIONS,
  SEGMENT_OPERATIONS_COUNT,
  SEGMENT_PIECE_BYTES,
  SEGMENT_READ,
  SEGMENT_READ_RIGHTS,
  SEGMENT_SIZE,
  SEGMENT_WRITE,
  STANDARD_AGE,
  STANDARD_COPY,
  STANDARD_DESTROY,
  STANDARD_INFO,
  STANDARD_NTOUCH,
  STANDARD_STATUS,
  STANDARD_TOUCH,
} from "../../build/metal/interface";
import { SEGMENT_INFO_LENGTH, SEGMENT_STAT_LARGEST, SEGMENT_STAT_REGION } from "../../core-wasm/layout";
import { SEGMENT_STAT_COUNT, SEGMENT_STAT_MOST, SEGMENT_STAT_TAKEN } from "../../core-wasm/layout";
import {
  STD_ARGBAD,
  STD_CAPBAD,
  STD_COMBAD,
  STD_DENIED,
  STD_NOSPACE,
  STD_NOTFOUND,
  STD_OK,
  STD_OVERFLOW,
} from "../../core-wasm/status";
import { CAPABILITY_BYTES, CAPABILITY_PRIVATE_AT, object, RIGHTS_ALL } from "../../core-wasm/wire/capability";
import { HEADER_PRIVATE_AT, PRIVATE_BYTES } from "../../core-wasm/wire/formats";
import {
  command,
  headerOffset,
  headerSize,
  setHeaderExtra,
  setHeaderOffset,
  setHeaderSize,
  setStatus,
} from "../../core-wasm/wire/header";
import { load48 } from "../../core-wasm/wire/order";
import { now as clock } from "./host";
import { segmentCreate, segmentDestroy, segmentGrow, segmentInfo, segmentStat } from "./kernel";
import {
  growAt,
  OBJECTS_MOST,
  objectAdd,
  objectAt,
  objectRemove,
  objectSet,
  objectsOpen,
  objectValue,
  partVerify,
} from "./objects";
import { putPortAt, replyWith } from "./services";
import { givePart, standardLength, standardServe } from "./standard";
import { SERVER_SEGMENT } from "./status";
import { put, putNumber, textBegin, textLength } from "./text";

/** As scripts/build-metal.mjs writes them: number, rights, subject; 12 bytes an operation. */
const OPERATION: usize = 12;
const SUBJECT_SERVER: u32 = 1;
const SUBJECT_OBJECT: u32 = 2;
const ANYONE: u32 = 0x100;

const information = memory.data(32, 8);
const server = memory.data(16, 8);
/** Length of the reply's data. */
let replyLength: u32 = 0;

/** Before it serves. False: there is no room. */
export function segmentOpen(): bool {
  return objectsOpen(SEGMENT_OBJECT_BASE);
}

/** The ten private bytes of a capability of the server itself, with all rights. */
export function segmentPart(): usize {
  partOf(0, server);
  return server;
}

function partOf(number: u32, out: usize): void {
  givePart(out - (HEADER_PRIVATE_AT as usize), number, RIGHTS_ALL);
}

/** Where an operation of the table lies; 0: there is no such operation. */
function operationOf(asked: u32): usize {
  for (let i: u32 = 0; i < SEGMENT_OPERATIONS_COUNT; i++) {
    const at = SEGMENT_OPERATIONS + OPERATION * (i as usize);
    if (load<u32>(at) == asked) return at;
  }
  return 0;
}

function addressOf(handle: i32): usize {
  return segmentInfo(handle, information) < 0 ? 0 : (load<u32>(information) as usize);
}

function lengthOf(handle: i32): u32 {
  return segmentInfo(handle, information) < 0 ? 0 : load<u32>(information, SEGMENT_INFO_LENGTH);
}

/** A new object of a segment of `bytes` that begins with another's; its capability into the header. */
function make(header: usize, bytes: u32, source: i32): i32 {
  const handle = segmentCreate(bytes);
  if (handle <= 0) return handle == STD_ARGBAD ? STD_ARGBAD : STD_NOSPACE;
  const number = objectAdd(handle);
  if (number == 0) {
    segmentDestroy(handle);
    return STD_NOSPACE;
  }
  if (source != 0) {
    const length = min<u32>(bytes, lengthOf(source));
    const from = addressOf(source);
    memory.copy(addressOf(handle), from, length);
  }
  givePart(header, number, RIGHTS_ALL);
  return STD_OK;
}

/** The segment of a capability of this server, which may be read; a status below zero. */
function sourceOf(capability: usize, now: f64): i32 {
  if (load48(capability) != load48(putPortAt(SERVER_SEGMENT))) return STD_NOTFOUND;
  const part = capability + (CAPABILITY_PRIVATE_AT as usize);
  const rights = partVerify(part, now);
  if (rights < 0) return rights;
  if (((rights as u32) & SEGMENT_READ_RIGHTS) != SEGMENT_READ_RIGHTS) return STD_DENIED;
  const handle = objectValue(object(part));
  return handle == 0 ? STD_COMBAD : handle;
}

function create(header: usize, data: usize, length: u32, now: f64): i32 {
  const bytes = headerOffset(header);
  if (bytes < 0 || (length != 0 && length != CAPABILITY_BYTES)) return STD_ARGBAD;
  const source = length == 0 ? 0 : sourceOf(data, now);
  return source < 0 ? source : make(header, bytes as u32, source);
}

function copy(header: usize, data: usize, length: u32, now: f64): i32 {
  if (length != CAPABILITY_BYTES) return STD_ARGBAD;
  const source = sourceOf(data, now);
  return source < 0 ? source : make(header, lengthOf(source), source);
}

function grow(number: u32, handle: i32, bytes: i32): i32 {
  const before = lengthOf(handle);
  if (bytes < 0 || (bytes as u32) < before) return STD_ARGBAD;
  if (segmentGrow(handle, bytes as u32) >= 0) return STD_OK;
  const moved = segmentCreate(bytes as u32);
  if (moved <= 0) return moved == STD_ARGBAD ? STD_ARGBAD : STD_NOSPACE;
  const from = addressOf(handle);
  memory.copy(addressOf(moved), from, before);
  segmentDestroy(handle);
  objectSet(number, moved);
  return STD_OK;
}

function read(header: usize, handle: i32, data: usize, length: u32, capacity: u32): i32 {
  if (length != 0 && length != 4) return STD_ARGBAD;
  const position = headerOffset(header) as u32;
  const wanted = length == 0 ? headerSize(header) : load<u32>(data);
  const all = lengthOf(handle);
  if (position > all || wanted > SEGMENT_PIECE_BYTES) return STD_ARGBAD;
  replyLength = min<u32>(wanted, all - position);
  if (replyLength > capacity) return STD_OVERFLOW;
  memory.copy(data, addressOf(handle) + (position as usize), replyLength);
  return STD_OK;
}

function write(header: usize, handle: i32, data: usize, length: u32): i32 {
  const position = headerOffset(header) as u32;
  const all = lengthOf(handle);
  if (position > all || length > all - position) return STD_ARGBAD;
  memory.copy(addressOf(handle) + (position as usize), data, length);
  return STD_OK;
}

function destroy(number: u32): i32 {
  const handle = objectValue(number);
  if (handle == 0) return STD_COMBAD; // the server itself
  segmentDestroy(handle);
  objectRemove(number);
  return STD_OK;
}

function age(): i32 {
  for (let place: u32 = 1; place <= OBJECTS_MOST; place++) {
    const number = objectAt(place);
    if (number != 0 && growAt(place)) destroy(number);
  }
  return STD_OK;
}

function putStat(field: u32): void {
  putNumber(load<u32>(information + (field as usize)) as u64);
}

function tell(asked: u32, number: u32, most: u32, data: usize, capacity: u32): i32 {
  textBegin(data, capacity);
  if (asked == STANDARD_STATUS) {
    segmentStat(information);
    put("segments ");
    putStat(SEGMENT_STAT_COUNT);
    put(" of ");
    putStat(SEGMENT_STAT_MOST);
    put("\nbytes taken ");
    putStat(SEGMENT_STAT_TAKEN);
    put(" of ");
    putStat(SEGMENT_STAT_REGION);
    put("\nlargest that fits ");
    putStat(SEGMENT_STAT_LARGEST);
  } else if (number == 0) put("segment server");
  else {
    put("segment of ");
    putNumber(lengthOf(objectValue(number)) as u64);
    put(" bytes");
  }
  replyLength = asked == STANDARD_INFO && most != 0 ? min(most, textLength()) : textLength();
  return STD_OK;
}

function obey(
  asked: u32,
  number: u32,
  rights: u32,
  header: usize,
  data: usize,
  length: u32,
  capacity: u32,
  now: f64,
): i32 {
  const handle = objectValue(number);
  if (asked == SEGMENT_READ) return read(header, handle, data, length, capacity);
  if (asked == SEGMENT_WRITE) return write(header, handle, data, length);
  if (asked == SEGMENT_CREATE) return create(header, data, length, now);
  if (asked == STANDARD_COPY) return copy(header, data, length, now);
  if (asked == SEGMENT_GROW || asked == SEGMENT_SIZE || asked == STANDARD_DESTROY || asked == STANDARD_AGE) {
    if (length != 0) return STD_ARGBAD;
    if (asked == SEGMENT_GROW) return grow(number, handle, headerOffset(header));
    if (asked == STANDARD_DESTROY) return destroy(number);
    if (asked == STANDARD_AGE) return age();
    setHeaderOffset(header, lengthOf(handle) as i32);
    return STD_OK;
  }
  if (asked == STANDARD_INFO || asked == STANDARD_STATUS)
    return length != 0 ? STD_ARGBAD : tell(asked, number, headerSize(header), data, capacity);
  const touch = load<u32>(operationOf(STANDARD_TOUCH), 4);
  const status = standardServe(asked, number, rights, touch, header, data, length, capacity, now);
  replyLength = standardLength;
  return status;
}

function isBare(part: usize): bool {
  return load<u64>(part) == 0 && load<u16>(part, PRIVATE_BYTES - 2) == 0;
}

/** What the request comes to: a status. */
function judge(header: usize, data: usize, length: u32, capacity: u32): i32 {
  const asked = command(header);
  const operation = operationOf(asked);
  if (operation == 0) return STD_COMBAD;
  const part = header + (HEADER_PRIVATE_AT as usize);
  const wanted = load<u32>(operation, 4);
  const now = clock();
  const rights = wanted == ANYONE && isBare(part) ? 0 : partVerify(part, now);
  if (rights < 0) return rights;
  if (wanted != ANYONE && ((rights as u32) & wanted) != wanted) return STD_DENIED;
  const number = object(part);
  const subject = load<u32>(operation, 8);
  if (subject == SUBJECT_SERVER && number != 0) return STD_COMBAD;
  if (subject == SUBJECT_OBJECT && number == 0) return STD_COMBAD;
  if (number != 0 && objectValue(number) == 0) return STD_CAPBAD;
  return obey(asked, number, rights as u32, header, data, length, capacity, now);
}

export function segmentServe(header: usize, data: usize, length: u32, capacity: u32): void {
  replyLength = 0;
  const asked = command(header);
  const status = judge(header, data, length, capacity);
  if (status != STD_OK) {
    replyLength = 0;
    setHeaderOffset(header, 0);
    if (asked != STANDARD_NTOUCH) setHeaderExtra(header, 0);
    memory.fill(header + (HEADER_PRIVATE_AT as usize), 0, PRIVATE_BYTES);
  }
  setStatus(header, status);
  setHeaderSize(header, replyLength & 0xffff);
  replyWith(data, replyLength);
}
