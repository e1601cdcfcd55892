// What vice says of an object of a volume, and ids and names in all that travels about files.
//
// - Names are bytes: strings of characters 0 to 255 (latin1). Ids and versions are whole numbers below
//   2^53; the upper 21 bits of an id are the venus that made it.
// - `version` changes with an object's content (data, or a directory's names), `changed` with anything.
// - Checked at both doors by these schemas.

import { z } from "zod";

const whole = z.int().nonnegative();
/** Of an object; 0 is nothing. */
export const idSchema = whole;
export const versionSchema = whole;

/** Whether a text is of 1 to `most` characters for bytes, none of them 0. */
function isBytes(text: string, most: number): boolean {
  if (text.length < 1 || text.length > most) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0 || code > 0xff) return false;
  }
  return true;
}

export const nameSchema = z
  .string()
  .refine((name) => isBytes(name, 255) && !name.includes("/") && name !== "." && name !== "..");
/** Seconds since 1970 and nanoseconds. */
export const timeSchema = z.tuple([z.int(), z.int().min(0).max(999_999_999)]).readonly();
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);
export const targetSchema = z.string().refine((target) => isBytes(target, 4095));
export const modeSchema = whole.max(0o177777);
export const ownerSchema = whole.max(0xffffffff);

/** Name and value of an extended attribute: user.* alone; the value in base64. */
export const attributeNameSchema = z
  .string()
  .refine((name) => isBytes(name, 255) && name.startsWith("user.") && name.length > "user.".length);
/** All names and values of an object together have at most so many bytes, as with ext4 a block. */
export const ATTRIBUTES_BYTES_MAX = 2048;
export const attributeValueSchema = z.base64().max(4 * Math.ceil(ATTRIBUTES_BYTES_MAX / 3));
const attributesSchema = z.record(attributeNameSchema, attributeValueSchema);

export const statusSchema = z.strictObject({
  id: idSchema,
  /** Type and permission bits, as st_mode. */
  mode: modeSchema,
  uid: ownerSchema,
  gid: ownerSchema,
  links: whole,
  size: whole,
  version: versionSchema,
  changed: versionSchema,
  mtime: timeSchema,
  ctime: timeSchema,
  /** As somebody has set it; otherwise it is mtime. */
  atime: timeSchema.optional(),
  /** Extended attributes. */
  attributes: attributesSchema.optional(),
  /** SHA-256 of a file's content. */
  hash: hashSchema.optional(),
  /** Of a symbolic link. */
  target: targetSchema.optional(),
  /** Of a special file, as st_rdev. */
  device: whole.optional(),
  /** Of a directory. */
  parent: idSchema.optional(),
});

export type FileStatus = z.infer<typeof statusSchema>;
export type FileTime = z.infer<typeof timeSchema>;

export type FileAttributes = Readonly<Record<string, string>>;

/** Attributes with one set, or without it when there is no value. */
export function withAttribute(
  attributes: FileAttributes | undefined,
  name: string,
  value: string | undefined,
): FileAttributes {
  const { [name]: _, ...others } = attributes ?? {};
  return value === undefined ? others : { ...others, [name]: value };
}

/** Bytes of all names and values. */
export const attributesBytes = (attributes: FileAttributes = {}): number =>
  Object.entries(attributes).reduce((sum, [name, value]) => sum + name.length + bytesOfBase64(value), 0);

const bytesOfBase64 = (text: string): number =>
  (text.length / 4) * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);

/** The root of every volume. */
export const ROOT_ID = 1;
const venusStep = 2 ** 32;
/** Venuses of a volume have numbers from 1 to this. */
export const VENUS_MAX = 2 ** 21 - 1;

/** The venus that made an object; 0: vice itself. */
export const makerOf = (id: number): number => Math.floor(id / venusStep);
/** The id of a venus's object by its own counter, which begins at 1. */
export const idOf = (venus: number, counter: number): number => venus * venusStep + counter;

/** SHA-256 of no bytes. */
export const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
