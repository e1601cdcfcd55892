// The documents of a control daemon's API: what travels as JSON between it and its clients.
//
// - Every document has `schema`: 1. An error is {schema, error: {code, exit, message, why,
//   unchanged, hint}}; its HTTP status follows from its exit code.
// - Bytes are lower-case hex where they are short, base64 where they may be long.
// - Checked at both doors: a daemon believes no client, a client no daemon.

import { z } from "zod";
import { daemonSchema, poolEventSchema, poolNodeSchema } from "../../interface/pool.js";
import { toHex } from "../../kernel/bytes.js";
import type { CallOptions, Header, Reply } from "../../kernel/calls.js";
import { type ExitCode, exitCodes, ProteusError } from "../../kernel/errors.js";

/** Data of one call through a daemon, either way. */
export const rpcBytesMax = 1024 * 1024 + 4096; // a whole megabyte and what goes with it
/** Times of a call: an hour is longer than anybody waits. */
const milliseconds = z.int().min(1).max(3_600_000);

const schema = z.literal(1);
const text = z.string();
const word = z.int().min(0).max(0xffff);
const offset = z.int().min(-0x8000_0000).max(0x7fff_ffff);
const base64 = z
  .string()
  .max(Math.ceil(rpcBytesMax / 3) * 4, { error: `it is at most ${rpcBytesMax} bytes` })
  .refine((value) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value), {
    error: "it is bytes in base64",
  });

/** A call, as POST /v1/rpc takes it: a capability, or a port alone. */
export const rpcRequestSchema = z
  .strictObject({
    schema: schema.optional(),
    /** 32 hex digits: put-port and private part. */
    capability: text.regex(/^[0-9a-f]{32}$/i, "it has 32 hex digits").optional(),
    /** 12 hex digits, without a capability. */
    port: text.regex(/^[0-9a-f]{12}$/i, "it has 12 hex digits").optional(),
    command: word,
    offset: offset.default(0),
    size: word.default(0),
    extra: word.default(0),
    data: base64.default(""),
    locateTimeoutMs: milliseconds.optional(),
    pollMs: milliseconds.optional(),
    deadMs: milliseconds.optional(),
    replyBytesMax: z.int().min(0).max(rpcBytesMax).optional(),
  })
  .refine(({ capability, port }) => (capability === undefined) !== (port === undefined), {
    error: "there is a capability or a port, and not both",
  });
export type RpcRequest = z.input<typeof rpcRequestSchema>;

export const rpcReplySchema = z.looseObject({
  schema,
  port: text.regex(/^[0-9a-f]{12}$/),
  private: text.regex(/^[0-9a-f]{20}$/),
  status: z.int(),
  offset: z.int(),
  size: z.int(),
  extra: z.int(),
  data: base64,
});

export const aboutSchema = z.looseObject({
  schema,
  /** The pool's name. */
  pool: text,
  /** The daemon's own name, process and version. */
  name: text,
  pid: z.int(),
  version: text,
  uptimeSeconds: z.number(),
  /** As the setting has it. */
  store: text,
  interfaces: z.array(text),
});
/** Who a daemon is. */
export type About = z.infer<typeof aboutSchema>;

export const faultSchema = z.looseObject({
  kind: z.enum(["sameName", "clockSkew", "versionSkew", "mtuMismatch", "daemonsLost"]),
  nodes: z.array(text),
  message: text,
  hint: text,
});

export const nodesSchema = z.looseObject({ schema, nodes: z.array(poolNodeSchema) });
export const nodeSchema = z.looseObject({ schema, node: poolNodeSchema });
export const faultsSchema = z.looseObject({ schema, faults: z.array(faultSchema) });
export const daemonsSchema = z.looseObject({ schema, daemons: z.array(daemonSchema) });
export const doneSchema = z.looseObject({ schema });
export const eventSchema = poolEventSchema;

const fromHex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, "hex"));

