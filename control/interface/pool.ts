// The pool: what machines announce to the control daemons, and what those know of them.
//
// - Nobody configures an address: a machine finds the daemons by the pool's port, says where
//   its servers are, and again every few seconds; the answer says whether it is draining.
//   The pool's get-port comes from the pool's name: an address, no secret (SECURITY.md).
// - An announcement has put-ports, never a capability: the daemons can do what anyone can.
// - PoolService is what a daemon offers to its API, to the command line and to tests.

import { z } from "zod";
import { PORT_BYTES } from "../../core-wasm/wire/formats.js";
import type { Kernel } from "../kernel/kernel.js";
import { inBuffer } from "./fields.js";
import { type NodeDocument, nodeDocumentSchema } from "./node.js";
import type { NodeFault } from "./node-faults.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { text } from "./types.js";

const hex = z.string().regex(/^[0-9a-f]*$/);
const count = z.number().int().nonnegative();

/** What a machine says of itself to the control daemons. */
export const announcementSchema = z.looseObject({
  name: z.string().min(1),
  /** Of its kernel: new at every start. */
  address: hex,
  kind: z.string(),
  version: z.string().optional(),
  /** Put-ports of its servers, by name: 12 hex digits. */
  servers: z.record(z.string(), hex),
  /** It stops now, as it was told to. */
  leaving: z.boolean().optional(),
});
export type Announcement = z.infer<typeof announcementSchema>;

/** What a daemon answers. */
export const announcedSchema = z.looseObject({
  draining: z.boolean(),
  /** When it wants to hear of the machine again. */
  intervalMs: count,
});
export type Announced = z.infer<typeof announcedSchema>;

export const poolTable = defineServer({
  name: "pool",
  summary: "where the machines of a pool announce themselves to the control daemons",
  object: "the pool",
  rights: { admin: 0x80 },
  requestBytesMax: 16 * 1024,
  replyBytesMax: 16 * 1024,
  standardRights: {
    ...{ info: "anyone", status: "anyone", restrict: [], touch: [], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    announce: operation({
      number: 4101,
      summary: "say that a machine is there, and where its servers are",
      subject: "server",
      rights: "anyone",
      arguments: { announcement: inBuffer(text, "a JSON document: name, kernel, kind, ports of servers") },
      reply: { answer: inBuffer(text, "a JSON document: whether it is draining, and when to come again") },
      errors: { STD_ARGBAD: "the announcement is not what it has to be" },
    }),
  },
});

/** What a port that follows from the name of a pool is for: the fifth byte of what it is made of. */
export const poolPurposes = { announce: 0x61, group: 0x67, meeting: 0x6d } as const;

/** A port that everybody can compute who knows the pool's name: six bytes at a time, one-way. */
function derived(kernel: Kernel, pool: string, purpose: keyof typeof poolPurposes): Uint8Array {
  const bytes = new TextEncoder().encode(pool);
  let port = Uint8Array.of(0x70, 0x6f, 0x6f, 0x6c, poolPurposes[purpose], bytes.length & 0xff); // pool
  for (let at = 0; at < bytes.length; at += PORT_BYTES)
    port = kernel.publicPort(port.map((byte, i) => byte ^ (bytes[at + i] ?? 0))) as Uint8Array<ArrayBuffer>;
  return port;
}

/** The get-port that all control daemons of a pool serve, with poolTable. */
export const poolPort = (kernel: Kernel, pool: string): Uint8Array => derived(kernel, pool, "announce");

/** The port of the group that the control daemons form. */
export const poolGroupPort = (kernel: Kernel, pool: string): Uint8Array => derived(kernel, pool, "group");

/** The get-port where two groups of daemons that were parted find each other; GROUP_DESCRIBE. */
export const poolMeetingPort = (kernel: Kernel, pool: string): Uint8Array => derived(kernel, pool, "meeting");

export const nodeStates = ["up", "unreachable", "draining", "down", "booting"] as const;
/**
 * up: it answers. draining: it answers, and gets nothing new. unreachable: it does not answer,
 * and has not said why. down: it said that it stops, or its lab switched it off. booting: it does not
 * answer yet, and boots over the network.
 */
export type NodeState = (typeof nodeStates)[number];

/** How far a machine that boots over the network has come: as it was seen by who serves its image. */
export const bootSteps = ["asked", "loading", "booted"] as const;
/** What a machine may be called: letters, digits, then also `.`, `_` and `-`; 63 characters at most. */
export const machineNamePattern = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,62}$/u;

