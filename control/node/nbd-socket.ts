// The way to one NBD client: a socket, plain or with TLS that begins in the middle (STARTTLS).
//
// - All chunks of a send go to the system in one call.
// - Half a close is a client that sends nothing more: what it asked for is still answered.
// - A plain socket is read into one buffer that all share, and most of a large write into the write's
//   own (`room`): node otherwise makes 64 KiB for every read, which costs more than the request. It
//   has that for sockets that connect only (`onread`); for those that were accepted it is asked for
//   by the handle, and where a version of node has none, or with TLS, data comes as it always does.
// - A client's certificate is looked at before anything from inside TLS is.

import { Socket, type SocketConstructorOpts } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import type { NbdTransport } from "../server/disk/nbd/connection.js";

/** What the way has to tell. */
export interface SocketEvents {
  /** The bytes are good for the call. */
  received(bytes: Buffer): void;
  room(): Buffer | null;
  filled(bytes: number): void;
  /** TLS is on. */
  secured(): void;
  /** The client sends nothing more. */
  clientEnded(): void;
  gone(): void;
}

const keepAliveMs = 30_000;
const lingerMs = 10_000;
const sharedBytes = 256 * 1024;
let shared: Buffer | null = null;

/** The same connection as a socket that reads into our buffers; null where node has no such thing. */
function readingInto(accepted: Socket, events: SocketEvents): Socket | null {
  const holder = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
  const { _handle: handle } = holder;
  if (typeof handle?.useUserBuffer !== "function") return null;
  shared ??= Buffer.allocUnsafeSlow(sharedBytes);
  const usual = shared;
  let isMade = false; // the first buffer is asked for while the socket is being made
  const options = {
    handle,
    allowHalfOpen: true,
    manualStart: true,
    onread: {
      buffer: () => (isMade ? events.room() : null) ?? usual,
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        if (buffer === usual) events.received(usual.subarray(0, bytes));
        else events.filled(bytes);
        return true;
      },
    },
  };
  holder._handle = null; // one owner
  const socket = new Socket(options as SocketConstructorOpts);
  isMade = true;
  socket.once("close", () => accepted.destroy()); // which the server counts
  return socket;
}

export class NbdSocket implements NbdTransport {
  readonly #socket: Socket;
  readonly #tls: TlsOptions | null;
  readonly #events: SocketEvents;
  /** What is spoken through: the socket, later TLS on it. */
  #way: Socket;

  /** @param accepted a socket that has not begun to read */
  constructor(accepted: Socket, tls: TlsOptions | null, events: SocketEvents) {
    const direct = tls === null ? readingInto(accepted, events) : null;
    const socket = direct ?? accepted;
    this.#socket = socket;
    this.#way = socket;
    this.#tls = tls;
    this.#events = events;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs); // a client whose machine is gone gives its place back
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", () => events.gone());
    this.#listen(socket);
    socket.resume();
  }

  /** Closed, both ways. */
  get closed(): Promise<void> {
    const socket = this.#socket;
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once("close", () => resolve());
    });
  }

  send(chunks: readonly Buffer[], sent: () => void): void {
    const way = this.#way;
    const [first] = chunks;
    if (chunks.length === 1 && first !== undefined) {
      way.write(first, sent);
      return;
    }
    way.cork();
    for (const [index, chunk] of chunks.entries()) {
      if (index < chunks.length - 1) way.write(chunk);
      else way.write(chunk, sent);
    }
    way.uncork();
  }

  pause(): void {
    this.#way.pause();
  }

  resume(): void {
    this.#way.resume();
  }

  startTls(): void {
    this.#socket.pause();
    this.#socket.removeAllListeners("data");
    this.#socket.removeAllListeners("end");
    this.#socket.write("", () => this.#wrap()); // behind the reply, which goes out as it is
  }

  /** A client that is told so and stays is cut off after a while. */
  end(): void {
    this.#way.end();
    const patience = setTimeout(() => this.destroy(), lingerMs);
    this.#socket.once("close", () => clearTimeout(patience));
  }

  destroy(): void {
    this.#way.destroy();
    this.#socket.destroy();
  }

  #listen(way: Socket): void {
    way.on("data", (bytes) => this.#events.received(bytes));
    way.on("end", () => this.#events.clientEnded());
  }

  #wrap(): void {
    if (this.#socket.destroyed || this.#tls === null) {
      this.destroy();
      return;
    }
    const server = createServer({ ...this.#tls, allowHalfOpen: true });
    server.on("tlsClientError", () => this.destroy());
    server.on("secureConnection", (secure: TLSSocket) => {
      secure.on("error", () => undefined);
      secure.on("close", () => this.#socket.destroy());
      this.#way = secure;
      this.#events.secured();
      this.#listen(secure);
    });
    server.emit("connection", this.#socket);
  }
}
