// Where a control daemon listens: a Unix socket for its own user, and, when that is asked for,
// TCP with TLS and a token.
//
// - The socket has mode 0600 in a folder that belongs to the daemon's user and that nobody
//   else may write to. What a dead daemon has left there is replaced; a living daemon's
//   socket is not.
// - Without TLS and a token nothing listens on TCP.

import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { dirname } from "node:path";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { isListening, removeLeftSocket } from "../left-socket.js";
import type { Api } from "./api.js";
import { Http, serverOptions } from "./http.js";
import { tokenCheck } from "./token.js";

export interface TlsAddress {
  readonly host: string;
  readonly port: number;
  /** PEM texts. */
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly token: string;
}

export interface ServeOptions {
  readonly socket: string;
  readonly tls?: TlsAddress | undefined;
  readonly failed: (error: unknown) => void;
}

export interface ControlServer {
  readonly socket: string;
  /** `https://10.0.0.1:9533`; null: only the socket. */
  readonly address: string | null;
  close(): Promise<void>;
}

const unchanged = "the daemon was not started";

/** Serves until it is closed. Rejects with CONTROL_SOCKET, CONTROL_RUNNING, CONTROL_TLS or CONTROL_LISTEN. */
export async function serveControl(api: Api, { socket, tls, failed }: ServeOptions): Promise<ControlServer> {
  const http = new Http(api, failed);
  const local = createServer(serverOptions);
  http.serve(local);
  await listenAtSocket(local, socket);
  local.on("error", failed);
  try {
    const address = tls === undefined ? null : await listenWithTls(http, tls, failed);
    return { socket, address, close: () => http.close() };
  } catch (error) {
    await http.close();
    throw error;
  }
}

async function listenWithTls(
  http: Http,
  { host, port, cert, key, token }: TlsAddress,
  failed: (error: unknown) => void,
): Promise<string> {
  let server: Server;
  try {
    server = createTlsServer({ ...serverOptions, cert, key, minVersion: "TLSv1.2" });
  } catch (cause) {
    throw new ProteusError({
      code: "CONTROL_TLS",
      exit: exitCodes.usage,
      message: "the certificate or its key cannot be used",
      why: (cause as Error).message,
      unchanged,
      hint: "control.tls_cert and control.tls_key are PEM files, and the key is the certificate's",
      cause,
    });
  }
  try {
    await listening(server, () => server.listen({ host, port }));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ProteusError({
      code: "CONTROL_LISTEN",
      exit: code === "EACCES" ? exitCodes.denied : exitCodes.failed,
      message: `the daemon cannot listen at ${host}:${port}`,
      why: code === "EADDRINUSE" ? "another program listens there" : message,
      unchanged,
      hint: "give another address with --listen (control.listen)",
      cause,
    });
  }
  http.serve(server, tokenCheck(token));
  server.on("error", failed);
  server.on("tlsClientError", () => undefined); // a stranger who speaks no TLS
  const bound = server.address();
  const number = typeof bound === "object" && bound !== null ? bound.port : port;
  return `https://${host.includes(":") ? `[${host}]` : host}:${number}`;
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
  });
}

function socketRefused(path: string, why: string, cause?: unknown): ProteusError {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return new ProteusError({
    code: "CONTROL_SOCKET",
    exit: code === "EACCES" || code === "EPERM" ? exitCodes.denied : exitCodes.failed,
    message: `no socket could be made at ${path}`,
    why,
    unchanged,
    hint: "set control.socket (--socket, PROTEUS_CONTROL_SOCKET) to a path in a folder of your own",
    cause,
  });
}

/** Makes the folder, or sees that it is one in which nobody else can put a socket. */
function checkFolder(path: string): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(folder);
    if (uid !== process.getuid?.())
      throw socketRefused(path, `${folder} belongs to another user`, { code: "EACCES" });
    if ((mode & 0o022) !== 0) throw socketRefused(path, `others may write to ${folder}`);
  } catch (error) {
    if (error instanceof ProteusError) throw error;
    throw socketRefused(path, (error as Error).message, error);
  }
}

async function listenAtSocket(server: Server, path: string): Promise<void> {
  checkFolder(path);
  for (let attempt = 1; ; attempt++) {
    const mask = process.umask(0o177); // from its first moment on nobody else may connect
    try {
      const bound = listening(server, () => server.listen({ path }));
      process.umask(mask);
      await bound;
      chmodSync(path, 0o600);
      return;
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE" || attempt > 1) throw socketRefused(path, message, cause);
    } finally {
      process.umask(mask);
    }
    if (await isListening(path)) throw running(path);
    if (!(await removeLeftSocket(path)))
      throw socketRefused(path, "there is a file of that name, and it is no socket");
  }
}

function running(path: string): ProteusError {
  return new ProteusError({
    code: "CONTROL_RUNNING",
    exit: exitCodes.failed,
    message: "a control daemon runs already",
    why: `it answers at ${path}`,
    unchanged: "it runs on, and no other was started",
    hint: "ask it with proteus control status; for a second one set control.socket and control.store",
  });
}

/** Rejects with CONTROL_RUNNING when a daemon answers at a socket: before anything is begun. */
export async function requireFree(path: string): Promise<void> {
  if (await isListening(path)) throw running(path);
}
