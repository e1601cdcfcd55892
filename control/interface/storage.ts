// A storage: a disk of several members, served by one machine at a time, under the same port and
// the same capabilities whoever serves it (they follow from its secret).
//
// - Object 1 is the storage. Rights: read, write, admin.
// - A client sends a write again when it was not answered, to whoever serves now: `session` and
//   `sequence` say that it is the same, and a server does each once; every sequence below `done`
//   was answered.
// - STATUS of the storage is text for people; `describe` is the document of `proteus disk show`.
// - Numbers are ours: 2830 to 2849.

import { z } from "zod";
import { DISK_BLOCK_BYTES, extentType, givenMemberSchema, storageSettingsSchema } from "./disk.js";
import { inBuffer, inExtra, inOffsetUnsigned } from "./fields.js";
import { operation, type StatusName } from "./operation.js";
import { defineServer } from "./table.js";
import { bytes, document, sequence, uint32, uint64 } from "./types.js";

/** Most bytes in one call: with what is around them half a megabyte, which a server's thread has room for. */
export const STORAGE_PIECE_BYTES = 127 * DISK_BLOCK_BYTES;

/** The storage's number under its own port. */
export const STORAGE_OBJECT = 1;

export const storageStates = ["ok", "degraded", "resyncing", "split-brain", "failed"] as const;
export const memberStates = ["in-sync", "dirty", "resyncing", "down", "failed"] as const;

const count = z.number().int().nonnegative();
const member = z.object({
  node: z.string(),
  path: z.string(),
  state: z.enum(memberStates),
  dirtyBytes: count,
  percent: z.number().min(0).max(100),
});
/** A storage, as `proteus disk show --json` has it. */
export const storageDocumentSchema = z.object({
  name: z.string(),
  age: z.string(),
  size: count,
  state: z.enum(storageStates),
  generation: z.string(),
  members: z.array(member).readonly(),
});
export type StorageDocument = z.infer<typeof storageDocumentSchema>;

const job = z.object({
  number: count,
  operation: z.string(),
  state: z.enum(["running", "done", "failed"]),
  /** What came of it, or how far it is. */
  result: z.record(z.string(), z.unknown()),
});
export type StorageJob = z.infer<typeof job>;

/** What CHANGE answers: the operation has ended, or goes on; `describe` tells of it. */
export const changedSchema = z.object({ job });

/** How it treats members, and its scrubs: as the members' records have it, times since 1970, 0: none. */
const upkeep = storageSettingsSchema.required().extend({
  scrub: z.object({
    beganAt: count,
    percent: z.number().min(0).max(100),
    mended: count,
    bytesPerSecond: count,
    endedAt: count,
    lastMended: count,
    dueAt: count,
  }),
});
export type UpkeepDocument = z.infer<typeof upkeep>;

/** What DESCRIBE answers: the document, and what is for us. */
export const describedSchema = z.object({
  storage: storageDocumentSchema,
  algorithm: z.string(),
  /** The machine that serves it. */
  node: z.string(),
  epoch: count,
  /** Machines that have a vote and no data. */
  witnesses: z.array(z.object({ node: z.string(), path: z.string() })),
  /** Its own age, and those of all storages that its members lie on. */
  ages: z.array(z.string()),
  /** Which of its parts some member lacks: a letter each, 0 to 9 for how much of it. */
  dirtyMap: z.string(),
  /** What a person has to know or to decide. */
  remarks: z.array(z.string()),
  /** What was begun by CHANGE, the last one last. */
  jobs: z.array(job),
  upkeep,
});
export type Described = z.infer<typeof describedSchema>;

/** Which member: NODE:PATH. */
const which = z.string().min(1).max(400);

/** What CHANGE can do. */
export const storageChangeSchema = z.discriminatedUnion("operation", [
  z.object({ operation: z.literal("attach"), member: givenMemberSchema }),
  z.object({ operation: z.literal("detach"), member: which }),
  z.object({ operation: z.literal("replace"), member: which, by: givenMemberSchema }),
  z.object({ operation: z.literal("grow"), size: z.number().int().positive() }),
  z.object({ operation: z.literal("scrub"), bytesPerSecond: z.number().int().positive().optional() }),
  z.object({ operation: z.literal("verify") }),
  z.object({ operation: z.literal("resync"), member: which }),
  z.object({ operation: z.literal("heal"), keep: which.optional() }),
  z.object({ operation: z.literal("settings"), settings: storageSettingsSchema }),
  z.object({ operation: z.literal("move"), node: z.string().min(1).max(64) }),
  z.object({ operation: z.literal("mark"), member: which, as: z.enum(["clean", "dirty"]) }),
]);
export type StorageChange = z.infer<typeof storageChangeSchema>;

