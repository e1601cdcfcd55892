// Requests of the kernel taken apart, answers put together: FUSE's structures and nothing else.
//
// - decode() reads what the kernel wrote: it checks lengths once and throws FuseMalformed. A request
//   that we do not know is `other`. Data is a view of the buffer, names are copies.
// - encode() writes header and body and answers their length. Answers that are too long for their
//   request are the caller's bug: RangeError.
// - Everything is little-endian, as are the machines that we run on. 64 bits are two words: no BigInt.
// - `unique` is two words that come back as they came.
// - Source: the structures of linux/fuse.h; test/unit/drivers/fuse has their bytes.

import {
  type AttributeChanges,
  type Attributes,
  type Entry,
  type FileAnswer,
  type FileRequest,
  fileTypes,
  type Listed,
  type Opened,
  type Time,
} from "../file-system.js";
import {
  ATTRIBUTES_BYTES,
  DIRENT_BYTES,
  ENTRY_BYTES,
  GETATTR_HANDLE,
  IN_HEADER_BYTES,
  NOTIFY_INVAL_ENTRY,
  NOTIFY_INVAL_INODE,
  OUT_HEADER_BYTES,
  opcodes,
  setattrValid,
} from "./protocol.js";

/** The kernel wrote what it never writes. */
export class FuseMalformed extends Error {
  override readonly name = "FuseMalformed";
}

/** What INIT says. */
export interface Init {
  readonly kind: "init";
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
}

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

export interface Decoded {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly request: FileRequest | Init;
}

const high = 2 ** 32;

/** A buffer with the words of FUSE's structures. */
export class FuseBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16 = (at: number): number => this.view.getUint16(at, true);
  u32 = (at: number): number => this.view.getUint32(at, true);
  u64 = (at: number): number => this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * high;
  /** A position with a sign. */
  i64 = (at: number): number => this.view.getUint32(at, true) + this.view.getInt32(at + 4, true) * high;

  put32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  put64(at: number, value: number): void {
    this.view.setUint32(at, value, true);
    this.view.setUint32(at + 4, Math.floor(value / high), true);
  }

  putName(at: number, name: string): void {
    for (let index = 0; index < name.length; index++) this.bytes[at + index] = name.charCodeAt(index);
  }
}

/** Bytes as a string, a character for each. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

/** The text from `at` to its NUL, and where the next one begins. */
function named(buffer: FuseBuffer, at: number, end: number): readonly [name: string, next: number] {
  let last = at;
  while (last < end && buffer.bytes[last] !== 0) last++;
  if (last >= end) throw new FuseMalformed("a name has no end");
  return [latin1(buffer.bytes, at, last), last + 1];
}

const nameAt = (buffer: FuseBuffer, at: number, end: number): string => named(buffer, at, end)[0];

const timeAt = (buffer: FuseBuffer, seconds: number, nanoseconds: number): Time => ({
  seconds: buffer.i64(seconds),
  nanoseconds: buffer.u32(nanoseconds),
});

function changesAt(buffer: FuseBuffer, at: number): AttributeChanges {
  const valid = buffer.u32(at);
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const { MODE, UID, GID, SIZE, ATIME, MTIME, ATIME_NOW, MTIME_NOW } = setattrValid;
  return {
    ...(has(MODE) ? { mode: buffer.u32(at + 68) } : {}),
    ...(has(UID) ? { uid: buffer.u32(at + 76) } : {}),
    ...(has(GID) ? { gid: buffer.u32(at + 80) } : {}),
    ...(has(SIZE) ? { size: buffer.u64(at + 16) } : {}),
    ...(has(ATIME_NOW) ? { atime: "now" } : has(ATIME) ? { atime: timeAt(buffer, at + 32, at + 56) } : {}),
    ...(has(MTIME_NOW) ? { mtime: "now" } : has(MTIME) ? { mtime: timeAt(buffer, at + 40, at + 60) } : {}),
  };
}

