// Commands: what the directory servers have ordered. All of them execute the same ones in the
// same order (state.ts).
//
// - A command carries everything that its execution depends on: new generations, the time, and
//   the generation under which the caller's capability was good. When that has changed meanwhile
//   the capability is not good any more.
// - Bytes of anybody else do not decode: they change nothing.

import { standardColumns } from "../../interface/directory.js";
import {
  Cursor,
  capabilitySet,
  list,
  Malformed,
  raw,
  record,
  string,
  uint8,
  uint32,
  type WireType,
} from "../../interface/types.js";
import { columnsType, encodeAs, generationType, masksType, nameType } from "./records.js";

/** A directory, and the generation under which somebody may change it. */
const subject = { object: uint32, generation: generationType };
const target = record(subject);

/** Most rows of one INSTALL, and objects of one touch: what a store takes in one batch. */
export const INSTALL_ROWS_MAX = 24;
export const TOUCH_OBJECTS_MAX = 48;
/** Directories that one sweep removes. */
export const SWEEP_OBJECTS_MAX = 48;

const bodies = {
  /** The root, when there is none. */
  found: record({ root: generationType, server: generationType, columns: columnsType }),
  create: record({ ...subject, fresh: generationType, columns: columnsType }),
  discard: record(subject),
  append: record({ ...subject, name: nameType, set: capabilitySet, masks: masksType }),
  chmod: record({ ...subject, name: nameType, masks: masksType }),
  delete: record({ ...subject, name: nameType }),
  replace: record({ ...subject, name: nameType, set: capabilitySet }),
  install: record({
    rows: list(
      record({
        ...subject,
        name: nameType,
        set: capabilitySet,
        expected: list(raw(16), 1),
      }),
      INSTALL_ROWS_MAX,
    ),
  }),
  setcol: record({ ...subject, columns: columnsType }),
  rename: record({ ...subject, name: nameType, other: target, to: nameType }),
  touch: record({ objects: list(uint32, TOUCH_OBJECTS_MAX) }),
  /** A new era (unless it is one more sweep of the last); what is too old goes, as far as one sweep reaches. */
  age: record({ again: uint8 }),
  renew: record({ object: uint32, fresh: generationType }),
  destroy: record(subject),
  lifetime: record({ ages: uint8 }),
  /** Who a member of the group is, of this membership. */
  member: record({ name: string(64), nonce: raw(8) }),
  puttype: record({ ...subject, name: nameType, type: raw(16) }),
};
type Bodies = typeof bodies;
export type CommandKind = keyof Bodies;

interface Common {
  /** Who the update is, 6 bytes; zeros: nobody. */
  readonly request: Uint8Array;
  /** Of what was asked for: an identity alone could be somebody else's. */
  readonly digest: number;
  /** Seconds since 1970 where it was asked for. */
  readonly time: number;
}
export type CommandOf<Kind extends CommandKind> = Common & {
  readonly kind: Kind;
} & (Bodies[Kind] extends WireType<infer Body> ? Body : never);
export type Command = { readonly [Kind in CommandKind]: CommandOf<Kind> }[CommandKind];

const commonType = record({ request: raw(6), digest: uint32, time: uint32 });
const order = Object.keys(bodies) as CommandKind[];

export function encodeCommand(command: Command): Uint8Array {
  const common = encodeAs(commonType, command);
  const body = encodeAs(bodies[command.kind] as WireType<unknown>, command);
  const bytes = new Uint8Array(1 + common.length + body.length);
  bytes[0] = order.indexOf(command.kind);
  bytes.set(common, 1);
  bytes.set(body, 1 + common.length);
  return bytes;
}

/** The command of bytes, or null when they are none. */
export function decodeCommand(bytes: Uint8Array): Command | null {
  const kind = order[bytes[0] ?? 255];
  if (kind === undefined) return null;
  try {
    const cursor = new Cursor(bytes.slice(), 1);
    const common = commonType.read(cursor);
    const body = (bodies[kind] as WireType<object>).read(cursor);
    return cursor.at === cursor.end ? ({ kind, ...common, ...body } as Command) : null;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/**
 * What makes the root where there is none. Its first generation, and that of the server itself, are
 * zeros: the key is secret enough, and every member can tell their capabilities beforehand.
 */
export const foundation: Omit<CommandOf<"found">, "request" | "digest" | "time"> = {
  ...{ kind: "found", root: new Uint8Array(8), server: new Uint8Array(8) },
  columns: standardColumns,
};

/** What a command came to. */
export interface Outcome {
  readonly status: number;
  /** The new object, of create; how many are left to sweep, of age. */
  readonly object: number;
  /** The state's version after it. */
  readonly version: number;
}

export const OUTCOME_BYTES = 16;

export function encodeOutcome({ status, object, version }: Outcome): Uint8Array {
  const bytes = new Uint8Array(OUTCOME_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, status, true);
  view.setUint32(4, object, true);
  view.setFloat64(8, version, true);
  return bytes;
}

export function decodeOutcome(bytes: Uint8Array): Outcome {
  if (bytes.length !== OUTCOME_BYTES)
    throw new Error("the directories' state machine answered something else");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    status: view.getInt32(0, true),
    object: view.getUint32(4, true),
    version: view.getFloat64(8, true),
  };
}

/** A number that two different requests hardly share: FNV-1a of 32 bits. */
export function digestOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
