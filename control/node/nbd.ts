// Where disks are served by NBD: a Unix socket, TCP, or a listening socket that was inherited from
// a process in another network namespace.
//
// - A Unix socket has mode 0600: who may connect is its user. What a dead process left there is
//   replaced, a living one's socket is not. TCP is loopback unless another host is named; beyond that
//   TLS with certificates of clients says who may connect (SECURITY.md).
// - Connections are bounded, and so is the time until a client has chosen an export.
// - `close` takes no more clients and requests, answers what is under way, and removes the socket; a
//   client that does not take its answers holds it up for `drainMs` only.

import { chmodSync } from "node:fs";
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { createSecureContext, type TlsOptions } from "node:tls";
import { isMainThread } from "node:worker_threads";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { Buffers } from "../server/disk/nbd/buffers.js";
import { NbdConnection } from "../server/disk/nbd/connection.js";
import { type NbdExport, NbdExports } from "../server/disk/nbd/exports.js";
import { removeLeftSocket } from "./left-socket.js";
import { type NbdAddress, nbdAddressText } from "./nbd-address.js";
import { NbdSocket } from "./nbd-socket.js";

export type NbdListen =
  | NbdAddress
  /** A socket that listens already. */
  | { readonly kind: "descriptor"; readonly descriptor: number };

export interface NbdTls {
  /** PEM texts. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Whose certificates clients have to show; without it any client may use TLS. */
  readonly clientAuthority?: string | Buffer;
  /** Nothing is served without TLS. */
  readonly required: boolean;
}

export interface NbdServeOptions {
  readonly listen: NbdListen;
  readonly exports: readonly NbdExport[];
  readonly tls?: NbdTls;
  readonly connectionsMax?: number;
  /** Until a client has to have chosen an export. */
  readonly handshakeMs?: number;
  readonly drainMs?: number;
  /** A disk's call failed, or the listening socket did. */
  readonly failed?: (error: unknown) => void;
  /** A client was disconnected for what it sent. */
  readonly dropped?: (why: string) => void;
}

export interface NbdServer {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly address: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  add(entry: NbdExport): void;
  /** Ends the connections that have it; resolves when none of their requests is under way. */
  remove(name: string): Promise<void>;
  /** Clients that have chosen this export. */
  connections(name: string): number;
  close(): Promise<void>;
}

const defaults = { connectionsMax: 64, handshakeMs: 10_000, drainMs: 5000 };

interface Client {
  readonly connection: NbdConnection;
  readonly socket: NbdSocket;
  entry: NbdExport | null;
  readonly ended: Promise<void>;
}

/** Serves until it is closed. Rejects with NBD_LISTEN or NBD_TLS. */
export async function serveNbd(options: NbdServeOptions): Promise<NbdServer> {
  const running = new Running(options);
  await running.listen();
  return running;
}

class Running implements NbdServer {
  address = "";
  port = 0;
  readonly #options: NbdServeOptions & typeof defaults;
  readonly #exports = new NbdExports();
  readonly #buffers = new Buffers();
  readonly #clients = new Set<Client>();
  readonly #server: Server;
  readonly #tls: TlsOptions | null;
  #closing: Promise<void> | null = null;

