// An object of the file system in memory: what it is, its content and attributes.
//
// - Contents grow by doubling; holes are zeros that take memory.
// - Set-id bits go with a write and a change of owner, as on a local disk.
// - Throws Failure with an errno; nothing is changed then.

import {
  type AttributeChanges,
  type Attributes,
  type Entry,
  errno,
  type FileAnswer,
  type FileRequest,
  fileTypes,
  type Time,
  withoutSetId,
} from "../file-system.js";

export interface Inode {
  readonly node: number;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  size: number;
  readonly device: number;
  atime: Time;
  mtime: Time;
  ctime: Time;
  data: Uint8Array;
  target: string;
  names: Map<string, Inode>;
  /** Of a directory. */
  parent: Inode | null;
  /** How often the kernel knows it, and how often it is open. */
  known: number;
  open: number;
  readonly attributes: Map<string, Uint8Array>;
}

export const S_ISGID = 0o2000;
export const permissions = 0o7777;
const sizeMax = 1024 * 1024 * 1024;
export const validSeconds = 60;
const [SEEK_DATA, SEEK_HOLE] = [3, 4];
const [KEEP_SIZE, PUNCH_HOLE] = [1, 2];

export class Failure extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export const fail = (number: number): never => {
  throw new Failure(number);
};

export const isDirectory = ({ mode }: Inode): boolean => (mode & fileTypes.mask) === fileTypes.directory;
export const directory = (inode: Inode): Inode => (isDirectory(inode) ? inode : fail(errno.ENOTDIR));

export function attributesOf(inode: Inode): Attributes {
  const { node, mode, uid, gid, links, size, device, atime, mtime, ctime } = inode;
  return { node, mode, uid, gid, links, size, device, atime, mtime, ctime, blocks: Math.ceil(size / 512) };
}

export const entryOf = (inode: Inode): Entry => ({
  ...{ attributes: attributesOf(inode), generation: 0 },
  ...{ entrySeconds: validSeconds, attributeSeconds: validSeconds },
});

export function sized(value: Uint8Array, room: number): FileAnswer {
  if (room === 0) return { kind: "size", bytes: value.length };
  return value.length > room ? fail(errno.ERANGE) : { kind: "data", data: value };
}

/** A file is data up to its end. */
export function seek(
  inode: Inode,
  { position, whence }: { readonly position: number; readonly whence: number },
): FileAnswer {
  if (position < 0 || position >= inode.size) fail(errno.ENXIO);
  if (whence === SEEK_DATA) return { kind: "position", position };
  return whence === SEEK_HOLE ? { kind: "position", position: inode.size } : fail(errno.EINVAL);
}

function resize(inode: Inode, size: number): void {
  if (size > sizeMax) fail(errno.EFBIG);
  if (size > inode.data.length) {
    const data = new Uint8Array(Math.min(sizeMax, Math.max(size, 2 * inode.data.length, 64)));
    data.set(inode.data.subarray(0, inode.size));
    inode.data = data;
  } else if (size < inode.size) inode.data.fill(0, size, inode.size);
  inode.size = size;
}

export function write(
  inode: Inode,
  { position, data, dropSetId }: Extract<FileRequest, { readonly kind: "write" }>,
  now: Time,
): FileAnswer {
  if (position + data.length > inode.size) resize(inode, position + data.length);
  inode.data.set(data, position);
  inode.mtime = inode.ctime = now;
  if (dropSetId === true) inode.mode = withoutSetId(inode.mode);
  return { kind: "written", bytes: data.length };
}

export function allocate(
  inode: Inode,
  { position, length, mode }: { readonly position: number; readonly length: number; readonly mode: number },
  now: Time,
): FileAnswer {
  if ((mode & ~(KEEP_SIZE | PUNCH_HOLE)) !== 0) fail(errno.EOPNOTSUPP);
  if ((mode & PUNCH_HOLE) !== 0) inode.data.fill(0, position, Math.min(inode.size, position + length));
  else if ((mode & KEEP_SIZE) === 0 && position + length > inode.size) resize(inode, position + length);
  inode.mtime = inode.ctime = now;
  return { kind: "done" };
}

export function change(inode: Inode, changes: AttributeChanges, now: Time, dropSetId = false): void {
  const { mode, size, atime, mtime } = changes;
  if (size !== undefined) {
    if (isDirectory(inode)) fail(errno.EISDIR);
    resize(inode, size);
    inode.mtime = now;
    if (dropSetId) inode.mode = withoutSetId(inode.mode);
  }
  if (mode !== undefined) inode.mode = (inode.mode & fileTypes.mask) | (mode & permissions);
  if (changes.uid !== undefined) inode.uid = changes.uid;
  if (changes.gid !== undefined) inode.gid = changes.gid;
  if ((changes.uid !== undefined || changes.gid !== undefined) && mode === undefined && !isDirectory(inode))
    inode.mode = withoutSetId(inode.mode);
  if (atime !== undefined) inode.atime = atime === "now" ? now : atime;
  if (mtime !== undefined) inode.mtime = mtime === "now" ? now : mtime;
  inode.ctime = now;
}

export function setAttribute(
  inode: Inode,
  name: string,
  value: Uint8Array,
  flags: number,
  now: Time,
): FileAnswer {
  if (!name.startsWith("user.")) fail(errno.EOPNOTSUPP);
  const has = inode.attributes.has(name);
  if ((flags & 1) !== 0 && has) fail(errno.EEXIST);
  if ((flags & 2) !== 0 && !has) fail(errno.ENODATA);
  inode.attributes.set(name, value.slice());
  inode.ctime = now;
  return { kind: "done" };
}
