// What members of a group answer to programs that are no members: the ports, the commands,
// and the document that describes a group.
//
// - Groups are closed: a non-member asks any member by RPC. All members listen to the
//   group's own get-port, each to a port of its own besides, and to a place of the roster,
//   which is how somebody finds groups whose names he does not know.
// - Every get-port here is a one-way image of the group's port: it is an address, no secret.

import { z } from "zod";
import { PORT_BYTES } from "../../core-wasm/wire/formats.js";
import type { Kernel } from "../kernel/kernel.js";

/** To any member. Request: nothing. Reply: a GroupDocument as JSON. */
export const GROUP_DESCRIBE = 4001;
/** To any member. Request: a message, which it sends for us. Reply: h_offset is its seqno. */
export const GROUP_SUBMIT = 4002;
/**
 * To one member. Request: 8 bytes, who asks; h_offset: where from. Reply: a piece of its
 * snapshot from there on; h_offset: the length of the whole.
 */
export const GROUP_SNAPSHOT = 4003;
/** To one member. Request: 8 bytes, who asks. It has the snapshot and wants no more of it. */
export const GROUP_SNAPSHOT_DONE = 4004;

/** In the header of a message in the group: a command of a replica, with session and number. */
export const GROUP_COMMAND = 4010;
/** In the header of a join: who joins, as it will ask for its snapshot. */
export const GROUP_JOIN = 4011;

/** Largest piece of a snapshot in one reply. */
export const SNAPSHOT_PIECE_BYTES = 32768;
/** Places where groups can be found without a name. */
export const ROSTER_PLACES = 32;

/** Places where those are heard who are about to create a group, and how many each of them takes. */
export const CANDIDATE_PLACES = 32;
export const CANDIDATE_PLACES_EACH = 4;

/** What a port that follows from a group's is for: the byte that is mixed in. */
export const groupPurposes = {
  any: 0xa0,
  entering: 0xa1,
  member: 0xb0,
  roster: 0xc0,
  candidate: 0xd0,
} as const;

/** The get-port of a purpose: the group's port with the purpose and a number mixed in, one-way. */
function derived(
  kernel: Kernel,
  port: Uint8Array,
  purpose: keyof typeof groupPurposes,
  number: number,
): Uint8Array {
  const mixed = Uint8Array.from({ length: PORT_BYTES }, (_, i) => port[i] ?? 0);
  mixed[PORT_BYTES - 1] = (mixed[PORT_BYTES - 1] ?? 0) ^ groupPurposes[purpose];
  mixed[PORT_BYTES - 2] = (mixed[PORT_BYTES - 2] ?? 0) ^ number;
  return kernel.publicPort(mixed);
}

/** What all members of a group listen to that have its state. */
export const anyMemberPort = (kernel: Kernel, group: Uint8Array): Uint8Array =>
  derived(kernel, group, "any", 0);

/** What those members listen to that do not have its state yet. */
export const enteringPort = (kernel: Kernel, group: Uint8Array): Uint8Array =>
  derived(kernel, group, "entering", 0);

/** What one member listens to. */
export const memberPort = (kernel: Kernel, group: Uint8Array, member: number): Uint8Array =>
  derived(kernel, group, "member", member);

/** What those listen to who are about to create a group. */
export const candidatePort = (kernel: Kernel, group: Uint8Array, place: number): Uint8Array =>
  derived(kernel, group, "candidate", place);

const rosterName = Uint8Array.of(0x72, 0x6f, 0x73, 0x74, 0x65, 0x72); // roster

/** A place of the roster; any number is taken modulo ROSTER_PLACES. */
export const rosterPort = (kernel: Kernel, place: number): Uint8Array =>
  derived(kernel, rosterName, "roster", place % ROSTER_PLACES);

/** The place where a group is looked for first. */
export const rosterPlace = (group: Uint8Array): number =>
  group.reduce((sum, byte) => (sum * 31 + byte) % 65521, 7) % ROSTER_PLACES;

const count = z.number().int().nonnegative();
const hex = z.string().regex(/^[0-9a-f]*$/);

export const groupDocumentSchema = z.object({
  /** As its creator wrote it. */
  name: z.string(),
  port: hex,
  state: z.string(),
  incarnation: count,
  sequencer: count,
  /** Who answered. */
  answeredBy: count,
  resilience: count,
  minimum: count,
  membersMax: count,
  messageBytesMax: count,
  /** Seqno that the answering member delivers next, that comes next, that some member may still need. */
  expect: count,
  next: count,
  unstable: count,
  history: z.object({ used: count, slots: count }),
  members: z.array(
    z.object({ id: count, state: z.string(), expect: count, silentMs: count, address: hex, kernel: hex }),
  ),
});

/** A group as one of its members sees it. */
export type GroupDocument = z.infer<typeof groupDocumentSchema>;
