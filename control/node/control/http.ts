// A control daemon's API as HTTP/1.1: one request in, one JSON document out, or a stream of
// events. Sockets are server.ts; what is answered is api.ts.
//
// - Everything is bounded: headers, body, the time until a request is there, connections,
//   streams, and what a reader that stands still may leave unwritten.
// - Bad input gets 400 with an error document, and never ends the daemon.
// - A browser is no client: a request that carries Origin is refused, so that no web page can
//   use a daemon that listens on its user's machine.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { PoolEvent, PoolService } from "../../interface/pool.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Answer, Api } from "./api.js";
import { errorDocument, httpStatusOf, rpcBytesMax } from "./documents.js";

/** A call's data in base64, and the rest of it. */
export const bodyBytesMax = Math.ceil(rpcBytesMax / 3) * 4 + 4096;
/** How long a request may take to come in. */
const requestMs = 10_000;
const idleMs = 5000;
const headerBytesMax = 16 * 1024;
const connectionsMax = 256;
const streamsMax = 64;
/** An empty line now and then: both ends notice when the other is gone. */
const beatMs = 5000;
const unwrittenBytesMax = 256 * 1024;
const closeGraceMs = 500;

export const serverOptions = {
  requestTimeout: requestMs,
  headersTimeout: requestMs,
  keepAliveTimeout: idleMs,
  maxHeaderSize: headerBytesMax,
  connectionsCheckingInterval: 1000,
};

export interface HttpOptions {
  /** Is the Authorization header right? Left out where the socket itself is the permission. */
  readonly allows?: (authorization: string | undefined) => boolean;
  /** Told of what nobody expected; the daemon goes on. */
  readonly failed: (error: unknown) => void;
}

interface Stream {
  readonly end: () => void;
}

/** Answers the requests of HTTP servers with one API. */
export class Http {
  readonly #api: Api;
  readonly #failed: (error: unknown) => void;
  readonly #servers: Server[] = [];
  readonly #streams = new Set<Stream>();

  constructor(api: Api, failed: (error: unknown) => void) {
    this.#api = api;
    this.#failed = failed;
  }

  /** Serves on a server that does not listen yet. */
  serve(server: Server, allows?: HttpOptions["allows"]): void {
    server.maxConnections = connectionsMax;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#respond(request, response, allows).catch((error: unknown) => {
        this.#failed(error);
        response.destroy();
      });
    });
    server.on("clientError", badRequest);
    this.#servers.push(server);
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    allows: HttpOptions["allows"],
  ): Promise<void> {
    response.on("error", () => undefined); // its reader is gone
    try {
      if (allows !== undefined && !allows(request.headers.authorization)) throw tokenWrong();
      if (request.headers.origin !== undefined) throw fromBrowser();
      const [path = "/"] = (request.url ?? "/").split("?");
      const body = await readBody(request);
      const answer = await this.#api.answer(request.method ?? "GET", path, body);
      if (answer.kind === "events") this.#stream(response);
      else write(response, 200, answer);
    } catch (error) {
      if (response.headersSent || response.destroyed) throw error;
      const known = error instanceof ProteusError ? error : this.#unknown(error);
      const status = httpStatusOf(known);
      if (status === 401) response.setHeader("www-authenticate", "Bearer");
      if (!request.complete) response.setHeader("connection", "close");
      write(response, status, { kind: "json", document: errorDocument(known) });
    }
  }

  #unknown(error: unknown): ProteusError {
    this.#failed(error);
    return new ProteusError({
      code: "CONTROL_FAILED",
      exit: exitCodes.failed,
      message: "the daemon met an error that it did not expect",
      why: error instanceof Error ? error.message : String(error),
      hint: "its log says more: journalctl --unit proteus-control",
    });
  }

  #stream(response: ServerResponse): void {
    if (this.#streams.size >= streamsMax)
      throw new ProteusError({
        code: "CONTROL_BUSY",
        exit: exitCodes.failed,
        message: "the changes of the pool cannot be followed",
        why: `${streamsMax} clients follow them already`,
        hint: "end one of them, or ask another daemon",
      });
    response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
    const { pool } = this.#api;
    const stream = followPool(pool, response, () => this.#streams.delete(stream));
    this.#streams.add(stream);
  }

  /** Ends streams in order, answers what was asked, and closes. */
  async close(): Promise<void> {
    for (const stream of [...this.#streams]) stream.end();
    const closed = this.#servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeIdleConnections();
        }),
    );
    const grace = setTimeout(() => {
      for (const server of this.#servers) server.closeAllConnections();
    }, closeGraceMs);
    await Promise.all(closed);
    clearTimeout(grace);
  }
}

