// Errors of disks on their way between machines: a status for each code, both ways.
//
// - Where the standard has a status it is that one; the others are ours (core-wasm/status.ts).
// - A call that failed is DISK_SILENT: it may have happened, and may be sent again as it was.
// - What is no DiskError is a bug, and stays what it is.

import * as status from "../../../core-wasm/status.js";
import { ProteusError } from "../../kernel/errors.js";
import { Refused } from "../../stub/refused.js";
import { DiskError, type DiskErrorCode } from "./errors.js";

const statuses: Readonly<Record<DiskErrorCode, number>> = {
  DISK_RANGE: status.STD_ARGBAD,
  DISK_READ_ONLY: status.STD_WRITEPROT,
  DISK_ROT: status.DISK_ROT,
  DISK_MEDIUM: status.DISK_MEDIUM,
  DISK_FULL: status.STD_NOSPACE,
  DISK_SHORT: status.DISK_SHORT,
  DISK_FOREIGN: status.DISK_FOREIGN,
  DISK_FENCED: status.DISK_FENCED,
  DISK_TRANSFER: status.DISK_TRANSFER,
  DISK_SILENT: status.DISK_SILENT,
  DISK_GONE: status.DISK_GONE,
  DISK_NO_QUORUM: status.DISK_NO_QUORUM,
  DISK_NO_COPY: status.DISK_NO_COPY,
  DISK_SPLIT: status.DISK_SPLIT,
  DISK_LOOP: status.DISK_LOOP,
};

/** A request that a disk said no to, as it is refused; what is no DiskError stays itself. */
export const refusedFor = (error: unknown): unknown =>
  error instanceof DiskError ? new Refused(statuses[error.code]) : error;

/** Does something with a disk or a member; what that says no to is refused. */
export async function refusing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw refusedFor(error);
  }
}

const codes: ReadonlyMap<string, DiskErrorCode> = new Map<string, DiskErrorCode>([
  ...(Object.keys(statuses) as DiskErrorCode[]).map((code): [string, DiskErrorCode] => [code, code]),
  ["STD_ARGBAD", "DISK_RANGE"],
  ["STD_WRITEPROT", "DISK_READ_ONLY"],
  ["STD_NOSPACE", "DISK_FULL"],
  // The object, or the rights to it, are gone; a server that meets a bug is of no use either.
  ["STD_CAPBAD", "DISK_GONE"],
  ["STD_DENIED", "DISK_GONE"],
  ["STD_COMBAD", "DISK_GONE"],
  ["STD_NOMEDIUM", "DISK_GONE"],
  ["STD_SYSERR", "DISK_MEDIUM"],
  ["ANSWER_WRONG", "DISK_TRANSFER"],
]);

/** What a call of a disk or member elsewhere failed with, as a DiskError; bugs stay what they are. */
export function diskErrorOf(error: unknown): unknown {
  if (error instanceof DiskError || !(error instanceof ProteusError)) return error;
  const code = codes.get(error.code) ?? "DISK_SILENT";
  const why = error.why === undefined ? error.message : `${error.message}: ${error.why}`;
  return new DiskError(code, why, [], { cause: error });
}

const passingCodes = new Set([
  ...["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN"],
  ...["DISK_SILENT", "DISK_FENCED", "DISK_GONE", "DISK_TRANSFER"],
]);

/** A storage did not answer, or not whole, or is served by another machine or will be: ask again. */
export const isPassing = (error: unknown): boolean =>
  (error instanceof DiskError || error instanceof ProteusError) && passingCodes.has(error.code);

/** Does something elsewhere; rejects with DiskError. */
export async function overRpc<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw diskErrorOf(error);
  }
}
