// What a server offers: disks by name, and what a client is told of each.
//
// - The empty name means the only export, when there is just one: `nbd://host` then does.
// - Several connections are offered where a flush by one holds for the writes of all. The contract
//   of Disk says so; an export of something that is less says `isFlushGlobal: false`.

import { BLOCK_BYTES, type Disk } from "../disk.js";
import * as nbd from "./protocol.js";

export interface NbdExport {
  readonly name: string;
  readonly disk: Disk;
  /** Also when the disk is not. */
  readonly isReadOnly?: boolean;
  /** A flush covers what other connections have written; default: it does. */
  readonly isFlushGlobal?: boolean;
  /** For people, in a client's list. */
  readonly description?: string;
}

export class NbdExports {
  readonly #exports = new Map<string, NbdExport>();

  add(entry: NbdExport): void {
    this.#exports.set(entry.name, entry);
  }

  delete(name: string): boolean {
    return this.#exports.delete(name);
  }

  find(name: string): NbdExport | undefined {
    if (name === "" && this.#exports.size === 1) return this.all()[0];
    return this.#exports.get(name);
  }

  all(): readonly NbdExport[] {
    return [...this.#exports.values()];
  }
}

export const isReadOnly = (entry: NbdExport): boolean => entry.isReadOnly === true || entry.disk.isReadOnly;

export const bytesOf = (entry: NbdExport): number => entry.disk.blocks * BLOCK_BYTES;

/** The transmission flags. */
export function flagsOf(entry: NbdExport, isStructured: boolean): number {
  const changing = nbd.FLAG_SEND_TRIM | nbd.FLAG_SEND_WRITE_ZEROES | nbd.FLAG_SEND_FAST_ZERO;
  return (
    nbd.FLAG_HAS_FLAGS |
    nbd.FLAG_SEND_FLUSH |
    nbd.FLAG_SEND_FUA |
    nbd.FLAG_SEND_CACHE |
    (isReadOnly(entry) ? nbd.FLAG_READ_ONLY : changing) |
    (isStructured ? nbd.FLAG_SEND_DF : 0) |
    (entry.isFlushGlobal === false ? 0 : nbd.FLAG_CAN_MULTI_CONN)
  );
}
