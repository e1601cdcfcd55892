// Vice: volumes of files that other machines cache. docs/FILES.md says how it all works together.
//
// - Object 0 is the server, every other one a volume; a volume's capability is all that a client needs.
// - HELLO begins a session: who asks, and where breaks go. The other operations of clients name it;
//   when it is over they are refused with STD_NOTNOW, and the client says HELLO again.
// - Answers about objects come with a promise: before they grow stale the client is told (venus.ts).
// - Every change comes as a record of a log, in order, and is durable before it is answered.

import { z } from "zod";
import { inBuffer, inPrivate } from "./fields.js";
import { hashSchema, idSchema, nameSchema, statusSchema, timeSchema } from "./file-status.js";
import { operation } from "./operation.js";
import { defineServer } from "./table.js";
import { bytes, document, optional, port, raw, string, uint32 } from "./types.js";
import { uint53 } from "./uint53.js";

/** Most bytes of a content in one call. */
export const VICE_PIECE_BYTES = 256 * 1024;
/** Most objects that are asked for in one call. */
export const STATUS_MAX = 256;
export const UUID_BYTES = 16;
export const SESSION_BYTES = 8;

/** Flags of VERIFY: one begins, unless one is under way; and it repairs what it can. */
export const VERIFY_BEGIN = 1;
export const VERIFY_REPAIR = 2;

export const semantics = ["session", "checkout", "strict"] as const;
export type Semantics = (typeof semantics)[number];

/** Who has the name when two have changed one file; the other one is kept beside it. */
export const policies = ["both", "server", "client", "newest", "program"] as const;
export type Policy = (typeof policies)[number];

/** How a volume can be shared with everybody on the network: the rights of the table, in words. */
export const sharedRights = ["read", "read,write"] as const;
export type SharedRights = (typeof sharedRights)[number];

export const volumeSchema = z.object({
  name: z.string(),
  number: z.int(),
  semantics: z.enum(semantics),
  policy: z.enum(policies),
  /** Objects, and bytes of their contents. */
  objects: z.int(),
  bytes: z.int(),
  /** Bytes that its contents may take; 0: no bound. */
  quota: z.int(),
  /** Clients that it knows, and those that have a session. */
  venuses: z.int(),
  sessions: z.int(),
  conflicts: z.int(),
  /** Seconds for which is kept what was replaced or removed, and the bytes of such contents. */
  history: z.int(),
  historyBytes: z.int(),
  /** Its last change. */
  stamp: z.int(),
  /** What everybody on the network may do with it; without: nothing. */
  shared: z.enum(sharedRights).optional(),
  /** With it, for those who may. */
  capability: z.string().optional(),
});
export type VolumeDocument = z.infer<typeof volumeSchema>;

export const helloSchema = z.object({
  venus: z.int(),
  /** In hex: what other calls name. */
  session: z.string(),
  /** Another one after each start of the server. */
  epoch: z.string(),
  last: z.int(),
  leaseMs: z.int(),
  volume: z.string(),
  /** Names the volume for good, whatever it is called. */
  identity: z.string(),
  semantics: z.enum(semantics),
  /** The fence of the volume's permit, when this client has it still; 0: it has none. */
  permit: z.int(),
});
export type HelloDocument = z.infer<typeof helloSchema>;

export const statusesSchema = z.object({ statuses: z.array(statusSchema), gone: z.array(idSchema) });
export type Statuses = z.infer<typeof statusesSchema>;

export const entriesSchema = z.object({
  directory: statusSchema,
  names: z.array(z.tuple([nameSchema, statusSchema])),
  /** There are more names behind the last one. */
  more: z.boolean(),
});
export type Entries = z.infer<typeof entriesSchema>;

/** Most conflicts in one answer. */
export const CONFLICTS_MAX = 200;

export const conflictsSchema = z.object({
  conflicts: z.array(
    z.object({
      number: z.int(),
      /** When the machine did what met another change: seconds since 1970, nanoseconds. */
      time: timeSchema,
      machine: z.string(),
      /** What it did. */
      op: z.string(),
      /** Where, as it is called now; "" when nothing is left. */
      path: z.string(),
      /** Where what it made is kept, when it is. */
      kept: z.string().optional(),
      why: z.string(),
    }),
  ),
  /** There are more behind the last one. */
  more: z.boolean(),
});
export type Conflicts = z.infer<typeof conflictsSchema>;

export const idsSchema = z.object({ ids: z.array(idSchema).max(STATUS_MAX) });
export const contentSchema = z.object({ hash: hashSchema });

const session = () => inBuffer(raw(SESSION_BYTES, "session"), "the session, as HELLO gave it");
const over = { STD_NOTNOW: "the session is over: say HELLO again" };
const shared = { STD_INTR: "another client gives the volume's permit back: ask again" };
const asked = { ...over, STD_NOTFOUND: "there is no such object in the volume" };