/** Takes one request apart: what one read of the device gave. */
export function decode(buffer: FuseBuffer, length: number): Decoded {
  if (length < IN_HEADER_BYTES || buffer.u32(0) !== length)
    throw new FuseMalformed(`a request of ${length} bytes says that it has ${buffer.u32(0)}`);
  const opcode = buffer.u32(4);
  const asked = { node: buffer.u64(16), uid: buffer.u32(24), gid: buffer.u32(28), pid: buffer.u32(32) };
  const end = length - buffer.u16(36) * 8; // extensions stand behind the body
  const body = requestOf(buffer, opcode, end);
  const request = body.kind === "init" ? body : { ...asked, ...body };
  return { uniqueLow: buffer.u32(8), uniqueHigh: buffer.u32(12), request };
}

type Body = Init | OmitAsked<FileRequest>;
type OmitAsked<R> = R extends unknown ? Omit<R, "node" | "uid" | "gid" | "pid"> : never;

function requestOf(buffer: FuseBuffer, opcode: number, end: number): Body {
  const at = IN_HEADER_BYTES;
  const need = (bytes: number): void => {
    if (at + bytes > end)
      throw new FuseMalformed(`request ${opcode} has ${end - at} bytes instead of ${bytes}`);
  };
  switch (opcode) {
    case opcodes.init:
      need(16);
      return {
        kind: "init",
        ...{ major: buffer.u32(at), minor: buffer.u32(at + 4), maxReadahead: buffer.u32(at + 8) },
        ...{ flags: buffer.u32(at + 12), flags2: end >= at + 20 ? buffer.u32(at + 16) : 0 },
      };
    case opcodes.lookup:
      return { kind: "lookup", name: nameAt(buffer, at, end) };
    case opcodes.forget:
      need(8);
      return { kind: "forget", nodes: [[buffer.u64(16), buffer.u64(at)]] };
    case opcodes.batchForget: {
      need(8);
      const count = buffer.u32(at);
      need(8 + 16 * count);
      const each = (_: unknown, index: number): [number, number] => [
        buffer.u64(at + 8 + 16 * index),
        buffer.u64(at + 16 + 16 * index),
      ];
      return { kind: "forget", nodes: Array.from({ length: count }, each) };
    }
    case opcodes.getattr:
      need(16);
      return {
        kind: "getattr",
        ...((buffer.u32(at) & GETATTR_HANDLE) !== 0 ? { handle: buffer.u64(at + 8) } : {}),
      };
    case opcodes.setattr: {
      need(88);
      const ofHandle = (buffer.u32(at) & setattrValid.HANDLE) !== 0 ? { handle: buffer.u64(at + 8) } : {};
      return { kind: "setattr", ...ofHandle, changes: changesAt(buffer, at) };
    }
    case opcodes.readlink:
      return { kind: "readlink" };
    case opcodes.symlink: {
      const [name, next] = named(buffer, at, end);
      return { kind: "symlink", name, target: nameAt(buffer, next, end) };
    }
    case opcodes.mknod:
      need(16);
      return {
        kind: "mknod",
        mode: buffer.u32(at) & ~buffer.u32(at + 8),
        device: buffer.u32(at + 4),
        name: nameAt(buffer, at + 16, end),
      };
    case opcodes.mkdir:
      need(8);
      return { kind: "mkdir", mode: buffer.u32(at) & ~buffer.u32(at + 4), name: nameAt(buffer, at + 8, end) };
    case opcodes.unlink:
      return { kind: "unlink", name: nameAt(buffer, at, end) };
    case opcodes.rmdir:
      return { kind: "rmdir", name: nameAt(buffer, at, end) };
    case opcodes.rename:
      need(8);
      return renamed(buffer, at + 8, end, buffer.u64(at), 0);
    case opcodes.rename2:
      need(16);
      return renamed(buffer, at + 16, end, buffer.u64(at), buffer.u32(at + 8));
    case opcodes.link:
      need(8);
      return { kind: "link", of: buffer.u64(at), name: nameAt(buffer, at + 8, end) };
    case opcodes.open:
      need(8);
      return { kind: "open", flags: buffer.u32(at) };
    case opcodes.opendir:
      need(8);
      return { kind: "opendir", flags: buffer.u32(at) };
    case opcodes.create:
      need(16);
      return {
        kind: "create",
        flags: buffer.u32(at),
        mode: buffer.u32(at + 4) & ~buffer.u32(at + 8),
        name: nameAt(buffer, at + 16, end),
      };
    case opcodes.read:
      need(40);
      return {
        kind: "read",
        handle: buffer.u64(at),
        position: buffer.u64(at + 8),
        bytes: buffer.u32(at + 16),
      };
    case opcodes.write: {
      need(40);
      const bytes = buffer.u32(at + 16);
      need(40 + bytes);
      const data = buffer.bytes.subarray(at + 40, at + 40 + bytes);
      return { kind: "write", handle: buffer.u64(at), position: buffer.u64(at + 8), data };
    }
    case opcodes.statfs:
      return { kind: "statfs" };
    case opcodes.release:
    case opcodes.releasedir:
      need(24);
      return { kind: opcode === opcodes.release ? "release" : "releasedir", handle: buffer.u64(at) };
    case opcodes.flush:
      need(24);
      return { kind: "flush", handle: buffer.u64(at) };
    case opcodes.fsync:
    case opcodes.fsyncdir:
      need(16);
      return {
        kind: opcode === opcodes.fsync ? "fsync" : "fsyncdir",
        handle: buffer.u64(at),
        dataOnly: (buffer.u32(at + 8) & 1) !== 0,
      };
    case opcodes.syncfs:
      return { kind: "syncfs" };
    case opcodes.setxattr: {
      need(8); // the short form: the longer one is not negotiated
      const [name, next] = named(buffer, at + 8, end);
      const bytes = buffer.u32(at);
      if (next + bytes > end) throw new FuseMalformed("the value of an attribute is cut off");
      return {
        kind: "setxattr",
        name,
        value: buffer.bytes.subarray(next, next + bytes),
        flags: buffer.u32(at + 4),
      };
    }
    case opcodes.getxattr:
      need(8);
      return { kind: "getxattr", bytes: buffer.u32(at), name: nameAt(buffer, at + 8, end) };
    case opcodes.listxattr:
      need(8);
      return { kind: "listxattr", bytes: buffer.u32(at) };
    case opcodes.removexattr:
      return { kind: "removexattr", name: nameAt(buffer, at, end) };
    case opcodes.readdir:
    case opcodes.readdirplus:
      need(40);
      return {
        kind: "readdir",
        ...{ handle: buffer.u64(at), position: buffer.u64(at + 8), bytes: buffer.u32(at + 16) },
        plus: opcode === opcodes.readdirplus,
      };
    case opcodes.access:
      need(8);
      return { kind: "access", mask: buffer.u32(at) };
    case opcodes.fallocate:
      need(32);
      return {
        kind: "fallocate",
        ...{ handle: buffer.u64(at), position: buffer.u64(at + 8) },
        ...{ length: buffer.u64(at + 16), mode: buffer.u32(at + 24) },
      };
    case opcodes.lseek:
      need(24);
      return {
        kind: "lseek",
        handle: buffer.u64(at),
        position: buffer.i64(at + 8),
        whence: buffer.u32(at + 16),
      };
    case opcodes.interrupt:
      return { kind: "interrupt" };
    case opcodes.destroy:
      return { kind: "destroy" };
    default:
      return { kind: "other", opcode };
  }
}

function renamed(buffer: FuseBuffer, at: number, end: number, to: number, flags: number): Body {
  const [name, next] = named(buffer, at, end);
  return { kind: "rename", name, to, newName: nameAt(buffer, next, end), flags };
}

// ---- answers ------------------------------------------------------------------------------

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
