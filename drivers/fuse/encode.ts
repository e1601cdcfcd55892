// Answers and notifications put together: FUSE's structures and nothing else.
//
// - encode() writes header and body and answers their length. Answers that are too long for their
//   request are the caller's bug: RangeError.
// - Source: the structures of linux/fuse.h; test/unit/drivers/fuse has their bytes.

import {
  type Attributes,
  type Entry,
  type FileAnswer,
  fileTypes,
  type Listed,
  type Opened,
} from "../file-system.js";
import type { FuseBuffer } from "./buffer.js";
import {
  ATTRIBUTES_BYTES,
  DIRENT_BYTES,
  ENTRY_BYTES,
  NOTIFY_INVAL_ENTRY,
  NOTIFY_INVAL_INODE,
  OUT_HEADER_BYTES,
} from "./protocol.js";

/** What we answer to it. */
export interface InitAnswer {
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
  readonly maxBackground: number;
  readonly maxWrite: number;
  readonly maxStackDepth: number;
}

function putAttributes(buffer: FuseBuffer, at: number, attributes: Attributes): void {
  const { node, size, blocks, mode, links, uid, gid, device, atime, mtime, ctime } = attributes;
  buffer.put64(at, node);
  buffer.put64(at + 8, size);
  buffer.put64(at + 16, blocks);
  buffer.put64(at + 24, atime.seconds);
  buffer.put64(at + 32, mtime.seconds);
  buffer.put64(at + 40, ctime.seconds);
  buffer.put32(at + 48, atime.nanoseconds);
  buffer.put32(at + 52, mtime.nanoseconds);
  buffer.put32(at + 56, ctime.nanoseconds);
  buffer.put32(at + 60, mode);
  buffer.put32(at + 64, links);
  buffer.put32(at + 68, uid);
  buffer.put32(at + 72, gid);
  buffer.put32(at + 76, device);
  buffer.put32(at + 80, 4096);
  buffer.put32(at + 84, 0);
}

/** Seconds and, behind them elsewhere, their part. */
function putSeconds(buffer: FuseBuffer, at: number, partAt: number, seconds: number): void {
  const whole = Math.floor(seconds);
  buffer.put64(at, whole);
  buffer.put32(partAt, Math.round((seconds - whole) * 1e9));
}

function putEntry(buffer: FuseBuffer, at: number, entry: Entry): void {
  buffer.put64(at, entry.attributes.node);
  buffer.put64(at + 8, entry.generation);
  putSeconds(buffer, at + 16, at + 32, entry.entrySeconds);
  putSeconds(buffer, at + 24, at + 36, entry.attributeSeconds);
  putAttributes(buffer, at + 40, entry.attributes);
}

function putOpened(buffer: FuseBuffer, at: number, { handle, flags, backing = 0 }: Opened): void {
  buffer.put64(at, handle);
  buffer.put32(at + 8, flags);
  buffer.put32(at + 12, backing);
}

/** As many names as fit into `room` bytes; answers how many bytes those are. */
function putNames(
  buffer: FuseBuffer,
  at: number,
  names: Iterable<Listed>,
  room: number,
  plus: boolean,
): number {
  const before = plus ? ENTRY_BYTES : 0;
  let used = 0;
  for (const { name, node, mode, position, entry } of names) {
    const size = (before + DIRENT_BYTES + name.length + 7) & ~7;
    if (used + size > room) break;
    const here = at + used;
    buffer.bytes.fill(0, here, here + size);
    if (plus && entry !== undefined) putEntry(buffer, here, entry);
    const dirent = here + before;
    buffer.put64(dirent, node);
    buffer.put64(dirent + 8, position);
    buffer.put32(dirent + 16, name.length);
    buffer.put32(dirent + 20, (mode & fileTypes.mask) >>> 12);
    buffer.putName(dirent + DIRENT_BYTES, name);
    used += size;
  }
  return used;
}

const absent: Attributes = {
  ...{ node: 0, size: 0, blocks: 0, mode: 0, links: 0, uid: 0, gid: 0, device: 0 },
  atime: { seconds: 0, nanoseconds: 0 },
  mtime: { seconds: 0, nanoseconds: 0 },
  ctime: { seconds: 0, nanoseconds: 0 },
};

/** What an answer is an answer to, as far as its form depends on it. */
export interface AnswerForm {
  /** Room for the names of a listing. */
  readonly bytes: number;
  readonly plus: boolean;
}

const plain: AnswerForm = { bytes: 0, plus: false };

