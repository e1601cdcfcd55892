// What a file system is to whatever mounts it: requests as the kernel makes them, answers that come
// at once or later.
//
// - Names are bytes: strings of characters 0 to 255, one for each byte (latin1).
// - Numbers of 64 bits are doubles: what is beyond 2^53 is nobody's file.
// - Every request but `forget` is answered exactly once. Bytes in a request count until `handle`
//   returns; bytes in an answer are copied before `answer` returns.
// - Errors are numbers of errno; errno.ts of the drivers that need them has names.

export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat shows. */
export interface Attributes {
  readonly node: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** Type and permission bits, as st_mode. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: number;
  readonly atime: Time;
  readonly mtime: Time;
  readonly ctime: Time;
}

/** What is to be changed; a time may be the server's own now. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Time | "now";
  readonly mtime?: Time | "now";
}

/** Who asks; node is what is asked of. */
interface Asked {
  readonly node: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

interface Named {
  readonly name: string;
}

interface OfHandle {
  readonly handle: number;
}

interface MayDropSetId {
  /** With a change of the content set-id bits go: who asks may not keep them. */
  readonly dropSetId?: true;
}

type Kinds =
  | ({ readonly kind: "lookup" } & Named)
  | { readonly kind: "forget"; readonly nodes: readonly (readonly [node: number, count: number])[] }
  | { readonly kind: "getattr"; readonly handle?: number }
  | ({
      readonly kind: "setattr";
      readonly handle?: number;
      readonly changes: AttributeChanges;
    } & MayDropSetId)
  | { readonly kind: "readlink" }
  | ({ readonly kind: "symlink"; readonly target: string } & Named)
  | ({ readonly kind: "mknod"; readonly mode: number; readonly device: number } & Named)
  | ({ readonly kind: "mkdir"; readonly mode: number } & Named)
  | ({ readonly kind: "unlink" } & Named)
  | ({ readonly kind: "rmdir" } & Named)
  | ({
      readonly kind: "rename";
      readonly to: number;
      readonly newName: string;
      readonly flags: number;
    } & Named)
  | ({ readonly kind: "link"; readonly of: number } & Named)
  | ({ readonly kind: "open"; readonly flags: number } & MayDropSetId)
  | { readonly kind: "opendir"; readonly flags: number }
  | ({ readonly kind: "create"; readonly flags: number; readonly mode: number } & Named)
  | ({ readonly kind: "read"; readonly position: number; readonly bytes: number } & OfHandle)
  | ({ readonly kind: "write"; readonly position: number; readonly data: Uint8Array } & OfHandle &
      MayDropSetId)
  | { readonly kind: "statfs" }
  | ({ readonly kind: "release" } & OfHandle)
  | ({ readonly kind: "releasedir" } & OfHandle)
  | ({ readonly kind: "flush" } & OfHandle)
  | ({ readonly kind: "fsync"; readonly dataOnly: boolean } & OfHandle)
  | ({ readonly kind: "fsyncdir"; readonly dataOnly: boolean } & OfHandle)
  | { readonly kind: "syncfs" }
  | ({ readonly kind: "setxattr"; readonly value: Uint8Array; readonly flags: number } & Named)
  | ({ readonly kind: "getxattr"; readonly bytes: number } & Named)
  | { readonly kind: "listxattr"; readonly bytes: number }
  | ({ readonly kind: "removexattr" } & Named)
  | ({
      readonly kind: "readdir";
      readonly position: number;
      readonly bytes: number;
      readonly plus: boolean;
    } & OfHandle)
  | { readonly kind: "access"; readonly mask: number }
  | ({
      readonly kind: "fallocate";
      readonly position: number;
      readonly length: number;
      readonly mode: number;
    } & OfHandle)
  | ({ readonly kind: "lseek"; readonly position: number; readonly whence: number } & OfHandle)
  | { readonly kind: "interrupt" }
  | { readonly kind: "destroy" }
  | { readonly kind: "other"; readonly opcode: number };

export type FileRequest = Asked & Kinds;

/** An entry of a directory, with how long name and attributes hold. */
export interface Entry {
  readonly attributes: Attributes;
  /** Node and generation together are never used again. */
  readonly generation: number;
  readonly entrySeconds: number;
  readonly attributeSeconds: number;
}

/** An open file. */
export interface Opened {
  readonly handle: number;
  /** FOPEN_* of fuse/protocol.ts. */
  readonly flags: number;
  /** Of a file that the kernel reads and writes itself. */
  readonly backing?: number;
}

/** One name of a listing; `position` is where the next one begins. */
export interface Listed {
  readonly name: string;
  readonly node: number;
  /** Type bits of its mode, as in st_mode. */
  readonly mode: number;
  readonly position: number;
  /** In a listing with entries: what LOOKUP would answer; without it the name alone is told. */
  readonly entry?: Entry;
}

export interface Usage {
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
  readonly blockBytes: number;
  readonly nameBytesMax: number;
}

export type FileAnswer =
  | { readonly kind: "error"; readonly errno: number }
  | { readonly kind: "done" }
  | ({ readonly kind: "entry" } & Entry)
  /** There is no such name, and that holds for so long. */
  | { readonly kind: "absent"; readonly entrySeconds: number }
  | { readonly kind: "attributes"; readonly attributes: Attributes; readonly attributeSeconds: number }
  | ({ readonly kind: "opened" } & Opened)
  | { readonly kind: "created"; readonly entry: Entry; readonly opened: Opened }
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "written"; readonly bytes: number }
  | { readonly kind: "size"; readonly bytes: number }
  | { readonly kind: "position"; readonly position: number }
  | { readonly kind: "usage"; readonly usage: Usage }
  /** As many of them as fit are told; the rest is asked for again. */
  | { readonly kind: "names"; readonly names: Iterable<Listed> };

export type GiveAnswer = (answer: FileAnswer) => void;

export interface FileSystem {
  /** What it throws is a bug: the caller answers EIO and reports it. */
  handle(request: FileRequest, answer: GiveAnswer): void;
}

/** Type bits of a mode. */
export const fileTypes = {
  mask: 0o170000,
  socket: 0o140000,
  link: 0o120000,
  file: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

/** The mode of a file whose content or owner changes: set-id bits that would count are gone. */
export function withoutSetId(mode: number): number {
  const isGroups = (mode & 0o2010) === 0o2010;
  return mode & ~(isGroups ? 0o6000 : 0o4000);
}

/** The numbers of errors that file systems give, on Linux. */
export const errno = {
  ...{ EPERM: 1, ENOENT: 2, EIO: 5, ENXIO: 6, EBADF: 9, EAGAIN: 11, ENOMEM: 12, EACCES: 13, EBUSY: 16 },
  ...{ EEXIST: 17, EXDEV: 18, ENODEV: 19, ENOTDIR: 20, EISDIR: 21, EINVAL: 22, ENFILE: 23, ENOTTY: 25 },
  ...{ EFBIG: 27, ENOSPC: 28, EROFS: 30, EMLINK: 31, ERANGE: 34, ENAMETOOLONG: 36, ENOSYS: 38 },
  ...{ ENOTEMPTY: 39, ELOOP: 40, ENODATA: 61, EOPNOTSUPP: 95, ESTALE: 116, ETIMEDOUT: 110, EDQUOT: 122 },
  ...{ ENOTCONN: 107, EINTR: 4, ECONNABORTED: 103 },
} as const;
