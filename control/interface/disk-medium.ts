// What the server of a storage asks of a medium of some machine: the part of the disk server's table
// (disk.ts) that is member/port.ts of control/server/disk, one to one.
//
// - A record travels as the bytes that lie on a medium (member/record-codec.ts).
// - One call moves DISK_TRANSFER_BYTES, with an 8-byte digest of each block of DISK_BLOCK_BYTES.
// - Rights: read (look, read, digests), write (all else).

import { inBuffer, inExtra, inOffsetUnsigned } from "./fields.js";
import { operation, type StatusName } from "./operation.js";
import { blob, boolean, bytes, list, raw, uint16, uint32, uint64 } from "./types.js";

export const DISK_BLOCK_BYTES = 4096;
/** Most bytes of a disk in one call. */
export const DISK_TRANSFER_BYTES = 1024 * 1024;
export const digestsMax = (8 * DISK_TRANSFER_BYTES) / DISK_BLOCK_BYTES;
/** More digests than data can go with: they are asked for alone. */
export const DIGESTS_BLOCKS_MAX = 65536;
/** Of writes: answer when it is on the medium. */
export const DISK_DURABLE = 1;
/** Of ZERO: the room may be given back. */
export const DISK_PUNCH = 2;
/** Of READ: the bytes as they are, compared with nothing. */
export const DISK_RAW = 1;
/** Of DIGESTS: computed from the bytes, which are read for it. */
export const DIGESTS_READ = 1;

type Errors = Readonly<Partial<Record<StatusName, string>>>;

/** What the medium of a member, or a member, may answer to anything. */
export const ofMedium: Errors = {
  DISK_MEDIUM: "the medium cannot read or write, or a flush has failed",
  DISK_GONE: "the medium was taken away, or is opened anew",
  DISK_FENCED: "a later epoch is known, or another server has it still",
  DISK_FOREIGN: "the medium is not of this storage, or of none",
};
export const ofWrites: Errors = {
  ...ofMedium,
  STD_NOSPACE: "what the medium lies on is full",
  STD_WRITEPROT: "the medium is read-only",
  DISK_TRANSFER: "the bytes are not those of the digests",
  DISK_ROT: "stored bytes are not those that were written",
};

export const block = () => inOffsetUnsigned("first block");
const blocks = () => inBuffer(uint32, "how many blocks");
const epoch = () => inBuffer(uint32, "epoch of the server that asks");
const count64 = (what: string) => inBuffer(uint64, what);

export const mediumOperations = {
  look: operation({
    number: 2810,
    summary: "what is on a medium",
    rights: ["read"],
    reply: {
      blocks: inBuffer(uint32, "what it can hold for a storage"),
      empty: inBuffer(boolean, "it is known to hold nothing"),
      record: inBuffer(bytes, "the member's record; empty: it is none"),
    },
    errors: ofMedium,
    example: "MEDIUM",
  }),
  fence: operation({
    number: 2811,
    summary: "bind a member to the server of an epoch: older ones are refused from now on",
    rights: ["write"],
    arguments: {
      epoch: epoch(),
      server: count64("the server's id"),
      age: inBuffer(raw(16), "the storage's age"),
    },
    reply: { record: inBuffer(bytes, "the member's record") },
    errors: ofMedium,
    example: "MEDIUM --epoch 2 --server 1 --age hex:00112233445566778899aabbccddeeff",
  }),
  adopt: operation({
    number: 2812,
    summary: "make a medium a member, whatever was on it",
    rights: ["write"],
    arguments: { record: inBuffer(bytes, "its record") },
    errors: { ...ofWrites, DISK_SHORT: "the medium is smaller than the storage" },
    example: "MEDIUM --record @record",
  }),
  update: operation({
    number: 2813,
    summary: "replace what the server of the storage says in a member's record",
    rights: ["write"],
    arguments: { record: inBuffer(bytes, "the record") },
    errors: ofWrites,
    example: "MEDIUM --record @record",
  }),
  renew: operation({
    number: 2814,
    summary: "the server lives, and has all sequences below one done",
    rights: ["write"],
    arguments: { epoch: epoch(), done: count64("every sequence below it has ended on all members") },
    errors: ofMedium,
    example: "MEDIUM --epoch 2 --done 17",
  }),
  read: operation({
    number: 2815,
    summary: "blocks with their digests; without data when some of them have rotted",
    rights: ["read"],
    arguments: {
      block: block(),
      flags: inExtra("1: as they are, compared with nothing", { otherwise: 0 }),
      epoch: epoch(),
      blocks: blocks(),
    },
    reply: {
      rotten: inBuffer(list(uint16, 256), "blocks behind the first that are not what was written"),
      digests: inBuffer(blob(digestsMax), "of each block"),
      data: inBuffer(bytes, "the blocks"),
    },
    errors: ofMedium,
    example: "MEDIUM --block 0 --epoch 2 --blocks 1",
  }),
  write: operation({
    number: 2816,
    summary: "write blocks, once for each sequence",
    rights: ["write"],
    arguments: {
      block: block(),
      flags: inExtra("1: answer when it is on the medium", { otherwise: 0 }),
      epoch: epoch(),
      sequence: count64("its number within the epoch"),
      done: count64("every sequence below it has ended on all members"),
      digests: inBuffer(blob(digestsMax), "of each block"),
      data: inBuffer(bytes, "the blocks"),
    },
    errors: ofWrites,
    example: "MEDIUM --block 0 --epoch 2 --sequence 1 --done 1 --digests hex:00 --data hello",
  }),
  zero: operation({
    number: 2817,
    summary: "make blocks zeros, once for each sequence",
    rights: ["write"],
    arguments: {
      block: block(),
      flags: inExtra("1: answer when it is on the medium; 2: give the room back", { otherwise: 0 }),
      epoch: epoch(),
      sequence: count64("its number within the epoch"),
      done: count64("every sequence below it has ended on all members"),
      blocks: blocks(),
    },
    errors: ofWrites,
    example: "MEDIUM --block 0 --epoch 2 --sequence 1 --done 1 --blocks 8",
  }),
  flush: operation({
    number: 2818,
    summary: "answer when all that was written before is on the medium",
    rights: ["write"],
    arguments: { epoch: epoch() },
    errors: ofMedium,
    example: "MEDIUM --epoch 2",
  }),
  digests: operation({
    number: 2819,
    summary: "digests of blocks, 8 bytes each; 0: nothing is stored there",
    rights: ["read"],
    arguments: {
      block: block(),
      flags: inExtra("1: computed from the bytes", { otherwise: 0 }),
      epoch: epoch(),
      blocks: blocks(),
    },
    reply: { digests: inBuffer(bytes, "of each block") },
    errors: { ...ofMedium, DISK_ROT: "stored bytes are not those that were written" },
    example: "MEDIUM --block 0 --epoch 2 --blocks 8",
  }),
};