export const viceTable = defineServer({
  name: "vice",
  summary: "volumes of files that other machines cache, with promises",
  object: "a volume",
  rights: { read: 0x01, write: 0x02, create: 0x04, destroy: 0x08, admin: 0x80 },
  requestBytesMax: VICE_PIECE_BYTES + 4096,
  replyBytesMax: VICE_PIECE_BYTES + 4096,
  standardRights: {
    ...{ info: [], restrict: [], touch: [], status: ["read"], getparams: ["admin"], setparams: ["admin"] },
    ...{ age: ["admin"], copy: ["create"], destroy: ["destroy"] },
  },
  operations: {
    make: operation({
      number: 2900,
      summary: "make a volume, with an empty root directory",
      subject: "server",
      rights: ["create"],
      arguments: {
        name: inBuffer(string(64), "what it is called on this server"),
        semantics: inBuffer(string(16), "session, checkout or strict"),
        owner: inBuffer(uint32, "user to whom its root belongs"),
        policy: inBuffer(string(16), "of conflicts: both, server, client, newest or program"),
      },
      reply: { volume: inPrivate("the volume, with all rights") },
      errors: {
        STD_EXISTS: "there is a volume of that name",
        STD_ARGBAD: "that is no name for one, or no semantics, or no policy",
        STD_NOTNOW: "the server has no program that merges",
        STD_NOSPACE: "the server has no room for another one",
      },
      example: "n1 --name home --semantics session --owner 0 --policy both",
    }),
    volumes: operation({
      number: 2901,
      summary: "the volumes of a server, with their capabilities",
      subject: "server",
      rights: ["create"],
      reply: { volumes: inBuffer(document, "a list of documents") },
      example: "n1",
    }),
    describe: operation({
      number: 2902,
      summary: "what a volume is and how full",
      rights: ["read"],
      reply: { volume: inBuffer(document, "a document") },
      example: "VOLUME",
    }),
    change: operation({
      number: 2903,
      summary: "how many bytes the contents of a volume may take",
      rights: ["admin"],
      arguments: { quota: inBuffer(uint53, "bytes; 0: no bound") },
      example: "VOLUME --quota 1000000",
    }),
    erase: operation({
      number: 2904,
      summary: "end a volume, with all that is in it",
      rights: ["destroy"],
      arguments: { force: inBuffer(uint32, "0: only when it is empty") },
      errors: { STD_NOTNOW: "something is in it", STD_SYSERR: "its folder cannot be removed" },
      example: "VOLUME --force 0",
    }),
    hello: operation({
      number: 2905,
      summary: "begin a session: this client, and where it hears of breaks",
      rights: ["read"],
      arguments: {
        uuid: inBuffer(raw(UUID_BYTES, "uuid"), "names the client's cache for good"),
        port: inBuffer(port, "put-port of its server for breaks; zeros: it gets no promises"),
        machine: inBuffer(string(64), "what its machine is called"),
      },
      reply: { hello: inBuffer(document, "its number, the session, what was received of it") },
      errors: { STD_NOSPACE: "the volume has as many clients as it can have" },
    }),
    getstatus: operation({
      number: 2906,
      summary: "how objects are, with promises",
      rights: ["read"],
      arguments: { session: session(), ids: inBuffer(document, `{"ids": up to ${STATUS_MAX} of them}`) },
      reply: { statuses: inBuffer(document, "those that there are, and those that are gone") },
      errors: { ...over, ...shared },
    }),
    entries: operation({
      number: 2907,
      summary: "names of a directory from one on, each with what has it, with promises",
      rights: ["read"],
      arguments: {
        session: session(),
        directory: inBuffer(uint53, "which one"),
        after: inBuffer(bytes, "names behind this one, as UTF-8 of its latin1; nothing: from the first on"),
      },
      reply: { entries: inBuffer(document, "a page of them") },
      errors: { ...asked, ...shared },
    }),
    fetch: operation({
      number: 2908,
      summary: "bytes of a file's content as of a version",
      rights: ["read"],
      arguments: {
        session: session(),
        object: inBuffer(uint53, "which one"),
        version: inBuffer(uint53, "of which version"),
        position: inBuffer(uint53, "first byte"),
        length: inBuffer(uint32, `bytes wanted, up to ${VICE_PIECE_BYTES}`),
      },
      reply: { data: inBuffer(bytes, "the bytes; fewer at its end") },
      errors: {
        ...asked,
        STD_NOTFOUND: "there is no such object, or not that version of it any more",
        STD_ARGBAD: "more than one call carries",
      },
    }),
    send: operation({
      number: 2909,
      summary: "a piece of the content of a record that is to come",
      rights: ["write"],
      arguments: {
        session: session(),
        record: inBuffer(uint53, "the record's number"),
        position: inBuffer(uint53, "where the piece begins"),
        data: inBuffer(optional(bytes), "the bytes"),
      },
      reply: { next: inBuffer(uint53, "where the next piece has to begin: how much is there") },
      errors: { ...over, STD_NOSPACE: "the server has no room for it" },
    }),
    reintegrate: operation({
      number: 2910,
      summary: "apply records of the client's log, in order; durable before it is answered",
      rights: ["write"],
      arguments: { session: session(), records: inBuffer(document, '{"records": [...]}') },
      reply: { reintegrated: inBuffer(document, "what became of each") },
      errors: {
        ...over,
        ...shared,
        STD_ARGBAD: "a record is none, is not the next one, or names an object that is not the client's",
        STD_NOSPACE: "the server has no room for it",
      },
    }),
    keep: operation({
      number: 2911,
      summary: "go on with the lease of all promises",
      rights: ["read"],
      arguments: { session: session() },
      errors: over,
    }),
    giveup: operation({
      number: 2912,
      summary: "promises that are not wanted any more; without any: the session",
      rights: ["read"],
      arguments: { session: session(), ids: inBuffer(document, '{"ids": [...]}') },
      errors: over,
    }),
    conflicts: operation({
      number: 2913,
      summary: "what met other changes while a client was away, and is listed",
      rights: ["read"],
      arguments: { after: inBuffer(uint53, "those behind this number; 0: from the first on") },
      reply: { conflicts: inBuffer(document, `up to ${CONFLICTS_MAX} of them`) },
      example: "VOLUME --after 0",
    }),
    settle: operation({
      number: 2914,
      summary: "take a conflict off the list; no file changes",
      rights: ["write"],
      arguments: { conflict: inBuffer(uint53, "its number") },
      errors: { STD_NOTFOUND: "there is no such conflict, or not any more" },
      example: "VOLUME --conflict 1",
    }),
    permit: operation({
      number: 2915,
      summary: "ask for the permit to change the volume without asking, or give it back",
      rights: ["write"],
      arguments: {
        session: session(),
        fence: inBuffer(uint53, "0: it is asked for; else the number of the one that is given back"),
      },
      reply: { fence: inBuffer(uint53, "the permit's number; 0: this client has none") },
      errors: over,
    }),
    shared: operation({
      number: 2917,
      summary: "the volumes that the cell shares, each with a capability of the rights that are shared",
      subject: "server",
      rights: "anyone",
      reply: { shared: inBuffer(document, "the cell's name and its volumes") },
      errors: { STD_NOTNOW: "the server belongs to no cell" },
      example: "n1",
    }),
    remember: operation({
      number: 2920,
      summary: "how long is kept what was replaced or removed, also before now",
      rights: ["admin"],
      arguments: { seconds: inBuffer(uint32, "so many seconds") },
      errors: { STD_ARGBAD: "more than a year" },
      example: "VOLUME --seconds 86400",
    }),
    past: operation({
      number: 2921,
      summary: "an object as of a moment, and of a directory the names from one on",
      rights: ["read"],
      arguments: {
        session: session(),
        moment: inBuffer(uint53, "milliseconds since 1970; 0: all that there was, each as it was last"),
        object: inBuffer(uint53, "which one"),
        after: inBuffer(bytes, "names behind this one, as UTF-8 of its latin1; nothing: from the first on"),
      },
      reply: { past: inBuffer(document, "the object and a page of its names") },
      errors: {
        ...over,
        STD_NOTFOUND: "it was not there then, or that is not known any more",
        STD_ARGBAD: "the moment is yet to come",
      },
    }),
    versions: operation({
      number: 2922,
      summary: "what could be found under a name, one after the other",
      rights: ["read"],
      arguments: {
        session: session(),
        directory: inBuffer(uint53, "of which directory"),
        after: inBuffer(uint53, "those that came behind this moment; 0: from the first on"),
        name: inBuffer(bytes, "the name, as UTF-8 of its latin1"),
      },
      reply: { versions: inBuffer(document, "up to 200 of them") },
      errors: over,
    }),
    share: operation({
      number: 2923,
      summary: "share a volume with everybody on the network, or end that",
      rights: ["admin"],
      arguments: { rights: inBuffer(uint32, "1: read; 3: read and write; 0: it is not shared") },
      errors: {
        STD_ARGBAD: "those are no rights that can be shared",
        STD_NOTNOW: "the server belongs to no cell",
        STD_NOSPACE: "it shares as many as it can",
      },
      example: "VOLUME --rights 1",
    }),
    cell: operation({
      number: 2924,
      summary: "which cell the server belongs to, and its put-port",
      subject: "server",
      rights: "anyone",
      reply: { cell: inBuffer(document, "a document") },
      errors: { STD_NOTNOW: "the server belongs to no cell" },
      example: "n1",
    }),
    verify: operation({
      number: 2928,
      summary: "compare the contents of a volume with its rows, or say how far that is",
      rights: ["admin"],
      arguments: { flags: inBuffer(uint32, "1: begin, 2: repair what can be; 0: how far it is") },
      reply: { check: inBuffer(document, "what was found") },
      example: "VOLUME --flags 1",
    }),
  },
});