/** Writes the changes of a pool, one document a line, until either end has enough. */
function followPool(pool: PoolService, response: ServerResponse, ended: () => void): Stream {
  const send = (line: string): void => {
    if (response.writableLength > unwrittenBytesMax)
      response.destroy(); // it does not read
    else response.write(line);
  };
  const unwatch = pool.watch((event: PoolEvent) => send(`${JSON.stringify({ schema: 1, ...event })}\n`));
  const beat = setInterval(() => send("\n"), beatMs);
  send("\n"); // whoever has this misses nothing from now on
  const stop = (): void => {
    clearInterval(beat);
    unwatch();
    ended();
  };
  response.once("close", stop);
  return { end: () => response.end() };
}

function write(response: ServerResponse, status: number, answer: Exclude<Answer, { kind: "events" }>): void {
  const [type, text] =
    answer.kind === "json"
      ? ["application/json", `${JSON.stringify(answer.document)}\n`]
      : [answer.type, answer.text];
  response.writeHead(status, {
    ...{ "content-type": type, "cache-control": "no-store" },
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** The JSON of a request; null when it has none. Rejects with CONTROL_TOO_LARGE, CONTROL_REQUEST. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyBytesMax)
      throw new ProteusError({
        code: "CONTROL_TOO_LARGE",
        exit: exitCodes.usage,
        message: "the request is too large",
        why: `it has more than ${bodyBytesMax} bytes`,
        unchanged: "nothing was changed",
        hint: `a call has at most ${rpcBytesMax} bytes of data: make several`,
      });
    parts.push(part);
  }
  if (bytes === 0) return null;
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch (cause) {
    throw new ProteusError({
      code: "CONTROL_REQUEST",
      exit: exitCodes.usage,
      message: "the request is no JSON",
      why: (cause as Error).message,
      unchanged: "nothing was changed",
      hint: "send one JSON document, or no body where none is wanted",
      cause,
    });
  }
}

function tokenWrong(): ProteusError {
  return new ProteusError({
    code: "CONTROL_TOKEN",
    exit: exitCodes.denied,
    message: "the daemon does not accept the token",
    why: "it is missing, or it is another than the daemon's",
    unchanged: "nothing was changed",
    hint: "give the file that holds it: --token-file FILE, or PROTEUS_CONTROL_TOKEN_FILE",
  });
}

function fromBrowser(): ProteusError {
  return new ProteusError({
    code: "CONTROL_ORIGIN",
    exit: exitCodes.denied,
    message: "the daemon answers no web page",
    why: "the request has an Origin header",
    unchanged: "nothing was changed",
    hint: "ask with the command line, or with a program that is no browser",
  });
}

/** What is no HTTP, or comes too slowly or too large. */
function badRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const large = /^HPE_HEADER/.test(error.code ?? "");
  const known = new ProteusError({
    code: "CONTROL_REQUEST",
    exit: exitCodes.usage,
    message: "the request is no HTTP",
    why: late
      ? `it was not there within ${requestMs / 1000} s`
      : large
        ? "its header is too large"
        : error.message,
    unchanged: "nothing was changed",
    hint: "send HTTP/1.1, at once and with short headers",
  });
  const body = `${JSON.stringify(errorDocument(known))}\n`;
  const status = late
    ? "408 Request Timeout"
    : large
      ? "431 Request Header Fields Too Large"
      : "400 Bad Request";
  const head = [
    `HTTP/1.1 ${status}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