/** Writes an answer; answers its length. */
export function encode(
  buffer: FuseBuffer,
  uniqueLow: number,
  uniqueHigh: number,
  answer: FileAnswer,
  form: AnswerForm = plain,
): number {
  const size = OUT_HEADER_BYTES + bodyOf(buffer, answer, form);
  buffer.put32(0, size);
  buffer.view.setInt32(4, answer.kind === "error" ? -answer.errno : 0, true);
  buffer.put32(8, uniqueLow);
  buffer.put32(12, uniqueHigh);
  return size;
}

/** Writes what stands behind the header; answers how long it is. */
function bodyOf(buffer: FuseBuffer, answer: FileAnswer, form: AnswerForm): number {
  const at = OUT_HEADER_BYTES;
  switch (answer.kind) {
    case "error":
    case "done":
      return 0;
    case "entry":
      putEntry(buffer, at, answer);
      return ENTRY_BYTES;
    case "absent":
      putEntry(buffer, at, {
        attributes: absent,
        generation: 0,
        entrySeconds: answer.entrySeconds,
        attributeSeconds: 0,
      });
      return ENTRY_BYTES;
    case "attributes":
      putSeconds(buffer, at, at + 8, answer.attributeSeconds);
      buffer.put32(at + 12, 0);
      putAttributes(buffer, at + 16, answer.attributes);
      return 16 + ATTRIBUTES_BYTES;
    case "opened":
      putOpened(buffer, at, answer);
      return 16;
    case "created":
      putEntry(buffer, at, answer.entry);
      putOpened(buffer, at + ENTRY_BYTES, answer.opened);
      return ENTRY_BYTES + 16;
    case "data":
      buffer.bytes.set(answer.data, at);
      return answer.data.length;
    case "written":
    case "size":
      buffer.put32(at, answer.bytes);
      buffer.put32(at + 4, 0);
      return 8;
    case "position":
      buffer.put64(at, answer.position);
      return 8;
    case "usage": {
      const { blocks, blocksFree, files, filesFree, blockBytes, nameBytesMax } = answer.usage;
      buffer.bytes.fill(0, at, at + 80);
      for (const [index, value] of [blocks, blocksFree, blocksFree, files, filesFree].entries())
        buffer.put64(at + 8 * index, value);
      buffer.put32(at + 40, blockBytes);
      buffer.put32(at + 44, nameBytesMax);
      buffer.put32(at + 48, blockBytes);
      return 80;
    }
    case "names":
      return putNames(buffer, at, answer.names, form.bytes, form.plus);
  }
}

/** Writes the answer to INIT; answers its length. */
export function encodeInit(
  buffer: FuseBuffer,
  uniqueLow: number,
  uniqueHigh: number,
  init: InitAnswer,
): number {
  const at = OUT_HEADER_BYTES;
  buffer.bytes.fill(0, 0, at + 64);
  buffer.put32(at, 7);
  buffer.put32(at + 4, init.minor);
  buffer.put32(at + 8, init.maxReadahead);
  buffer.put32(at + 12, init.flags >>> 0);
  buffer.view.setUint16(at + 16, init.maxBackground, true);
  buffer.view.setUint16(at + 18, Math.floor((init.maxBackground * 3) / 4), true);
  buffer.put32(at + 20, init.maxWrite);
  buffer.put32(at + 24, 1); // times to the nanosecond
  buffer.view.setUint16(at + 28, Math.ceil(init.maxWrite / 4096), true);
  buffer.put32(at + 32, init.flags2 >>> 0);
  buffer.put32(at + 36, init.maxStackDepth);
  buffer.put32(0, at + 64);
  buffer.put32(8, uniqueLow);
  buffer.put32(12, uniqueHigh);
  return at + 64;
}

// ---- notifications --------------------------------------------------------------------------

/** What the kernel is to forget: of a node everything that it has, or one name of a directory. */
export type Invalidation =
  | {
      readonly kind: "node";
      readonly node: number /** Its bytes too, and not its attributes alone. */;
      readonly data: boolean;
    }
  | { readonly kind: "name"; readonly directory: number; readonly name: string };

/** Writes a notification; answers its length. */
export function encodeInvalidation(buffer: FuseBuffer, what: Invalidation): number {
  const at = OUT_HEADER_BYTES;
  const isNode = what.kind === "node";
  const size = at + (isNode ? 24 : 16 + what.name.length + 1);
  buffer.bytes.fill(0, 0, size);
  buffer.put32(0, size);
  buffer.put32(4, isNode ? NOTIFY_INVAL_INODE : NOTIFY_INVAL_ENTRY);
  if (isNode) {
    buffer.put64(at, what.node);
    if (!what.data) buffer.bytes.fill(0xff, at + 8, at + 16); // from byte -1: attributes alone
  } else {
    buffer.put64(at, what.directory);
    buffer.put32(at + 8, what.name.length);
    buffer.putName(at + 16, what.name);
  }
  return size;
}
