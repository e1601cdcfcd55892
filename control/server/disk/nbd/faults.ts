// What a client is told when a disk fails.
//
// - A server that has lost its storage to another one, or whose disk is closed, does not answer: the
//   client is disconnected, and sends what was not answered again to whoever serves next. An error
//   would reach the file system above, which gives up at the first one.
// - What is no DiskError is a bug of ours: the client gets EIO, and the caller hears of it.

import { DiskError, type DiskErrorCode } from "../errors.js";
import { EINVAL, EIO, ENOSPC, EPERM } from "./protocol.js";

/** The protocol's number, or `leave`: disconnect without an answer. */
export function faultOf(error: unknown): number | "leave" {
  return error instanceof DiskError ? byCode(error.code) : EIO;
}

function byCode(code: DiskErrorCode): number | "leave" {
  switch (code) {
    case "DISK_READ_ONLY":
      return EPERM;
    case "DISK_FULL":
      return ENOSPC;
    case "DISK_RANGE":
      return EINVAL;
    case "DISK_FENCED":
    case "DISK_GONE":
      return "leave";
    case "DISK_ROT":
    case "DISK_MEDIUM":
    case "DISK_SHORT":
    case "DISK_FOREIGN":
    case "DISK_TRANSFER":
    case "DISK_SILENT":
    case "DISK_NO_QUORUM":
    case "DISK_NO_COPY":
    case "DISK_SPLIT":
    case "DISK_LOOP":
      return EIO;
  }
}