/** A call as a document. */
export function rpcRequest(
  header: Partial<Header> & { readonly port: Uint8Array },
  data: Uint8Array,
  options: CallOptions,
): RpcRequest {
  const { port, command = 0, offset = 0, size = 0, extra = 0 } = header;
  const whom =
    header.private === undefined
      ? { port: toHex(port) }
      : { capability: toHex(port) + toHex(header.private) };
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return { schema: 1, ...whom, command, offset, size, extra, data: bytes.toString("base64"), ...options };
}

/** What a document asks for. */
export function rpcOf(request: z.output<typeof rpcRequestSchema>): {
  readonly header: Partial<Header> & { readonly port: Uint8Array };
  readonly data: Uint8Array;
  readonly options: CallOptions;
} {
  const { command, offset, size, extra, data, locateTimeoutMs, pollMs, deadMs, replyBytesMax } = request;
  const whom = fromHex(request.capability ?? request.port ?? "");
  const header = { port: whom.slice(0, 6), command, offset, size, extra };
  return {
    header: whom.length > 6 ? { ...header, private: whom.slice(6) } : header,
    data: Buffer.from(data, "base64"),
    options: {
      ...(locateTimeoutMs === undefined ? {} : { locateTimeoutMs }),
      ...(pollMs === undefined ? {} : { pollMs }),
      ...(deadMs === undefined ? {} : { deadMs }),
      ...(replyBytesMax === undefined ? {} : { replyBytesMax }),
    },
  };
}

/** A reply as a document. */
export function rpcReply({ header, data }: Reply): z.infer<typeof rpcReplySchema> {
  const { port, status, offset, size, extra } = header;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64");
  return {
    ...{ schema: 1, port: toHex(port), private: toHex(header.private), status },
    ...{ offset, size, extra, data: bytes },
  };
}

/** The reply in a document. */
export function replyOf(document: z.infer<typeof rpcReplySchema>): Reply {
  const { status, offset, size, extra, data } = document;
  const ends = { port: fromHex(document.port), private: fromHex(document.private) };
  return {
    header: { ...ends, command: status & 0xffff, status, offset, size, extra },
    data: Buffer.from(data, "base64"),
  };
}

export const errorSchema = z.looseObject({
  error: z.looseObject({
    code: text,
    exit: z.int().optional(),
    message: text,
    why: text.optional(),
    unchanged: text.optional(),
    hint: text.optional(),
  }),
});

/** An error as a document. */
export function errorDocument({ code, exit, message, why, unchanged, hint }: ProteusError) {
  return { schema: 1, error: { code, exit, message, why, unchanged, hint } };
}

const isExit = (value: number | undefined): value is ExitCode =>
  value !== undefined && Object.values(exitCodes).some((each) => each === value && each !== exitCodes.ok);

/** The error in a document; null when it is none. */
export function errorOf(document: unknown): ProteusError | null {
  const judged = errorSchema.safeParse(document);
  if (!judged.success) return null;
  const { exit, code, message, why, unchanged, hint } = judged.data.error;
  return new ProteusError({
    ...{ code, message, why, unchanged, hint },
    exit: isExit(exit) ? exit : exitCodes.failed,
  });
}

const httpStatuses: Readonly<Record<ExitCode, number>> = {
  [exitCodes.ok]: 200,
  [exitCodes.failed]: 500,
  [exitCodes.usage]: 400,
  [exitCodes.notFound]: 404,
  [exitCodes.denied]: 403,
  [exitCodes.unreachable]: 504,
  [exitCodes.degraded]: 503,
};

const ownStatuses: Readonly<Record<string, number>> = {
  NODE_IN_USE: 409,
  NODE_AMBIGUOUS: 409,
  CONTROL_TOKEN: 401,
  CONTROL_METHOD: 405,
  CONTROL_TOO_LARGE: 413,
  CONTROL_BUSY: 503,
};

/** The HTTP status that goes with an error. */
export function httpStatusOf({ code, exit }: ProteusError): number {
  return ownStatuses[code] ?? httpStatuses[exit];
}
