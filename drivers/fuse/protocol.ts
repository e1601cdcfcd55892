// The numbers of the FUSE protocol that we speak: version 7.40, whose offsets decode.ts and encode.ts know.
//
// - A kernel of 7.31 to 7.39 has everything but passthrough; older ones are refused.
// - Source: linux/fuse.h of Linux 6.18, by its names.

export const FUSE_MAJOR = 7;
export const FUSE_MINOR = 40;
/** The least that we speak: 7.31, Linux 5.4. */
export const FUSE_MINOR_LEAST = 31;

/** Bytes of the header of a request, and of an answer. */
export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
export const ENTRY_BYTES = 128;
export const ATTRIBUTES_BYTES = 88;
/** Before the names of READDIR, and of READDIRPLUS. */
export const DIRENT_BYTES = 24;

/** Opcodes by the kind of request that they are. */
export const opcodes = {
  ...{ lookup: 1, forget: 2, getattr: 3, setattr: 4, readlink: 5, symlink: 6, mknod: 8, mkdir: 9 },
  ...{ unlink: 10, rmdir: 11, rename: 12, link: 13, open: 14, read: 15, write: 16, statfs: 17 },
  ...{ release: 18, fsync: 20, setxattr: 21, getxattr: 22, listxattr: 23, removexattr: 24, flush: 25 },
  ...{ init: 26, opendir: 27, readdir: 28, releasedir: 29, fsyncdir: 30, access: 34, create: 35 },
  ...{ interrupt: 36, destroy: 38, batchForget: 42, fallocate: 43, readdirplus: 44, rename2: 45 },
  ...{ lseek: 46, syncfs: 50 },
} as const;

/** Flags of INIT; those of the second word are `flags2`. */
export const initFlags = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  HANDLE_KILLPRIV_V2: 1 << 28,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  INIT_EXT: 1 << 30,
} as const;
export const initFlags2 = { PASSTHROUGH: 1 << 5 } as const;

/** FATTR_*: which fields of SETATTR count. */
export const setattrValid = {
  ...{ MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 16, MTIME: 32, HANDLE: 64, ATIME_NOW: 128, MTIME_NOW: 256 },
  KILL_SUIDGID: 1 << 11,
} as const;

/** What an opening may be. */
export const FOPEN_DIRECT_IO = 1;
export const FOPEN_KEEP_CACHE = 2;
export const FOPEN_CACHE_DIR = 8;
/** No FLUSH at close: for openings that only read. */
export const FOPEN_NOFLUSH = 32;
export const FOPEN_PASSTHROUGH = 128;

export const GETATTR_HANDLE = 1;

/** With HANDLE_KILLPRIV_V2: set-id bits are ours to take off. Of WRITE, of an opening, of SETATTR. */
export const WRITE_KILL_SUIDGID = 1 << 2;
export const OPEN_KILL_SUIDGID = 1 << 0;

/** Codes of notifications: in place of an error, with `unique` 0. */
export const NOTIFY_INVAL_INODE = 2;
export const NOTIFY_INVAL_ENTRY = 3;

/** Requests to the device. */
export const BACKING_OPEN = 0x4010e501;
export const BACKING_CLOSE = 0x4004e502;

/** Most bytes of one WRITE, and of one answer to READ. */
export const WRITE_BYTES_MAX = 1024 * 1024;
/** What one read of the device must have room for. */
export const REQUEST_BYTES_MAX = WRITE_BYTES_MAX + 4096;
