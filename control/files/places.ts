// What the files of a pool are made of, as this folder uses it: names, and contents.
//
// - `Names` is the part of stub/directories.ts that is used here; `Contents` is contents.ts. A
//   test gives both from memory.
// - A name in a directory may be anything that somebody put there: only those for which
//   `nameFault` answers null may become part of a path.

import type { Capability } from "../capability/capability.js";
import { type CapabilitySet, inOrder } from "../capability/set.js";
import { toHex } from "../kernel/bytes.js";
import type { Directories } from "../stub/directories.js";
import type { Content, TransferWatch } from "../stub/files.js";

/** Directories by path. */
export type Names = Pick<
  Directories,
  | "append"
  | "discard"
  | "entries"
  | "isDirectory"
  | "lookup"
  | "makeDirectory"
  | "remove"
  | "rename"
  | "replace"
  | "stat"
>;

/** What a file holds, wherever it is. `open` may be called again, for another try. */
export interface Opened {
  open(): Content;
  /** False when it can be read only once. */
  readonly again: boolean;
}

export interface ReadRange {
  /** First byte; default 0. */
  readonly position?: number;
  /** Default: to the end. */
  readonly length?: number;
  /** Each piece counts only until the next one is asked for: nothing is copied for it. */
  readonly lent?: boolean;
}

/** Immutable files on servers. */
export interface Contents {
  /** Makes a file; on several servers when there are to be copies. */
  create(content: Opened, watch?: TransferWatch): Promise<CapabilitySet>;
  /** Its bytes, from whichever of its servers answers. */
  read(file: CapabilitySet, range?: ReadRange): AsyncIterable<Uint8Array>;
  /** How long it is. STD_COMBAD: it is no file. */
  bytes(file: CapabilitySet): Promise<number>;
  destroy(file: CapabilitySet): Promise<void>;
}

const encoder = new TextEncoder();
const nameBytesMax = 255;

/** Why a name cannot be part of a path or of a file's name; null when it can. */
export function nameFault(name: string): string | null {
  if (name === "") return "it is empty";
  if (name === "." || name === "..") return "it names a directory above";
  if (name.includes("/")) return "it holds a /";
  if (name.includes("\0")) return "it holds a NUL character";
  if (/\p{Surrogate}/u.test(name)) return "it is not Unicode";
  return encoder.encode(name).length > nameBytesMax ? `it has more than ${nameBytesMax} bytes` : null;
}

/** A path with one more name. */
export const below = (path: string, name: string): string => (path === "/" ? `/${name}` : `${path}/${name}`);

/** The last name of a path; empty for the root. */
export const lastOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

const objectAt = 3;
const keyOf = (capability: Capability): string =>
  `${toHex(capability.port)}/${toHex(capability.private.subarray(0, objectAt))}`;

/** The same for all capabilities of an object, whatever rights they have. */
export function objectKey(set: CapabilitySet): string {
  const [first] = inOrder(set);
  return first === undefined ? "" : keyOf(first);
}

/** Whether both sets have a capability of the same object. */
export function sameObject(one: CapabilitySet, other: CapabilitySet): boolean {
  const keys = new Set(one.members.map(({ capability }) => keyOf(capability)));
  return other.members.some(({ capability }) => keys.has(keyOf(capability)));
}
