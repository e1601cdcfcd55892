// The standard operations of a server with objects (objects.ts); control/interface/standard.ts is their
// table, and control/stub/standard.ts what they do under Linux.
//
// - A server answers INFO, STATUS, COPY and DESTROY itself: what its objects are is its own matter.
// - Answers are written where the request lies; `standardLength` says how long the last one is.

import {
  STANDARD_AGES,
  STANDARD_GETPARAMS,
  STANDARD_NTOUCH,
  STANDARD_RESTRICT,
  STANDARD_REVOKE,
  STANDARD_SETPARAMS,
  STANDARD_TOUCH,
} from "../../build/metal/interface";
import { STD_ARGBAD, STD_COMBAD, STD_DENIED, STD_NOTFOUND, STD_OK } from "../../core-wasm/status";
import { object, PRIVATE_BYTES, RIGHTS_ALL } from "../../core-wasm/wire/capability";
import {
  headerExtra,
  headerOffset,
  HEADER_PRIVATE_AT,
  headerSize,
  setHeaderExtra,
  setHeaderOffset,
} from "../../core-wasm/wire/header";
import {
  ageAt,
  LIFETIME_MOST,
  lifetime,
  OBJECTS_MOST,
  objectAt,
  objectRenew,
  objectTouch,
  partMake,
  partVerify,
  setLifetime,
} from "./objects";
import { numberAt, put, putByte, putNumber, same, textBegin, textLength } from "./text";

/** A 32-bit number and a byte: agedObject. */
const AGED_BYTES: u32 = 5;
const AGES_MOST: u32 = 1024;

/** Bytes of data of the last answer. */
export let standardLength: u32 = 0;
const private_ = memory.data(16, 8);

/** Writes a private part into the header. */
export function givePart(header: usize, number: u32, rights: u32): void {
  partMake(number, rights, header + (HEADER_PRIVATE_AT as usize));
}

function ages(header: usize, data: usize, capacity: u32): i32 {
  const first = max<i32>(1, headerOffset(header)) as u32;
  const least = headerExtra(header);
  const most = min<u32>(capacity / AGED_BYTES, AGES_MOST);
  let count: u32 = 0;
  let next: u32 = 0;
  for (let place: u32 = 1; place <= OBJECTS_MOST; place++) {
    const number = objectAt(place);
    if (number < first || number == 0 || ageAt(place) < least) continue;
    if (count == most) {
      next = number;
      break;
    }
    const at = data + ((AGED_BYTES * count) as usize);
    store<u32>(at, number);
    store<u8>(at, min<u32>(ageAt(place), 255) as u8, 4);
    count++;
  }
  setHeaderOffset(header, next as i32);
  setHeaderExtra(header, lifetime);
  standardLength = AGED_BYTES * count;
  return STD_OK;
}

function touchMany(header: usize, data: usize, length: u32, mask: u32, now: f64): i32 {
  const sent = length / PRIVATE_BYTES;
  const wanted = headerSize(header);
  setHeaderExtra(header, 0);
  if (length % PRIVATE_BYTES != 0 || (wanted != 0 && wanted != sent)) return STD_ARGBAD;
  let failure: i32 = STD_OK;
  let touched: u32 = 0;
  for (let i: u32 = 0; i < sent; i++) {
    memory.copy(private_, data + ((PRIVATE_BYTES * i) as usize), PRIVATE_BYTES);
    const rights = partVerify(private_, now);
    if (rights < 0) failure = rights;
    else if (((rights as u32) & mask) != mask) failure = STD_DENIED;
    else {
      objectTouch(object(private_));
      touched++;
    }
  }
  setHeaderExtra(header, touched & 0xffff);
  return failure;
}

function parameters(header: usize, data: usize, capacity: u32): i32 {
  textBegin(data, capacity);
  put("lifetime");
  putByte(0);
  put("count from 1 to 255");
  putByte(0);
  put("times that AGE may come over an object without TOUCH");
  putByte(0);
  putNumber(lifetime as u64);
  putByte(0);
  setHeaderExtra(header, 1);
  standardLength = textLength();
  return STD_OK;
}

/** Where the text at `from` ends; `end`: it does not. */
function textEnd(data: usize, from: u32, end: u32): u32 {
  let at = from;
  while (at < end && load<u8>(data + (at as usize)) != 0) at++;
  return at;
}

/** Sets what the request names, all of it or nothing. */
function setParameters(header: usize, data: usize, length: u32): i32 {
  let wanted: u32 = 0;
  let count: u32 = 0;
  for (let at: u32 = 0; at < length; ) {
    const name = textEnd(data, at, length);
    const end = name < length ? textEnd(data, name + 1, length) : length;
    if (end >= length) return STD_ARGBAD;
    if (!same(data + (at as usize), name - at, "lifetime")) return STD_NOTFOUND;
    const digits = end - name - 1;
    wanted = numberAt(data + ((name + 1) as usize), digits);
    if (digits == 0 || digits > 3 || wanted < 1 || wanted > LIFETIME_MOST) return STD_ARGBAD;
    for (let i: u32 = 0; i < digits; i++)
      if ((load<u8>(data + ((name + 1 + i) as usize)) as u32) - 0x30 > 9) return STD_ARGBAD;
    at = end + 1;
    count++;
  }
  if (headerExtra(header) != 0 && headerExtra(header) != count) return STD_ARGBAD;
  if (count > 0) setLifetime(wanted);
  return STD_OK;
}

/**
 * A standard operation that is the same for all servers, on object `number` by somebody with `rights`;
 * `mask` is what TOUCH takes. Its status; STD_COMBAD: it is the server's own, or none.
 */
export function standardServe(
  asked: u32,
  number: u32,
  rights: u32,
  mask: u32,
  header: usize,
  data: usize,
  length: u32,
  capacity: u32,
  now: f64,
): i32 {
  standardLength = 0;
  if (asked == STANDARD_NTOUCH) return touchMany(header, data, length, mask, now);
  if (asked == STANDARD_SETPARAMS) return setParameters(header, data, length);
  if (length != 0) return STD_ARGBAD;
  if (asked == STANDARD_RESTRICT) {
    givePart(header, number, rights & (headerOffset(header) as u32));
    return STD_OK;
  }
  if (asked == STANDARD_TOUCH) {
    objectTouch(number);
    return STD_OK;
  }
  if (asked == STANDARD_REVOKE) {
    objectRenew(number);
    givePart(header, number, RIGHTS_ALL);
    return STD_OK;
  }
  if (asked == STANDARD_GETPARAMS) return parameters(header, data, capacity);
  if (asked == STANDARD_AGES) return ages(header, data, capacity);
  return STD_COMBAD;
}
