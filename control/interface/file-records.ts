// The records of a modification log, and what becomes of them: what venus sends and vice answers.
//
// - A record says what was done, to which objects by id, under which names, when, and what its maker
//   believed to be so. Numbers of a log rise by one; each is applied at most once.
// - A `checked` record is of a venus that waits for the answer: what does not fit is refused, as a local
//   file system would. Others were done without asking, and a conflict has its rule (docs/FILES.md).
// - `store` is the only one with data; its content has been sent under its number, or is in the record.

import { z } from "zod";
import {
  attributeNameSchema,
  attributeValueSchema,
  hashSchema,
  idSchema,
  modeSchema,
  nameSchema,
  ownerSchema,
  statusSchema,
  targetSchema,
  timeSchema,
  versionSchema,
} from "./file-status.js";

/** Contents of so many bytes travel in their record. */
export const INLINE_BYTES_MAX = 16 * 1024;
const INLINE_CHARACTERS_MAX = 4 * Math.ceil(INLINE_BYTES_MAX / 3);
/** Records of one call have at most so many characters as JSON, so that they fit into a request. */
export const RECORDS_CHARACTERS_MAX = 64 * 1024;

const number = z.int().positive();
const base = { n: number, time: timeSchema, checked: z.boolean() };

export const recordSchema = z.discriminatedUnion("op", [
  z.strictObject({
    ...base,
    op: z.literal("make"),
    id: idSchema,
    directory: idSchema,
    name: nameSchema,
    mode: modeSchema,
    uid: ownerSchema,
    gid: ownerSchema,
    target: targetSchema.optional(),
    device: z.int().nonnegative().optional(),
  }),
  z.strictObject({ ...base, op: z.literal("link"), id: idSchema, directory: idSchema, name: nameSchema }),
  z.strictObject({
    ...base,
    op: z.literal("remove"),
    id: idSchema,
    directory: idSchema,
    name: nameSchema,
    /** The content that its maker saw go. */
    base: versionSchema,
  }),
  z.strictObject({
    ...base,
    op: z.literal("rename"),
    id: idSchema,
    directory: idSchema,
    name: nameSchema,
    to: idSchema,
    newName: nameSchema,
    /** What had the new name; 0: nothing. */
    over: idSchema,
    /** The content of that, as its maker saw it. */
    overBase: versionSchema,
    exchange: z.boolean(),
  }),
  z.strictObject({
    ...base,
    op: z.literal("store"),
    id: idSchema,
    /** The version that it was made from. */
    base: versionSchema,
    /** The content of that version, where its maker had it. */
    baseHash: hashSchema.optional(),
    size: z.int().nonnegative(),
    hash: hashSchema,
    mtime: timeSchema,
    /** A small content itself, in base64: it has not been sent then. */
    data: z.string().max(INLINE_CHARACTERS_MAX).optional(),
  }),
  z.strictObject({
    ...base,
    op: z.literal("setattr"),
    id: idSchema,
    /** `changed` of what it was done to. */
    base: versionSchema,
    mode: modeSchema.optional(),
    uid: ownerSchema.optional(),
    gid: ownerSchema.optional(),
    mtime: timeSchema.optional(),
    atime: timeSchema.optional(),
  }),
  z.strictObject({
    ...base,
    op: z.literal("setxattr"),
    id: idSchema,
    /** `changed` of what it was done to. */
    base: versionSchema,
    attribute: attributeNameSchema,
    /** In base64; without it the attribute goes. */
    value: attributeValueSchema.optional(),
  }),
]);

export type FileRecord = z.infer<typeof recordSchema>;
export type RecordOf<Op extends FileRecord["op"]> = Extract<FileRecord, { readonly op: Op }>;

/** Most records of one call. */
export const RECORDS_MAX = 256;

export const outcomeSchema = z.strictObject({
  n: number,
  /**
   * done; same: it was so already; kept: under another name (`name`), or as another object (`id`);
   * listed: not done, and noted as a conflict; refused: `errno` says why, nothing was done.
   */
  became: z.enum(["done", "same", "kept", "listed", "refused"]),
  errno: z.int().optional(),
  why: z.string().optional(),
  name: z.string().optional(),
  /** The object that counts from now on for the record's own. */
  id: idSchema.optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/** What REINTEGRATE answers: outcomes, and how all that they touched is now. */
export const reintegratedSchema = z.strictObject({
  outcomes: z.array(outcomeSchema),
  statuses: z.array(statusSchema),
  gone: z.array(idSchema),
  /** The number up to which everything has been received. */
  last: z.int().nonnegative(),
});
export type Reintegrated = z.infer<typeof reintegratedSchema>;
