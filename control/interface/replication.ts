// The replication server: keeps as many copies of every file as there are to be.
//
// - It walks the directories below a root. A name stands for a set of capabilities, the same file
//   on several Bullet servers; the set says how many there were to be. What is missing is copied
//   from a good one to another server, what has rotted is mended where it lies, and the set under
//   the name is replaced when nobody has changed it meanwhile. Nothing is ever taken from a set
//   while fewer good copies than wanted are left.
// - RUN and REPORT answer what a round did, or would do, as a document: ReplicationReport.
// - DAMAGED is a hint of a reader, believed by nobody: what it names is read soon by its own server.
// - Numbers are ours; the original's object manager had no calls for this.
// - Source: Amoeba 5 om (manual section A): garbage collection and replication of capability sets.

import { z } from "zod";
import { inBuffer, inExtra } from "./fields.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { capability, document } from "./types.js";

/** Of RUN: say what is to be done, and do nothing. */
export const REPLICATION_DRY = 1;
/** Of RUN: have every copy read whole, from its medium. */
export const REPLICATION_VERIFY = 2;

const count = z.number().int().nonnegative();

/** mend: rewritten where it lies. copy: made on that server. drop, mark: taken from the set, or to be tried last. */
export const replicationActs = ["mend", "copy", "drop", "mark"] as const;
export type ReplicationActKind = (typeof replicationActs)[number];

const act = z.object({
  path: z.string(),
  act: z.enum(replicationActs),
  /** The Bullet server's put-port: 12 hex digits. */
  server: z.string(),
  why: z.string(),
  bytes: count,
});
export type ReplicationAct = z.infer<typeof act>;

const problem = z.object({ path: z.string(), code: z.string(), why: z.string() });
export type ReplicationProblem = z.infer<typeof problem>;

/** What a round found and did; with `dry` what it would have done. */
export const replicationReportSchema = z.object({
  schema: z.literal(1),
  dry: z.boolean(),
  /** All was seen; otherwise the next round goes on where this one ended. */
  complete: z.boolean(),
  seconds: z.number(),
  directories: count,
  files: count,
  /** Names of other things. */
  others: count,
  /** Files with all their copies. */
  whole: count,
  /** Copies that were read whole by their servers. */
  verified: z.object({ copies: count, bytes: count }),
  copied: z.object({ copies: count, bytes: count }),
  acts: z.array(act),
  problems: z.array(problem),
  /** Those that are not listed. */
  more: z.object({ acts: count, problems: count }),
});
export type ReplicationReport = z.infer<typeof replicationReportSchema>;

export const replicationTable = defineServer({
  name: "replication",
  summary: "keeps copies of every file on several Bullet servers, and mends those that rot",
  object: "the replication server",
  rights: { read: 0x01, run: 0x02, admin: 0x80 },
  replyBytesMax: 256 * 1024,
  standardRights: {
    ...{ info: "anyone", restrict: [], touch: [], status: ["read"], getparams: ["admin"] },
    ...{ setparams: ["admin"], age: ["admin"], copy: ["admin"], destroy: ["admin"] },
  },
  operations: {
    run: operation({
      number: 2700,
      summary: "look at every file now, and make what is missing; answers what was done",
      subject: "server",
      rights: ["run"],
      arguments: {
        flags: inExtra("1: only say what is to be done; 2: read every copy whole", { otherwise: 0 }),
      },
      reply: { report: inBuffer(document, "what was found and done") },
      errors: { STD_NOTNOW: "a round is under way, and another one waits for its end" },
      example: "n1",
    }),
    report: operation({
      number: 2701,
      summary: "what the last round did",
      subject: "server",
      rights: ["read"],
      reply: { report: inBuffer(document, "what was found and done") },
      errors: { STD_NOTFOUND: "no round has ended yet" },
      example: "n1",
    }),
    damaged: operation({
      number: 2702,
      summary: "say that a copy of a file could not be read: it is looked at soon",
      subject: "server",
      rights: "anyone",
      arguments: { file: inBuffer(capability, "the copy") },
      errors: { STD_NOTNOW: "it has heard of as many as it can keep in mind" },
      example: "n1 --file b630ceb9cb75010000fffee83cd15b8f",
    }),
  },
});
