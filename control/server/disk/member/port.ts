// What a storage asks of a member: a medium of this machine (member.ts), one behind the disk server
// of another machine (remote.ts), or in the tests one that fails as it is told.
//
// - Everything but `look` and `fence` carries the epoch of the server that asks: a member refuses an
//   older one with DISK_FENCED, reads too. A member that heard from its server less than `LEASE_MS`
//   ago refuses fences of others; a server that has not heard from enough members for that long
//   serves nothing, so nobody reads what another server has changed.
// - A member that was opened anew, because its machine or its disk server was started again, answers
//   DISK_GONE to all but `look`, `fence` and `adopt` until it was fenced or adopted in this life: what was
//   not flushed may be gone, and the server has to hear of it. The server may fence with the epoch that
//   the member knows; a server that the member knows may always renew.
// - Writes carry a sequence, counted by the server within its epoch: a member executes each at most
//   once, so one that was not answered is sent again as it was, and a late copy does nothing.
//   `done`: every sequence below it has ended on all members; with that, and with a flush of its own,
//   a member may take an extent's activity bit back.
// - A member that was opened anew answers DISK_GONE until it is fenced, also for the epoch that it
//   has: writes that were acknowledged and not flushed may be lost, and its server must know.
// - Digests are XXH3-64 of a block with the storage's seed, 8 bytes each, little-endian; 0 is a
//   block of zeros that holds nothing. They travel with the bytes both ways, and are compared.
// - Calls reject with DiskError.

import type { MemberRecord } from "./record.js";

/** How long a server may go on without having heard from a member. */
export const LEASE_MS = 1500;
export const DIGEST_BYTES = 8;

/** What is found on a medium. */
export type MemberFound =
  /** No record: empty, new, or somebody else's bytes. `isEmpty`: known to hold only holes. */
  | { readonly kind: "blank"; readonly blocks: number; readonly isEmpty: boolean }
  | { readonly kind: "member"; readonly blocks: number; readonly record: MemberRecord };

export interface Claim {
  readonly epoch: number;
  readonly server: bigint;
  readonly age: Uint8Array;
}

export interface Sequenced {
  readonly epoch: number;
  readonly sequence: number;
  readonly done: number;
}

export interface MemberWrite extends Sequenced {
  readonly block: number;
  readonly data: Uint8Array;
  /** Of each block of `data`. */
  readonly digests: Uint8Array;
  /** Ends when it is on the medium. */
  readonly durable: boolean;
}

export interface MemberZero extends Sequenced {
  readonly block: number;
  readonly blocks: number;
  readonly durable: boolean;
  readonly punch: boolean;
}

export interface MemberPort {
  /** What is on the medium, without changing anything. `blocks`: what it can hold for a storage. */
  look(): Promise<MemberFound>;
  /** Binds it to an epoch, on the medium; DISK_FENCED when it knows a later one or has a server. */
  fence(claim: Claim): Promise<MemberRecord>;
  /**
   * Makes a medium the member of a storage that `record` says, whatever was on it: every block reads
   * as zeros and is lacking until the storage says otherwise.
   */
  adopt(record: MemberRecord): Promise<void>;
  /** Replaces what the server of the storage says (record.ts); ends when it is on the medium. */
  update(record: MemberRecord): Promise<void>;
  /** Says that the server lives, and what is done. */
  renew(epoch: number, done: number): Promise<void>;
  /**
   * Fills `buffer`; answers the digests, compared with what was read. DISK_ROT names blocks that differ
   * or cannot be read. `isRaw`: the bytes as they are, compared with nothing. The buffer is not touched
   * after the call has ended, and the call ends in time: it is not called again meanwhile.
   */
  read(epoch: number, block: number, buffer: Uint8Array, isRaw?: boolean): Promise<Uint8Array>;
  write(request: MemberWrite): Promise<void>;
  zero(request: MemberZero): Promise<void>;
  flush(epoch: number): Promise<void>;
  /** Of blocks as they are stored; `isRead`: computed from the bytes, which are read for that. */
  digests(epoch: number, block: number, blocks: number, isRead: boolean): Promise<Uint8Array>;
}
