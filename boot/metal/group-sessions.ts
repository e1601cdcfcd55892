// Which commands of which program were applied in the machine's group, and the state that a joiner
// begins with: control/group/sessions.ts and configuration.ts, in fixed places.
//
// - The state of a group of lines is this and no more. A group whose state is more (a directory's) is
//   none for this machine: snapshotRead says so, and the machine leaves it.
// - Sessions lie in the order of their last use; the one used longest ago goes beyond SESSIONS, as at
//   every member. Of results, which here are a seqno each, the last RESULTS are kept: whoever joins
//   again with more open commands than that is told that the fate of the oldest is not known.

import { groupName, groupNameLength, setGroupName } from "./group-port";
import { take } from "./memory";

export const SESSION_BYTES: u32 = 8;
const SESSIONS: u32 = 1024;
const RESULTS: u32 = 2048;
/** No snapshot of ours is longer. */
export const SNAPSHOT_BYTES: u32 = 65536;

@unmanaged
class Session {
  name: u64;
  last: u32;
  /** Results of lower numbers are not asked for any more. */
  oldest: u32;
}

@unmanaged
class Result {
  name: u64;
  number: u32;
  seqno: u32;
}

let sessions: usize = 0;
let results: usize = 0;
let count: u32 = 0;
let recorded: u32 = 0; // results so far; the last RESULTS are there

function sessionAt(index: u32): Session {
  return changetype<Session>(sessions + offsetof<Session>() * (index as usize));
}

function resultAt(index: u32): Result {
  return changetype<Result>(results + offsetof<Result>() * ((index % RESULTS) as usize));
}

function firstResult(): u32 {
  return recorded > RESULTS ? recorded - RESULTS : 0;
}

/** Takes the room. False: there is none. */
export function sessionsOpen(): bool {
  sessions = take(offsetof<Session>() * (SESSIONS as usize));
  results = take(offsetof<Result>() * (RESULTS as usize));
  return sessions != 0 && results != 0;
}

export function sessionsForget(): void {
  count = 0;
  recorded = 0;
}

/** Where a session is; `count`: it is none. Most were used a moment ago. */
function find(name: u64): u32 {
  for (let i = count; i > 0; i--) if (sessionAt(i - 1).name == name) return i - 1;
  return count;
}

/** Was this command applied before? */
export function sessionApplied(name: u64, number: u32): bool {
  const at = find(name);
  return at < count && number <= sessionAt(at).last;
}

/** The seqno of a command that was applied; 0: it is not kept any more. */
export function sessionResult(name: u64, number: u32): u32 {
  for (let i = recorded; i > firstResult(); i--) {
    const result = resultAt(i - 1);
    if (result.name == name && result.number == number) return result.seqno;
  }
  return 0;
}

/** A session moves to the end of the list; a new one pushes out the first when there is no room. */
function use(name: u64): Session {
  const at = find(name);
  const last = at < count ? sessionAt(at).last : 0;
  const gone = at < count ? at : count == SESSIONS ? 0 : count;
  const behind = offsetof<Session>() * ((count - min(gone + 1, count)) as usize);
  memory.copy(changetype<usize>(sessionAt(gone)), changetype<usize>(sessionAt(gone + 1)), behind);
  if (gone == count) count++;
  const session = sessionAt(count - 1);
  session.name = name;
  session.last = last;
  return session;
}

/** A command was applied; its program has the results of all before `oldest`. */
export function sessionRecord(name: u64, number: u32, oldest: u32, seqno: u32): void {
  const session = use(name);
  session.last = number;
  session.oldest = oldest;
  keep(name, number, seqno);
}

function keep(name: u64, number: u32, seqno: u32): void {
  const result = resultAt(recorded);
  recorded++;
  if (recorded == 2 * RESULTS) recorded = RESULTS; // the same places, and no end to counting
  result.name = name;
  result.number = number;
  result.seqno = seqno;
}

// ---- snapshots: numbers of 32 bits, and bytes with their length in front -----------------

let at: usize = 0;
let end: usize = 0;

function write(value: u32): void {
  store<u32>(at, value);
  at += 4;
}

function isOpen(session: Session, result: Result): bool {
  return result.name == session.name && result.number >= session.oldest;
}

/** Writes the state as it is before message `seqno`, at most SNAPSHOT_BYTES; answers its length. */
export function snapshotWrite(to: usize, seqno: u32, minimum: u32, detectMs: u32): u32 {
  at = to;
  write(seqno);
  write(groupNameLength);
  memory.copy(at, groupName, groupNameLength);
  at += groupNameLength as usize;
  write(minimum);
  write(detectMs);
  const length = at;
  write(0);
  write(count);
  for (let i: u32 = 0; i < count; i++) {
    const session = sessionAt(i);
    write(SESSION_BYTES);
    store<u64>(at, session.name);
    at += SESSION_BYTES as usize;
    write(session.last);
    const many = at;
    write(0);
    for (let j = firstResult(); j < recorded; j++) {
      const result = resultAt(j);
      if (!isOpen(session, result)) continue;
      store<u32>(many, load<u32>(many) + 1);
      write(result.number);
      write(result.seqno);
      write(0);
    }
  }
  store<u32>(length, (at - length - 4) as u32);
  write(0);
  return (at - to) as u32;
}

export let readSeqno: u32 = 0;
export let readMinimum: u32 = 0;
export let readDetectMs: u32 = 0;
let bad: bool = false;

function read(): u32 {
  if (bad || end - at < 4) {
    bad = true;
    return 0;
  }
  at += 4;
  return load<u32>(at - 4);
}

/** Where bytes are that come next, `length` of which must be there. */
function bytes(length: u32): usize {
  if (bad || end - at < (length as usize)) {
    bad = true;
    return 0;
  }
  at += length as usize;
  return at - (length as usize);
}

/** Takes the group's state in place of ours. False: these bytes are none that this machine can keep. */
export function snapshotRead(from: usize, length: u32): bool {
  at = from;
  end = from + (length as usize);
  bad = false;
  sessionsForget();
  readSeqno = read();
  const nameLength = read();
  const name = bytes(nameLength);
  readMinimum = read();
  readDetectMs = read();
  read(); // length of the sessions
  const many = read();
  if (many > SESSIONS) bad = true;
  for (let i: u32 = 0; i < many && !bad; i++) {
    if (read() != SESSION_BYTES) bad = true;
    const at = bytes(SESSION_BYTES);
    if (bad) break;
    const session = use(load<u64>(at));
    session.last = read();
    session.oldest = session.last + 1;
    const kept = read();
    for (let j: u32 = 0; j < kept && !bad; j++) {
      const number = read();
      const seqno = read();
      if (read() != 0) bad = true; // a result: of a group with a state
      if (bad) break;
      session.oldest = min(session.oldest, number);
      keep(session.name, number, seqno);
    }
  }
  if (read() != 0 || bad) return false;
  setGroupName(name, nameLength);
  return true;
}
