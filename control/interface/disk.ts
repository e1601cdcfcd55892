// The disk server of a machine: media that are members of storages, and the storages that it serves.
//
// - Under the machine's own port: media are attached, storages created and listed; each medium is
//   an object that a storage's server calls (disk-medium.ts).
// - A storage has a port and capabilities of its own, which follow from its secret: storage.ts.
// - Rights of a medium: read (look, digests), write, admin (detach). Of the server: admin.
// - A machine keeps branches: what members had that lost a split brain (disk/branch/). They are named by
//   the storage's age and an id; whoever may read the server may read them.
// - Numbers are ours: 2800 to 2829. The original has no such server.

import { z } from "zod";
import {
  block,
  DISK_TRANSFER_BYTES,
  digestsMax,
  mediumOperations,
  ofMedium,
  ofWrites,
} from "./disk-medium.js";
import { inBuffer, inExtra, inPrivate } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import {
  blob,
  bytes,
  capability,
  document,
  list,
  optional,
  raw,
  record,
  string,
  uint32,
  uint64,
} from "./types.js";

export {
  DIGESTS_BLOCKS_MAX,
  DIGESTS_READ,
  DISK_BLOCK_BYTES,
  DISK_DURABLE,
  DISK_PUNCH,
  DISK_RAW,
  DISK_TRANSFER_BYTES,
} from "./disk-medium.js";

/** A medium of this machine, as LIST tells of it. */
const medium = z.object({
  object: z.number(),
  path: z.string(),
  bytes: z.number(),
  state: z.enum(["open", "closed"]),
  /** Why it is closed. */
  why: z.string().optional(),
  /** The storage that it is of, when it is of one. */
  age: z.string().optional(),
});
export const mediaSchema = z.object({ media: z.array(medium) });
export type MediumDocument = z.infer<typeof medium>;

/** A storage that a machine knows from its media, as STORAGES tells of it. */
const knownStorage = z.object({
  name: z.string(),
  age: z.string(),
  /** 32 hex digits, with the rights that the caller may give. */
  capability: z.string(),
  /** Whether this machine serves it now. */
  served: z.boolean(),
  /** What keeps this machine from serving it. */
  why: z.string().optional(),
});
export const knownStoragesSchema = z.object({ node: z.string(), storages: z.array(knownStorage) });
export type KnownStorage = z.infer<typeof knownStorage>;

/** A branch that a machine keeps, as BRANCHES tells of it. */
const keptBranch = z.object({
  id: z.string(),
  age: z.string(),
  /** Of the disk, and of the member whose history it is. */
  name: z.string(),
  node: z.string(),
  path: z.string(),
  /** Of the history that is kept, and of the one that went on. */
  generation: z.string(),
  other: z.string(),
  /** Bytes of the disk as the member had it, and how many of them are kept. */
  size: z.number(),
  kept: z.number(),
  /** When the two histories met: milliseconds since 1970. */
  time: z.number(),
  state: z.enum(["saving", "kept"]),
  /** How much was looked at. */
  percent: z.number(),
});
export const keptBranchesSchema = z.object({ node: z.string(), branches: z.array(keptBranch) });
export type KeptBranch = z.infer<typeof keptBranch>;

/** Of blocks of a branch: what became of each. */
export const BRANCH_SAME = 0;
export const BRANCH_KEPT = 1;
export const BRANCH_HOLE = 2;
/** Blocks that BRANCH answers for. */
export const BRANCH_BLOCKS = 256;

/** A member that a storage is to have. */
export const givenMemberSchema = z.object({
  node: z.string().max(64),
  path: z.string().max(255),
  /** Of the medium on its machine's disk server: 32 hex digits. */
  capability: z.string().regex(/^[0-9a-f]{32}$/),
  witness: z.boolean().optional(),
});
export type GivenMember = z.infer<typeof givenMemberSchema>;

const milliseconds = z.number().int().nonnegative();
/** How patient a storage is with members, and what goes on in its background; what is missing stays. */
export const storageSettingsSchema = z.object({
  /** A storage's requests wait 30 s: members have to be given up long before. */
  memberTimeoutMs: milliseconds.min(1000).max(20_000).optional(),
  /** While others use the disk, resync rests so many times as long as it works. */
  resyncRest: z.number().int().min(0).max(1000).optional(),
  /** 0: as many as it can. */
  resyncBytesPerSecond: z.number().int().nonnegative().optional(),
  /** 0: only when somebody asks for one. */
  scrubEveryMs: milliseconds.optional(),
  scrubBytesPerSecond: z.number().int().positive().optional(),
});
export type StorageSettings = z.infer<typeof storageSettingsSchema>;

