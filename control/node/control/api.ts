// What a control daemon answers: one table of resources below /v1, without HTTP.
//
// - A resource is a path with the methods that it has; NAME in it stands for one part.
// - Throws ProteusError; http.ts makes a document and an HTTP status of it. What the pool
//   itself refuses (NODE_UNKNOWN …) passes as it is.
// - A call is forwarded with the caller's capability as it came. The daemon adds none, and
//   has none to add: it can do what anyone on the network can.

import type { z } from "zod";
import { bootReportSchema, type PoolService } from "../../interface/pool.js";
import type { Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { type About, rpcOf, rpcReply, rpcRequestSchema } from "./documents.js";
import { PoolMetrics } from "./metrics.js";

/** What a daemon has to answer with. */
export interface ApiParts {
  readonly pool: PoolService;
  /** Calls a server on the daemon's networks. */
  readonly call: Transact;
  readonly about: () => About;
}

export type Method = "GET" | "POST" | "DELETE";

export type Answer =
  | { readonly kind: "json"; readonly document: object }
  | { readonly kind: "text"; readonly type: string; readonly text: string }
  /** The changes of the pool from now on, for as long as somebody reads. */
  | { readonly kind: "events" };

type Handler = (name: string, body: unknown) => Answer | Promise<Answer>;

/** Calls under way for clients at one time. */
export const callsMax = 64;

const json = (document: object): Answer => ({ kind: "json", document: { schema: 1, ...document } });

export class Api {
  readonly pool: PoolService;
  readonly #resources: ReadonlyMap<string, Readonly<Partial<Record<Method, Handler>>>>;
  readonly #call: Transact;
  #calls = 0;

  constructor({ pool, call, about }: ApiParts) {
    this.pool = pool;
    this.#call = call;
    const metrics = new PoolMetrics(pool, about());
    this.#resources = new Map<string, Readonly<Partial<Record<Method, Handler>>>>([
      ["v1", { GET: () => json(about()) }],
      ["v1/nodes", { GET: () => json({ pool: pool.pool, nodes: pool.nodes() }) }],
      [
        "v1/nodes/NAME",
        {
          GET: (name) => json({ node: pool.node(name) }),
          DELETE: async (name) => {
            await pool.forget(name);
            return json({ forgotten: name });
          },
        },
      ],
      ["v1/nodes/NAME/drain", { POST: async (name) => json({ node: await pool.drain(name) }) }],
      ["v1/nodes/NAME/undrain", { POST: async (name) => json({ node: await pool.undrain(name) }) }],
      [
        "v1/boots",
        {
          POST: async (_, body) => {
            const judged = bootReportSchema.safeParse(body);
            if (!judged.success) throw badBody(judged.error, bootWords);
            await pool.booting(judged.data);
            return json({ boot: judged.data });
          },
        },
      ],
      ["v1/faults", { GET: () => json({ faults: pool.faults() }) }],
      ["v1/daemons", { GET: () => json({ daemons: pool.daemons() }) }],
      ["v1/events", { GET: () => ({ kind: "events" }) }],
      ["v1/metrics", { GET: async () => ({ kind: "text", ...(await metrics.page()) }) }],
      ["v1/rpc", { POST: (_, body) => this.#forward(body) }],
    ]);
  }

  /** Answers one request. `path` is that of the URL, still encoded. Rejects with ProteusError. */
  async answer(method: string, path: string, body: unknown): Promise<Answer> {
    const { resource, name } = this.#find(path);
    const handler = isMethod(method) ? resource[method] : undefined;
    if (handler !== undefined) return handler(name, body);
    throw new ProteusError({
      code: "CONTROL_METHOD",
      exit: exitCodes.usage,
      message: `${path} has no method ${method.slice(0, 16)}`,
      why: `it has ${Object.keys(resource).join(", ")}`,
      unchanged: "nothing was changed",
      hint: "ask with one of those",
    });
  }

  #find(path: string): { resource: Readonly<Partial<Record<Method, Handler>>>; name: string } {
    const parts = path.split("/").filter((part) => part !== "");
    const isNode = parts[1] === "nodes" && parts.length > 2;
    const name = isNode ? decoded(parts[2] ?? "") : "";
    if (isNode) parts[2] = "NAME";
    const resource = this.#resources.get(parts.join("/"));
    if (resource !== undefined) return { resource, name };
    throw new ProteusError({
      code: "CONTROL_UNKNOWN",
      exit: exitCodes.notFound,
      message: `there is no ${path.slice(0, 100)}`,
      why: `there is ${[...this.#resources.keys()].map((each) => `/${each}`).join(", ")}`,
      unchanged: "nothing was changed",
      hint: "a newer command line may ask an older daemon: compare proteus version with proteus control status",
    });
  }

  async #forward(body: unknown): Promise<Answer> {
    const judged = rpcRequestSchema.safeParse(body);
    if (!judged.success) throw badBody(judged.error, callWords);
    if (this.#calls >= callsMax)
      throw new ProteusError({
        code: "CONTROL_BUSY",
        exit: exitCodes.failed,
        message: "the call was not forwarded",
        why: `${callsMax} calls are under way already`,
        unchanged: "the call was not executed",
        hint: "try again when some have ended, or ask another daemon",
      });
    this.#calls++;
    try {
      const { header, data, options } = rpcOf(judged.data);
      return { kind: "json", document: rpcReply(await this.#call(header, data, options)) };
    } finally {
      this.#calls--;
    }
  }
}

const isMethod = (text: string): text is Method => text === "GET" || text === "POST" || text === "DELETE";

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ProteusError({
      code: "CONTROL_REQUEST",
      exit: exitCodes.usage,
      message: `"${part.slice(0, 100)}" is no name`,
      why: "it is not encoded as a part of a URL is",
      unchanged: "nothing was changed",
      hint: "encode it with percent signs: n1%23e7cf",
    });
  }
}

const callWords = {
  message: "the request is not what a call has to be",
  unchanged: "the call was not executed",
  hint: "a call is {capability or port, command, offset, size, extra, data in base64}",
};
const bootWords = {
  message: "the request does not say how far a machine has booted",
  unchanged: "nothing was changed",
  hint: "it is {mac, name, kind, step: asked, loading, booted or null}",
};

function badBody(error: z.ZodError, words: typeof callWords): ProteusError {
  const [first] = error.issues;
  const where = first === undefined || first.path.length === 0 ? "" : `${first.path.map(String).join(".")}: `;
  return new ProteusError({
    code: "CONTROL_REQUEST",
    exit: exitCodes.usage,
    ...words,
    why: `${where}${first?.message ?? "it is wrong"}`,
  });
}
