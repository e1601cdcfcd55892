// The client of control daemons: asks the first that answers, for commands and other programs.
//
// - Daemons are tried in the order in which they are named, the one that answered last first.
//   A request that changes nothing, or the same when it is done twice, goes to the next when a
//   daemon dies in the middle; a call does not, since it may have been executed.
// - A refusal comes back as the ProteusError that the daemon threw. CONTROL_NONE: no daemon
//   is there; CONTROL_SILENT: none answers in time; CONTROL_DENIED, CONTROL_UNTRUSTED: this
//   user may not ask, or the daemon's certificate is not one to believe.

import { type IncomingMessage, request as plainRequest, type RequestOptions } from "node:http";
import { request as tlsRequest } from "node:https";
import type { z } from "zod";
import type { NodeFault } from "../../interface/node-faults.js";
import type { BootReport, PoolDaemon, PoolEvent, PoolNode } from "../../interface/pool.js";
import type { Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import * as documents from "./documents.js";
import { type Endpoint, endpointText } from "./places.js";

export interface ClientOptions {
  readonly endpoints: readonly Endpoint[];
  /** Of a daemon at an https address. */
  readonly token?: string | undefined;
  /** PEM text of whom its certificate must come from; default: those that Node trusts. */
  readonly authority?: Buffer | undefined;
  /** How long one daemon may take to answer what it knows; default 3 s. */
  readonly timeoutMs?: number;
  /** What to do when no daemon is there, for the error. */
  readonly hint?: string;
}

const answerMs = 3000;
/** A change waits until the daemons have agreed, which may take a recovery of their group. */
const changeMs = 15_000;
/** What a server may take to execute a call, on top of looking for it. */
const callMs = 600_000;
const answerBytesMax = 16 * 1024 * 1024;
const lineBytesMax = 64 * 1024;
/** The daemon sends a line at least every five seconds. */
const streamSilenceMs = 20_000;

/** Why a daemon gave no answer. */
class NoAnswer extends Error {
  override readonly name = "NoAnswer";

  constructor(
    /** nobody: certainly not done. denied, untrusted: nor will it be. silent: it may be done. */
    readonly kind: "nobody" | "denied" | "untrusted" | "silent",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

interface Asking {
  readonly method: string;
  readonly path: string;
  readonly body?: object | undefined;
  readonly timeoutMs: number;
  /** May it be done twice? */
  readonly again: boolean;
}

/** Codes of refusals that another daemon may not have. */
const othersMay = new Set(["CONTROL_BUSY", "CONTROL_FAILED", "POOL_ALONE", "POOL_CLOSED"]);

export class ControlClient {
  readonly endpoints: readonly Endpoint[];
  readonly #options: ClientOptions;
  #first = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.endpoints = options.endpoints;
  }

  /** The daemon that answered last, for people. */
  get where(): string {
    const endpoint = this.endpoints[this.#first];
    return endpoint === undefined ? "" : endpointText(endpoint);
  }

  about(): Promise<documents.About> {
    return this.#read("/v1", documents.aboutSchema);
  }

  async nodes(): Promise<readonly PoolNode[]> {
    return (await this.#read("/v1/nodes", documents.nodesSchema)).nodes;
  }

  async node(name: string): Promise<PoolNode> {
    return (await this.#read(nodePath(name), documents.nodeSchema)).node;
  }

  async faults(): Promise<readonly NodeFault[]> {
    return (await this.#read("/v1/faults", documents.faultsSchema)).faults;
  }

  async daemons(): Promise<readonly PoolDaemon[]> {
    return (await this.#read("/v1/daemons", documents.daemonsSchema)).daemons;
  }

  async drain(name: string, on = true): Promise<PoolNode> {
    const path = `${nodePath(name)}/${on ? "drain" : "undrain"}`;
    const asking = { method: "POST", path, timeoutMs: changeMs, again: true };
    return (await this.#ask(asking, documents.nodeSchema)).node;
  }

  async forget(name: string): Promise<void> {
    const asking = { method: "DELETE", path: nodePath(name), timeoutMs: changeMs, again: true };
    await this.#ask(asking, documents.doneSchema);
  }

  /** Says how far a machine has booted. */
  async booting(report: BootReport): Promise<void> {
    const asking = { method: "POST", path: "/v1/boots", body: report, timeoutMs: changeMs, again: true };
    await this.#ask(asking, documents.doneSchema);
  }

  /** The metrics of the daemon that answers, for Prometheus. */
  async metrics(): Promise<string> {
    const asking = { method: "GET", path: "/v1/metrics", timeoutMs: this.#answerMs, again: true };
    return this.#try(asking, (endpoint) => this.#fetch(endpoint, asking));
  }

  /** Calls a server by way of a daemon. Rejects as `trans` does, or when no daemon answers. */
  readonly call: Transact = async (header, data, options) => {
    const body = documents.rpcRequest(header, data, options);
    const timeoutMs = callMs + (options.locateTimeoutMs ?? 0);
    const asking = { method: "POST", path: "/v1/rpc", body, timeoutMs, again: false };
    return documents.replyOf(await this.#ask(asking, documents.rpcReplySchema));
  };

  get #answerMs(): number {
    return this.#options.timeoutMs ?? answerMs;
  }

  #read<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
    return this.#ask({ method: "GET", path, timeoutMs: this.#answerMs, again: true }, schema);
  }

  async #ask<Schema extends z.ZodType>(asking: Asking, schema: Schema): Promise<z.output<Schema>> {
    const document = await this.#try(asking, async (endpoint) => {
      const text = await this.#fetch(endpoint, asking);
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return null;
      }
    });
    const judged = schema.safeParse(document);
    if (judged.success) return judged.data;
    throw wrong(this.where, judged.error.issues[0]?.message ?? "its answer is no document");
  }

  /** Does it with one daemon after the other. */
  async #try<Value>(
    { again }: Pick<Asking, "again">,
    work: (endpoint: Endpoint) => Promise<Value>,
  ): Promise<Value> {
    const failures: NoAnswer[] = [];
    let refusal: ProteusError | undefined;
    const order = this.endpoints.map((_, place) => (place + this.#first) % this.endpoints.length);
    for (const place of order) {
      const endpoint = this.endpoints[place];
      if (endpoint === undefined) continue;
      try {
        const value = await work(endpoint);
        this.#first = place;
        return value;
      } catch (error) {
        if (error instanceof NoAnswer) {
          failures.push(error);
          if (error.kind === "silent" && !again) throw this.#silent(failures, again);
        } else if (error instanceof ProteusError && othersMay.has(error.code)) refusal ??= error;
        else {
          this.#first = place;
          throw error;
        }
      }
    }
    throw refusal ?? this.#silent(failures, again);
  }

  #silent(failures: readonly NoAnswer[], again: boolean): ProteusError {
    const kinds = failures.map(({ kind }) => kind);
    const why = [...new Set(failures.map(({ message }) => message))].join("; ");
    const cause = failures.at(-1);
    const { hint } = this.#options;
    if (kinds.includes("silent"))
      return new ProteusError({
        code: "CONTROL_SILENT",
        exit: exitCodes.unreachable,
        message: failures.length > 1 ? "no control daemon answers" : "the control daemon does not answer",
        why,
        unchanged: again ? undefined : "it may or may not have forwarded the call",
        hint: again
          ? "its log says more: journalctl --unit proteus-control; then start it again"
          : "look at what the call should have changed before you repeat it",
        cause,
      });
    if (kinds.includes("untrusted"))
      return new ProteusError({
        code: "CONTROL_UNTRUSTED",
        exit: exitCodes.denied,
        message: "the control daemon is not believed",
        why,
        unchanged: "nothing was sent",
        hint: "give the certificate that it, or whoever signed it, has: --control-ca FILE",
        cause,
      });
    if (kinds.includes("denied"))
      return new ProteusError({
        code: "CONTROL_DENIED",
        exit: exitCodes.denied,
        message: "this user may not ask the control daemon",
        why,
        unchanged: "nothing was sent",
        hint: "run the command as the daemon's user",
        cause,
      });
    return new ProteusError({
      code: "CONTROL_NONE",
      exit: exitCodes.unreachable,
      message: "no control daemon runs",
      why: why === "" ? "none is known" : why,
      unchanged: "nothing was sent",
      hint: hint ?? "start one: proteus control start, or name one with --control",
      cause,
    });
  }

  #target(endpoint: Endpoint): RequestOptions & { readonly ca?: Buffer; readonly minVersion?: "TLSv1.2" } {
    if (endpoint.kind === "unix") return { socketPath: endpoint.path };
    const { authority, token = "" } = this.#options;
    return {
      ...{ host: endpoint.host, port: endpoint.port, minVersion: "TLSv1.2" },
      headers: { authorization: `Bearer ${token}` },
      ...(authority === undefined ? {} : { ca: authority }),
    };
  }

  /** One request to one daemon; resolves when its answer has begun, whatever it is. */
  #open(endpoint: Endpoint, { method, path, body, timeoutMs }: Asking): Promise<IncomingMessage> {
    const where = endpointText(endpoint);
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const target = this.#target(endpoint);
      const headers = {
        ...target.headers,
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      };
      const options = { ...target, method, path, headers, agent: false };
      const asking = endpoint.kind === "tls" ? tlsRequest(options) : plainRequest(options);
      const timer = setTimeout(
        () => asking.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      asking.on("response", (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      asking.on("error", (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(noAnswer(where, error));
      });
      asking.end(text);
    });
  }

  /** The text of an answer. Rejects with NoAnswer, or with what the daemon refuses. */
  async #fetch(endpoint: Endpoint, asking: Asking): Promise<string> {
    const response = await this.#open(endpoint, asking);
    const late = setTimeout(() => response.destroy(new Error("its answer never ended")), asking.timeoutMs);
    const parts: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const part of response as AsyncIterable<Buffer>) {
        bytes += part.length;
        if (bytes > answerBytesMax) throw new Error(`its answer has more than ${answerBytesMax} bytes`);
        parts.push(part);
      }
    } catch (error) {
      throw new NoAnswer("silent", `${endpointText(endpoint)}: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      clearTimeout(late);
    }
    const text = Buffer.concat(parts).toString("utf8");
    if (response.statusCode === 200) return text;
    throw refusalOf(endpointText(endpoint), text, response.statusCode);
  }

  /**
   * The changes of the pool from now on: the first value is null and comes at once, so that
   * whoever looks at the nodes after it misses nothing. Ends when the daemon ends; throws as
   * other requests do when none answers.
   */
  async *events(signal: AbortSignal): AsyncGenerator<PoolEvent | null> {
    const asking = { method: "GET", path: "/v1/events", timeoutMs: this.#answerMs, again: true };
    const response = await this.#try(asking, async (endpoint) => {
      const opened = await this.#open(endpoint, asking);
      if (opened.statusCode === 200) return opened;
      const text = await textOf(opened);
      throw refusalOf(endpointText(endpoint), text, opened.statusCode);
    });
    const end = (): void => {
      response.destroy();
    };
    signal.addEventListener("abort", end, { once: true });
    response.setTimeout(streamSilenceMs, end);
    let rest = "";
    let begun = false;
    try {
      for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        if (rest.length > lineBytesMax) throw wrong(this.where, "a line of its events never ends");
        if (!begun) {
          begun = true;
          yield null;
        }
        for (const line of lines.filter((each) => each !== "")) yield eventOf(this.where, line);
      }
    } catch (error) {
      if (error instanceof ProteusError) throw error; // else the daemon has ended, or we have
    } finally {
      signal.removeEventListener("abort", end);
      response.destroy();
    }
  }
}

const nodePath = (name: string): string => `/v1/nodes/${encodeURIComponent(name)}`;

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) {
    if (parts.length < 64) parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function eventOf(where: string, line: string): PoolEvent {
  try {
    return documents.eventSchema.parse(JSON.parse(line));
  } catch {
    throw wrong(where, "a line of its events is no event");
  }
}

function refusalOf(where: string, text: string, status = 0): ProteusError {
  try {
    const known = documents.errorOf(JSON.parse(text));
    if (known !== null) return known;
  } catch {
    // Said below.
  }
  return wrong(where, `it answered with status ${status}`);
}

function wrong(where: string, why: string): ProteusError {
  return new ProteusError({
    code: "ANSWER_WRONG",
    exit: exitCodes.failed,
    message: `what answers at ${where} is no control daemon of this version`,
    why,
    hint: "see what listens there; proteus control status says which version a daemon has",
  });
}

const nobody = new Set(["ECONNREFUSED", "ENOENT", "ENOTSOCK", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND"]);

function noAnswer(where: string, error: NodeJS.ErrnoException): NoAnswer {
  const { code = "", message } = error;
  const options = { cause: error };
  if (nobody.has(code)) return new NoAnswer("nobody", `nobody listens at ${where}`, options);
  if (code === "EACCES" || code === "EPERM")
    return new NoAnswer("denied", `${where} belongs to another user`, options);
  if (/^(ERR_TLS_|CERT_|UNABLE_|DEPTH_ZERO|SELF_SIGNED|ERR_SSL_|EPROTO)/.test(code))
    return new NoAnswer("untrusted", `${where}: ${message}`, options);
  return new NoAnswer("silent", `${where}: ${message}`, options);
}