/** What CREATE is asked for. */
export const newStorageSchema = z.object({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: "a name has letters, digits, dots and dashes" }),
  size: z.number().int().positive(),
  algorithm: z.string().min(1).max(32),
  ack: z.enum(["all", "quorum", "one"]),
  serve: z.enum(["majority", "any"]),
  onSplit: z.enum(["keep", "ask"]),
  members: z.array(givenMemberSchema).min(1).max(8),
  settings: storageSettingsSchema.optional(),
});
export type NewStorage = z.infer<typeof newStorageSchema>;

/** What EXPORT is asked for; files are the machine's own. */
export const wantedExportSchema = z.object({
  /** Of the storage, and of the export. */
  name: z.string().min(1).max(64),
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  nbd: z.string().max(1024),
  readOnly: z.boolean(),
  tls: z.object({ cert: z.string(), key: z.string(), authority: z.string().optional() }).optional(),
});
export type WantedExport = z.infer<typeof wantedExportSchema>;

/** What a machine exports, as EXPORTS tells of it. */
const exportDocument = z.object({ name: z.string(), address: z.string(), readOnly: z.boolean() });
export const exportsSchema = z.object({ exports: z.array(exportDocument) });
export type ExportDocument = z.infer<typeof exportDocument>;

export const diskTable = defineServer({
  name: "disk",
  summary: "media of a machine that are members of storages, and the storages that it serves",
  object: "a medium",
  rights: { read: 0x01, write: 0x02, admin: 0x80 },
  requestBytesMax: DISK_TRANSFER_BYTES + digestsMax + 256,
  replyBytesMax: DISK_TRANSFER_BYTES + digestsMax + 1024,
  standardRights: {
    ...{ info: [], restrict: [], touch: [], status: ["read"], getparams: ["admin"], setparams: ["admin"] },
    ...{ age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    attach: operation({
      number: 2800,
      summary: "have a file, a partition or another storage as a medium; a file is made or extended",
      subject: "server",
      rights: ["admin"],
      arguments: {
        path: inBuffer(string(1024), "the file or partition; disk:NAME for a storage"),
        bytes: inBuffer(uint64, "how long a file is at least"),
        storage: inBuffer(optional(capability), "of disk:NAME, the storage's capability"),
      },
      reply: { medium: inPrivate("the medium") },
      errors: {
        STD_EXISTS: "the file is a medium of this machine already",
        STD_NOSPACE: "this machine has as many media as it can",
        STD_NOTFOUND: "there is no such path, or no such storage",
        STD_DENIED: "the capability lacks the right, or this user may not open the file",
        DISK_MEDIUM: "the file or partition cannot be used",
        DISK_SILENT: "the storage does not answer",
      },
      example: "n1 --path /srv/member --bytes 1073745920",
    }),
    detach: operation({
      number: 2801,
      summary: "have a medium no more; what is on it stays",
      rights: ["admin"],
      errors: { DISK_GONE: "it was taken away already" },
      example: "MEDIUM",
    }),
    media: operation({
      number: 2802,
      summary: "the media of this machine",
      subject: "server",
      rights: ["read"],
      reply: { media: inBuffer(document, "each with its path and state") },
      example: "n1",
    }),
    medium: operation({
      number: 2803,
      summary: "where a medium lies, and the ages of the storages below it",
      rights: ["read"],
      reply: {
        path: inBuffer(string(1024), "its path"),
        ages: inBuffer(list(raw(16), 256), "of a storage that it lies on, and of those below"),
      },
      errors: { ...ofMedium, DISK_SILENT: "a storage below does not answer" },
      example: "MEDIUM",
    }),
    create: operation({
      number: 2804,
      summary: "make a storage of media, and serve it from here; what was on them is gone",
      subject: "server",
      rights: ["admin"],
      arguments: { storage: inBuffer(document, "name, size, policies and members") },
      reply: { storage: inBuffer(document, "its name, age and capability") },
      errors: {
        ...ofWrites,
        STD_EXISTS: "a storage of that name is known here, or a medium is of a storage already",
        STD_NOTFOUND: "there is no such algorithm",
        DISK_SHORT: "a medium is smaller than the storage",
        DISK_SILENT: "a member does not answer",
        DISK_LOOP: "a storage would be a member of itself",
        DISK_NO_QUORUM: "too few members answer",
        DISK_NO_COPY: "no member has a valid copy",
      },
      example: 'n1 --storage \'{"name":"d","size":1073741824,"members":[]}\'',
    }),
    storages: operation({
      number: 2805,
      summary: "the storages that this machine knows from its media, and which it serves",
      subject: "server",
      rights: ["read"],
      reply: { storages: inBuffer(document, "each with its name, age and capability") },
      example: "n1",
    }),
    serving: operation({
      number: 2806,
      summary: "whether this machine serves the storage of an age",
      subject: "server",
      rights: "anyone",
      arguments: { age: inBuffer(raw(16), "the storage's age") },
      reply: { serves: inExtra("1: it does") },
      example: "n1 --age hex:00112233445566778899aabbccddeeff",
    }),
    forget: operation({
      number: 2807,
      summary: "have the media of a storage no more, and serve it no more; what is on them stays",
      subject: "server",
      rights: ["admin"],
      arguments: { age: inBuffer(raw(16), "the storage's age") },
      reply: { media: inExtra("how many media were detached") },
      example: "n1 --age hex:00112233445566778899aabbccddeeff",
    }),
    extend: operation({
      number: 2808,
      summary: "make the file of a medium longer; what is on it stays",
      rights: ["admin"],
      arguments: { bytes: inBuffer(uint64, "how long it is at least") },
      errors: { ...ofMedium, STD_NOSPACE: "what it lies on has no room" },
      example: "MEDIUM --bytes 2147483648",
    }),
    take: operation({
      number: 2809,
      summary: "serve the storage of a medium as soon as the machine that serves it lets it go",
      rights: ["admin"],
      errors: { ...ofMedium, STD_NOTFOUND: "the medium is of no storage" },
      example: "MEDIUM",
    }),
    branches: operation({
      number: 2820,
      summary: "the branches that this machine keeps: what members had that lost a split brain",
      subject: "server",
      rights: ["read"],
      reply: { branches: inBuffer(document, "each with its disk, its member and its size") },
      errors: { DISK_MEDIUM: "the state folder cannot be read" },
      example: "n1",
    }),
    branch: operation({
      number: 2821,
      summary: "blocks of a branch, up to 256 from a multiple of it on",
      subject: "server",
      rights: ["read"],
      arguments: {
        block: block(),
        age: inBuffer(raw(16), "the storage's age"),
        branch: inBuffer(string(255), "its id"),
      },
      reply: {
        states: inBuffer(
          blob(BRANCH_BLOCKS),
          "of each block: 0 it was as the disk's, 1 kept, 2 held nothing",
        ),
        digests: inBuffer(blob(digestsMax), "of each block as the member had it"),
        data: inBuffer(bytes, "those that are kept"),
      },
      errors: {
        STD_NOTFOUND: "no such branch is kept here, or it is not whole",
        DISK_ROT: "what was kept is not what was written",
        DISK_MEDIUM: "the state folder cannot be read",
      },
      example: "n1 --block 0 --age hex:00112233445566778899aabbccddeeff --branch n2-00c0ffee",
    }),
    debranch: operation({
      number: 2822,
      summary: "delete a branch: what it keeps is gone",
      subject: "server",
      rights: ["admin"],
      arguments: {
        age: inBuffer(raw(16), "the storage's age"),
        branch: inBuffer(string(255), "its id"),
      },
      errors: {
        STD_NOTFOUND: "no such branch is kept here",
        DISK_GONE: "it is being written",
        DISK_MEDIUM: "the state folder cannot be written",
      },
      example: "n1 --age hex:00112233445566778899aabbccddeeff --branch n2-00c0ffee",
    }),
    ...mediumOperations,
    export: operation({
      number: 2826,
      summary: "export a storage over NBD from this machine, until its process ends",
      subject: "server",
      rights: ["admin"],
      arguments: { export: inBuffer(document, "name, address, and files for TLS") },
      reply: { address: inBuffer(string(1024), "where clients connect") },
      errors: {
        STD_EXISTS: "it is exported from here already",
        STD_NOTFOUND: "no medium of such a storage is here, or no such file for TLS",
        STD_DENIED: "nothing can listen there, or the certificate is none; the machine's log says why",
        DISK_SILENT: "nobody serves the storage",
      },
      example: 'n1 --export \'{"name":"d","nbd":"unix:/run/d.sock","readOnly":false}\'',
    }),
    unexport: operation({
      number: 2827,
      summary: "end an export of this machine",
      subject: "server",
      rights: ["admin"],
      arguments: { name: inBuffer(string(64), "of the storage") },
      reply: { address: inBuffer(string(1024), "where it was") },
      errors: { STD_NOTFOUND: "it is not exported from here" },
      example: "n1 --name d",
    }),
    exports: operation({
      number: 2828,
      summary: "what this machine exports over NBD",
      subject: "server",
      rights: ["read"],
      reply: { exports: inBuffer(document, "each with its address") },
      example: "n1",
    }),
  },
});

/** A run of blocks, as EXTENTS of a storage answers it. */
export const extentType = record({ blocks: uint32, flags: uint32 });
export const EXTENT_HOLE = 1;
export const EXTENT_DIRTY = 2;
