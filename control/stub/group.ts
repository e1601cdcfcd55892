// The client of a group's members, for programs that are no members: control/interface/group.ts
// in functions. A port here is a get-port of the interface; its put-port is called.

import { z } from "zod";
import {
  anyMemberPort,
  GROUP_DESCRIBE,
  GROUP_SNAPSHOT,
  GROUP_SNAPSHOT_DONE,
  GROUP_SUBMIT,
  type GroupDocument,
  groupDocumentSchema,
  memberPort,
  ROSTER_PLACES,
  rosterPort,
  SNAPSHOT_PIECE_BYTES,
} from "../interface/group.js";
import { type CallOptions, type Header, type Reply, trans } from "../kernel/calls.js";
import { exitCodes, ProteusError, statusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";

async function call(
  kernel: Kernel,
  getPort: Uint8Array,
  what: string,
  header: Partial<Header>,
  data?: Uint8Array,
  options: CallOptions = {},
): Promise<Reply> {
  const reply = await trans(kernel, { ...header, port: kernel.publicPort(getPort) }, data, options);
  if (reply.header.status < 0) throw statusError(reply.header.status, what);
  return reply;
}

/** What a member says of its group. Rejects with ProteusError: RPC_NOTFOUND when nobody listens. */
export async function describeGroup(
  kernel: Kernel,
  getPort: Uint8Array,
  options?: CallOptions,
): Promise<GroupDocument> {
  const { data } = await call(kernel, getPort, "asking a member", { command: GROUP_DESCRIBE }, undefined, {
    replyBytesMax: SNAPSHOT_PIECE_BYTES,
    ...options,
  });
  return parseDocument(data);
}

/**
 * What the sequencer says of its group: it hears of all members, the others mostly of it. What
 * the member that was found says, when the sequencer does not answer.
 */
export async function describeByName(
  kernel: Kernel,
  group: Uint8Array,
  options?: CallOptions,
): Promise<GroupDocument> {
  const found = await describeGroup(kernel, anyMemberPort(kernel, group), options);
  if (found.answeredBy === found.sequencer) return found;
  try {
    const asked = await describeGroup(kernel, memberPort(kernel, group, found.sequencer), options);
    return asked.port === found.port && asked.incarnation === found.incarnation ? asked : found;
  } catch (error) {
    if (error instanceof ProteusError) return found;
    throw error;
  }
}

function parseDocument(data: Uint8Array): GroupDocument {
  try {
    return groupDocumentSchema.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof z.ZodError)) throw cause;
    throw new ProteusError({
      code: "ANSWER_WRONG",
      exit: exitCodes.failed,
      message: "what answered is no member of a group",
      why: `it sent ${data.length} bytes that do not describe a group`,
      hint: "check that all members run the same version of Proteus",
      cause,
    });
  }
}

/** Has a member send a message; resolves with its seqno once the group has ordered it. */
export async function submitToGroup(
  kernel: Kernel,
  getPort: Uint8Array,
  message: Uint8Array,
  options?: CallOptions,
): Promise<number> {
  const header = { command: GROUP_SUBMIT };
  const reply = await call(kernel, getPort, "the message", header, message, { replyBytesMax: 0, ...options });
  return reply.header.offset >>> 0;
}

/** A piece of the snapshot that a member keeps for a joiner, and the length of the whole. */
export async function snapshotPiece(
  kernel: Kernel,
  getPort: Uint8Array,
  joiner: Uint8Array,
  offset: number,
  options?: CallOptions,
): Promise<{ readonly piece: Uint8Array; readonly length: number }> {
  const header = { command: GROUP_SNAPSHOT, offset };
  const reply = await call(kernel, getPort, "fetching the snapshot", header, joiner, {
    replyBytesMax: SNAPSHOT_PIECE_BYTES,
    ...options,
  });
  return { piece: reply.data, length: reply.header.offset };
}

/** The joiner has its snapshot: the member may drop it. */
export async function snapshotDone(
  kernel: Kernel,
  getPort: Uint8Array,
  joiner: Uint8Array,
  options?: CallOptions,
): Promise<void> {
  await call(kernel, getPort, "ending the snapshot", { command: GROUP_SNAPSHOT_DONE }, joiner, options);
}

/** All groups that have a place on the roster, by port; waits that long for those that do not answer. */
export async function listGroups(kernel: Kernel, locateTimeoutMs: number): Promise<GroupDocument[]> {
  const places = Array.from({ length: ROSTER_PLACES }, (_, place) => rosterPort(kernel, place));
  const answers = await Promise.all(
    places.map((place) =>
      describeGroup(kernel, place, { locateTimeoutMs, deadMs: 1000 }).catch((error: unknown) => {
        if (error instanceof ProteusError) return null; // an empty place, or one that is just left
        throw error;
      }),
    ),
  );
  const groups = new Map<string, GroupDocument>();
  for (const group of answers) if (group !== null) groups.set(group.port, group);
  return [...groups.values()].sort((a, b) => (a.port < b.port ? -1 : 1));
}
