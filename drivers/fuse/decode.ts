// Requests of the kernel taken apart: FUSE's structures and nothing else.
//
// - decode() reads what the kernel wrote: it checks lengths once and throws FuseMalformed. A request
//   that we do not know is `other`. Data is a view of the buffer, names are copies.
// - `unique` is two words that come back as they came.
// - Source: the structures of linux/fuse.h; test/unit/drivers/fuse has their bytes.

import type { AttributeChanges, FileRequest, Time } from "../file-system.js";
import { type FuseBuffer, latin1 } from "./buffer.js";
import {
  GETATTR_HANDLE,
  IN_HEADER_BYTES,
  OPEN_KILL_SUIDGID,
  opcodes,
  setattrValid,
  WRITE_KILL_SUIDGID,
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

export interface Decoded {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly request: FileRequest | Init;
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

const dropping = (flags: number, bit: number): { readonly dropSetId?: true } =>
  (flags & bit) !== 0 ? { dropSetId: true } : {};

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
      const drops = dropping(buffer.u32(at), setattrValid.KILL_SUIDGID);
      return { kind: "setattr", ...ofHandle, changes: changesAt(buffer, at), ...drops };
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
      return {
        kind: "open",
        flags: buffer.u32(at),
        ...dropping(buffer.u32(at + 4), OPEN_KILL_SUIDGID),
      };
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
      const drops = dropping(buffer.u32(at + 20), WRITE_KILL_SUIDGID);
      return { kind: "write", handle: buffer.u64(at), position: buffer.u64(at + 8), data, ...drops };
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