type Errors = Readonly<Partial<Record<StatusName, string>>>;
const ofStorage: Errors = {
  DISK_FENCED: "another machine has the storage now: ask again",
  DISK_NO_QUORUM: "too few members answer",
  DISK_NO_COPY: "no member that answers has a valid copy",
  DISK_SPLIT: "two histories: a person has to decide",
  DISK_GONE: "it is closed here, or was deleted",
  DISK_SILENT: "a member does not answer in time",
  DISK_ROT: "no good copy of these bytes is left",
  DISK_TRANSFER: "bytes changed on their way to a member, and again",
  DISK_MEDIUM: "no medium can do it",
};
const ofWrites: Errors = {
  ...ofStorage,
  STD_NOSPACE: "a medium is full",
  STD_WRITEPROT: "the storage is read-only",
};

const block = () => inOffsetUnsigned("first block");
const session = {
  session: inBuffer(uint64, "random number of the client"),
  sequence: inBuffer(uint64, "number of the request within the session"),
  done: inBuffer(uint64, "every sequence below it was answered"),
};

export const storageTable = defineServer({
  name: "storage",
  summary: "a disk of several members that heals itself",
  object: "a storage",
  rights: { read: 0x01, write: 0x02, admin: 0x80 },
  requestBytesMax: STORAGE_PIECE_BYTES + 256,
  replyBytesMax: STORAGE_PIECE_BYTES + 256,
  standardRights: {
    ...{ info: "anyone", restrict: [], touch: [], status: ["read"], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"], revoke: ["admin"] },
  },
  operations: {
    geometry: operation({
      number: 2830,
      summary: "how large a storage is",
      rights: ["read"],
      reply: {
        blocks: inBuffer(uint32, "its blocks of 4096 bytes"),
        flags: inExtra("1: it is read-only"),
      },
      errors: ofStorage,
      example: "STORAGE",
    }),
    read: operation({
      number: 2831,
      summary: "blocks of a storage",
      rights: ["read"],
      arguments: { block: block(), blocks: inBuffer(uint32, "how many blocks, up to 127") },
      reply: { data: inBuffer(bytes, "the blocks") },
      errors: ofStorage,
      example: "STORAGE --block 0 --blocks 1",
    }),
    write: operation({
      number: 2832,
      summary: "write blocks of a storage",
      rights: ["write"],
      arguments: {
        block: block(),
        flags: inExtra("1: answer when it is on the media", { otherwise: 0 }),
        ...session,
        data: inBuffer(bytes, "the blocks"),
      },
      errors: ofWrites,
      example: "STORAGE --block 0 --session 1 --sequence 1 --done 1 --data @block",
    }),
    zero: operation({
      number: 2833,
      summary: "make blocks of a storage zeros",
      rights: ["write"],
      arguments: {
        block: block(),
        flags: inExtra("1: answer when it is on the media; 2: give the room back", { otherwise: 0 }),
        ...session,
        blocks: inBuffer(uint32, "how many blocks"),
      },
      errors: ofWrites,
      example: "STORAGE --block 0 --session 1 --sequence 1 --done 1 --blocks 8",
    }),
    flush: operation({
      number: 2834,
      summary: "answer when all that was written before is on the media",
      rights: ["read"],
      errors: ofStorage,
      example: "STORAGE",
    }),
    extents: operation({
      number: 2835,
      summary: "what holds nothing, and what some member lacks; it may answer for fewer blocks",
      rights: ["read"],
      arguments: { block: block(), blocks: inBuffer(uint32, "how many blocks") },
      reply: { extents: inBuffer(sequence(extentType), "runs in order: blocks, and 1: hole, 2: dirty") },
      errors: ofStorage,
      example: "STORAGE --block 0 --blocks 1024",
    }),
    describe: operation({
      number: 2836,
      summary: "a storage, its members and how they fare",
      rights: ["read"],
      reply: { storage: inBuffer(document, "what it is") },
      errors: ofStorage,
      example: "STORAGE",
    }),
    change: operation({
      number: 2837,
      summary: "attach, detach, replace members; grow, move, scrub, verify, resync, heal, mark, settings",
      rights: ["admin"],
      arguments: { change: inBuffer(document, "the operation and what it takes") },
      reply: { result: inBuffer(document, "what came of it") },
      errors: {
        ...ofWrites,
        STD_NOTFOUND: "there is no such member",
        STD_EXISTS: "it is a member already",
        STD_NOTNOW: "not in the state in which the storage is",
        DISK_SHORT: "a medium is smaller than the storage",
        DISK_FOREIGN: "the medium is of another storage",
        DISK_LOOP: "a storage would be a member of itself",
      },
      example: 'STORAGE --change \'{"operation":"scrub"}\'',
    }),
  },
});
