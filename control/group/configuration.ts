// What all members of a replicated group must agree on beyond what the kernel knows: it
// travels with every snapshot, and each member tells it to non-members.
//
// - A joiner that asks for other values than the group has gets an error that states both.

import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { GroupParameters } from "../kernel/groups.js";
import { Reader, Writer } from "./encoding.js";

export interface GroupConfiguration {
  /** For people: as the creator wrote it. */
  readonly name: string;
  /** Members that the group must have to go on after a crash. */
  readonly minimum: number;
  /** Silence after which a member is dead, milliseconds; 0: the kernel's default. */
  readonly detectMs: number;
}

/** What a program asked for explicitly; what it left out is the group's to say. */
export interface GroupWishes {
  readonly resilience?: number;
  readonly minimum?: number;
}

/** Parameters of a group that is created without others. */
export const standardParameters: GroupParameters = {
  resilience: 0,
  membersMax: 16,
  logHistory: 10,
  logMessage: 13,
};

/** Throws ProteusError GROUP_DIFFERS when a joiner asked for something else than the group has. */
export function checkWishes(name: string, wishes: GroupWishes, has: Required<GroupWishes>): void {
  for (const what of ["resilience", "minimum"] as const) {
    const wanted = wishes[what];
    if (wanted === undefined || wanted === has[what]) continue;
    throw new ProteusError({
      code: "GROUP_DIFFERS",
      exit: exitCodes.failed,
      message: `group ${name} has another ${what}`,
      why: `its ${what} is ${has[what]}, ${wanted} was asked for`,
      unchanged: "this program did not join",
      hint: `leave --${what} out, or give --${what} ${has[what]}`,
    });
  }
}

/** Nobody answers for a group of that name. */
export function noGroup(name: string, cause?: unknown): ProteusError {
  return new ProteusError({
    code: "BC_NOEXIST",
    exit: exitCodes.notFound,
    message: `there is no group ${name}`,
    why: "no member of it answers on any network that can be reached",
    unchanged: "nothing was sent",
    hint: `check the name, or create it: proteus group join ${name} --create`,
    cause,
  });
}

/** The group has no room for one more. */
export function groupFull(name: string, membersMax: number): ProteusError {
  return new ProteusError({
    code: "BC_TOOMANY",
    exit: exitCodes.failed,
    message: `group ${name} is full`,
    why: `it has the ${membersMax} members that it was created for`,
    unchanged: "this program did not join",
    hint: "join when a member has left, or create a group for more members",
  });
}

/** A snapshot as it travels: of which message, under which configuration, and both parts of the state. */
export interface Snapshot {
  /** The join that it belongs to: everything before is in it. */
  readonly seqno: number;
  readonly configuration: GroupConfiguration;
  readonly sessions: Uint8Array;
  readonly machine: Uint8Array;
}

export function encodeSnapshot({ seqno, configuration, sessions, machine }: Snapshot): Uint8Array {
  const writer = new Writer();
  writer.number(seqno);
  writer.bytes(new TextEncoder().encode(configuration.name));
  writer.number(configuration.minimum);
  writer.number(configuration.detectMs);
  writer.bytes(sessions);
  writer.bytes(machine);
  return writer.all();
}

/** Throws RangeError when the bytes are no snapshot. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  const reader = new Reader(bytes);
  const seqno = reader.number();
  const name = new TextDecoder().decode(reader.bytes());
  const configuration = { name, minimum: reader.number(), detectMs: reader.number() };
  return { seqno, configuration, sessions: reader.bytes(), machine: reader.bytes() };
}