  constructor(options: NbdServeOptions) {
    this.#options = { ...defaults, ...options };
    for (const entry of options.exports) this.add(entry);
    this.#tls = options.tls === undefined ? null : tlsOptions(options.tls);
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket),
    );
    this.#server.maxConnections = this.#options.connectionsMax;
  }

  async listen(): Promise<void> {
    const { listen, failed } = this.#options;
    if (listen.kind === "unix" && !(await removeLeftSocket(listen.path)))
      throw refused(listen, "another program listens there, or it is no socket");
    try {
      await listening(this.#server, listen);
    } catch (cause) {
      throw refused(listen, (cause as Error).message, cause);
    }
    this.#server.on("error", (error) => failed?.(error));
    const bound = this.#server.address();
    this.port = bound !== null && typeof bound === "object" ? bound.port : 0;
    this.address = addressOf(bound);
  }

  add(entry: NbdExport): void {
    this.#exports.add(entry);
  }

  async remove(name: string): Promise<void> {
    const entry = this.#exports.find(name);
    this.#exports.delete(name);
    await this.#drain([...this.#clients].filter((client) => client.entry === entry && entry !== undefined));
  }

  connections(name: string): number {
    return [...this.#clients].filter(({ entry }) => entry?.name === name).length;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await this.#drain([...this.#clients]);
    await closed;
  }

  /** Lets clients finish; those that do not take their answers in time are cut off. */
  async #drain(clients: readonly Client[]): Promise<void> {
    for (const { connection } of clients) connection.finish();
    const timer = setTimeout(() => {
      for (const { socket } of clients) socket.destroy();
    }, this.#options.drainMs);
    await Promise.all(clients.map(({ ended }) => ended));
    await Promise.all(clients.map(({ socket }) => socket.closed));
    clearTimeout(timer);
  }

  #accept(socket: Socket): void {
    const { tls, failed, dropped, handshakeMs } = this.#options;
    const patience = setTimeout(() => {
      dropped?.("it has not chosen an export in time");
      transport.destroy();
    }, handshakeMs);
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const transport: NbdSocket = new NbdSocket(socket, this.#tls, {
      received: (bytes) => connection.receive(bytes),
      room: () => connection.room(),
      filled: (bytes) => connection.filled(bytes),
      secured: () => connection.secured(),
      clientEnded: () => connection.clientEnded(),
      gone: () => {
        clearTimeout(patience);
        connection.gone();
      },
    });
    const connection: NbdConnection = new NbdConnection({
      exports: this.#exports,
      tls: tls === undefined ? "none" : tls.required ? "required" : "offered",
      transport,
      buffers: this.#buffers,
      later: setImmediate,
      chosen: (entry) => {
        clearTimeout(patience);
        client.entry = entry;
      },
      failed: (error) => failed?.(error),
      dropped: (why) => dropped?.(why),
      ended: () => {
        this.#clients.delete(client);
        end();
      },
    });
    const client: Client = { connection, socket: transport, entry: null, ended };
    this.#clients.add(client);
    connection.begin();
  }
}

function listening(server: Server, listen: NbdListen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    if (listen.kind !== "unix") {
      server.listen(listenOptions(listen));
      return;
    }
    // Nobody else may get in between the socket's birth and its mode.
    const before = isMainThread ? process.umask(0o177) : 0;
    try {
      server.listen(listen.path);
    } finally {
      if (isMainThread) process.umask(before);
    }
    if (server.listening) chmodSync(listen.path, 0o600);
  });
}

function listenOptions(listen: Exclude<NbdListen, { kind: "unix" }>): ListenOptions | { fd: number } {
  if (listen.kind === "descriptor") return { fd: listen.descriptor };
  return { host: listen.host ?? "127.0.0.1", port: listen.port };
}

function addressOf(bound: string | AddressInfo | null): string {
  if (bound === null) return "";
  if (typeof bound === "string") return nbdAddressText({ kind: "unix", path: bound });
  return nbdAddressText({ kind: "tcp", host: bound.address, port: bound.port });
}

function tlsOptions({ cert, key, clientAuthority }: NbdTls): TlsOptions {
  const asked = clientAuthority === undefined ? {} : { ca: clientAuthority };
  try {
    createSecureContext({ cert, key, ...asked });
  } catch (cause) {
    throw new ProteusError({
      code: "NBD_TLS",
      exit: exitCodes.usage,
      message: "the certificate of the NBD server or its key cannot be used",
      why: (cause as Error).message,
      unchanged: "nothing is exported",
      hint: "give PEM files, and the key that belongs to the certificate",
      cause,
    });
  }
  const isAsking = clientAuthority !== undefined;
  return { cert, key, ...asked, requestCert: isAsking, rejectUnauthorized: isAsking, minVersion: "TLSv1.2" };
}

function refused(listen: NbdListen, why: string, cause?: unknown): ProteusError {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  const place =
    listen.kind === "unix"
      ? listen.path
      : listen.kind === "tcp"
        ? `${listen.host ?? "127.0.0.1"}:${listen.port}`
        : `descriptor ${listen.descriptor}`;
  return new ProteusError({
    code: "NBD_LISTEN",
    exit: code === "EACCES" || code === "EPERM" ? exitCodes.denied : exitCodes.failed,
    message: `no NBD server can listen at ${place}`,
    why: code === "EADDRINUSE" ? "another program listens there" : why,
    unchanged: "nothing is exported",
    hint: "give another address with --nbd",
    cause,
  });
}
