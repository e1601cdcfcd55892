// Where a node is asked for its metrics and its status: HTTP on the loopback interface, or a
// Unix socket. /metrics is for Prometheus, /status the document of the status service.
//
// - Reads only, and nothing in it is secret. A socket is for its owner alone.
// - A socket that a crash left is replaced; one that somebody listens to, or a file, is not.
// - A request that is slow or too large is ended: what asks can never hold the node up.

import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Listen } from "../config/listen.js";
import { removeLeftSocket } from "../left-socket.js";

export interface Pages {
  /** The text and its type. */
  readonly metrics: () => Promise<{ text: string; type: string }>;
  readonly status: () => object;
}

export interface PageServer {
  /** For people: `http://127.0.0.1:9532/metrics`. */
  readonly where: string;
  close(): Promise<void>;
}

const patienceMs = 5000;
const connectionsMax = 32;
const headerBytesMax = 8192;

/** Serves until it is closed; null when it is off. Rejects with METRICS_LISTEN. */
export async function servePages(
  listen: Listen,
  pages: Pages,
  failed: (error: unknown) => void,
): Promise<PageServer | null> {
  if (listen.kind === "off") return null;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    respond(request, response, pages).catch((error: unknown) => {
      failed(error);
      response.destroy();
    });
  };
  const server = createServer(
    { requestTimeout: patienceMs, headersTimeout: patienceMs, maxHeaderSize: headerBytesMax },
    answer,
  );
  server.maxConnections = connectionsMax;
  server.keepAliveTimeout = patienceMs;
  await start(server, listen);
  server.on("error", failed);
  const path = listen.kind === "unix" ? listen.path : null;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve()); // which also removes the socket
      server.closeAllConnections();
    });
  return { where: path === null ? httpName(server) : `unix:${path}`, close };
}

function httpName(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === "string") return String(address);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}/metrics`;
}

async function start(server: Server, listen: Exclude<Listen, { kind: "off" }>): Promise<void> {
  try {
    if (listen.kind === "unix") await removeLeftSocket(listen.path); // else listening says why not
    await new Promise<void>((resolve, reject) => {
      const target =
        listen.kind === "unix" ? { path: listen.path } : { host: listen.host, port: listen.port };
      server.once("error", reject).listen(target, () => {
        server.off("error", reject);
        resolve();
      });
    });
    if (listen.kind === "unix") chmodSync(listen.path, 0o600);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const where = listen.kind === "unix" ? listen.path : `${listen.host}:${listen.port}`;
    throw new ProteusError({
      code: "METRICS_LISTEN",
      exit: code === "EACCES" || code === "EPERM" ? exitCodes.denied : exitCodes.failed,
      message: `metrics cannot be served at ${where}`,
      why: code === "EADDRINUSE" ? "another program listens there, perhaps another node" : message,
      unchanged: "the node was not started",
      hint: "set metrics.listen (--metrics, PROTEUS_METRICS_LISTEN) to another address, or to off",
      cause,
    });
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, pages: Pages): Promise<void> {
  const { method, url = "/" } = request;
  const give = (status: number, type: string, text: string): void => {
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    response.end(method === "HEAD" ? undefined : text);
  };
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    give(405, "text/plain", "only GET and HEAD\n");
    return;
  }
  switch (url.split("?")[0]) {
    case "/metrics": {
      const { text, type } = await pages.metrics();
      give(200, type, text);
      return;
    }
    case "/status":
      give(200, "application/json", `${JSON.stringify(pages.status())}\n`);
      return;
    default:
      give(404, "text/plain", "there is /metrics and /status\n");
  }
}