const macAddress = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, "it is a MAC address with colons");

export const nodeBootSchema = z.looseObject({
  mac: macAddress,
  step: z.enum(bootSteps),
  /** Since that step, milliseconds, as far as the daemons' calendars agree. */
  sinceMs: count,
});

/** What whoever serves images says of a machine; `step` null: it is in the pool, or not followed any more. */
export const bootReportSchema = z.object({
  mac: macAddress,
  /** What it is called when it has booted. */
  name: z.string().regex(machineNamePattern, "it is a name of a machine"),
  kind: z.string().min(1).max(32),
  step: z.enum(bootSteps).nullable(),
});
export type BootReport = z.infer<typeof bootReportSchema>;

export const poolNodeSchema = z.looseObject({
  /** Its own name; `n1#e7cf` where several machines have one. */
  name: z.string(),
  kind: z.string(),
  state: z.enum(nodeStates),
  draining: z.boolean(),
  /** FLIP address of its kernel; of the last one when it is not there. */
  address: hex,
  version: z.string().nullable(),
  /** Put-ports by name of the server. */
  servers: z.record(z.string(), hex),
  /** How long ago it last answered, milliseconds; null: not since this daemon began. */
  silentMs: count.nullable(),
  /** The last status document that it gave this daemon; null: none yet. */
  status: nodeDocumentSchema.nullable(),
  /** Where it boots over the network: how far it is. */
  boot: nodeBootSchema.optional(),
});
/** A machine, as the control daemons know it. */
export type PoolNode = z.infer<typeof poolNodeSchema> & { readonly status: NodeDocument | null };

export const daemonSchema = z.object({
  /** Its id in the daemons' group. */
  member: count,
  /** As its host is called. */
  name: z.string(),
  /** It answers this question. */
  self: z.boolean(),
  /** It asks the machines for their health on behalf of all. */
  watching: z.boolean(),
});
export type PoolDaemon = z.infer<typeof daemonSchema>;

/** Something that changed, as the daemons agreed on it. */
export const poolEventSchema = z.object({
  /** Its place in the order of all changes; grows. */
  order: count,
  kind: z.enum([
    "joined",
    "left",
    "lost",
    "back",
    "draining",
    "undrained",
    "forgotten",
    "booting",
    "daemons",
  ]),
  /** The machine's name; of `daemons`: who is there now, with commas. */
  subject: z.string(),
});
export type PoolEvent = z.infer<typeof poolEventSchema>;

/** What a daemon can be asked; errors are ProteusError (NODE_UNKNOWN, NODE_AMBIGUOUS, POOL_ALONE …). */
export interface PoolService {
  readonly pool: string;
  nodes(): readonly PoolNode[];
  /** By name, by name#address or by kernel address; throws NODE_UNKNOWN, NODE_AMBIGUOUS. */
  node(name: string): PoolNode;
  faults(): readonly NodeFault[];
  daemons(): readonly PoolDaemon[];
  /** Resolves when the daemons have agreed and it is stored. */
  drain(name: string): Promise<PoolNode>;
  undrain(name: string): Promise<PoolNode>;
  /** Strikes a machine that is not there from the list; throws NODE_IN_USE while it answers. */
  forget(name: string): Promise<void>;
  /** Takes in how far a machine has booted. Resolves when the daemons have agreed. */
  booting(report: BootReport): Promise<void>;
  /** Calls back after every change until the returned function is called. */
  watch(listener: (event: PoolEvent) => void): () => void;
}
