// The way to one NBD client: a socket, plain or with TLS that begins in the middle (STARTTLS).
//
// - All chunks of a send go to the system in one call.
// - Half a close is a client that sends nothing more: what it asked for is still answered.
// - A client's certificate is looked at before anything from inside TLS is.

import type { Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import type { NbdTransport } from "../server/disk/nbd/connection.js";

/** What the way has to tell. */
export interface SocketEvents {
  received(bytes: Buffer): void;
  /** TLS is on. */
  secured(): void;
  /** The client sends nothing more. */
  clientEnded(): void;
  gone(): void;
}

export class NbdSocket implements NbdTransport {
  readonly #socket: Socket;
  readonly #tls: TlsOptions | null;
  readonly #events: SocketEvents;
  /** What is spoken through: the socket, later TLS on it. */
  #way: Socket;

  constructor(socket: Socket, tls: TlsOptions | null, events: SocketEvents) {
    this.#socket = socket;
    this.#way = socket;
    this.#tls = tls;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", () => events.gone());
    this.#listen(socket);
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

  end(): void {
    this.#way.end();
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
