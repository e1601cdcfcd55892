// Services: threads that wait for requests to a port, and hand them to a handler.
//
// - Requests and replies lie in the kernel's memory; nothing is allocated for a call.
// - A reply's buffers are the kernel's until it is acknowledged; then the thread takes the
//   next request with them.

import { HEADER } from "../../core-wasm/wire/formats.js";
import { statusError } from "./errors.js";
import type { Kernel } from "./kernel.js";

/** One request as a service sees it; buffers are addresses in the kernel's memory. */
export interface Request {
  readonly handle: number;
  readonly kernel: Kernel;
  /** Address of the 32-byte header: read it, and write the reply's there. */
  readonly header: number;
  /** Address and length of the data; the reply's data may be written over it. */
  readonly data: number;
  readonly length: number;
  readonly capacity: number;
  /** Whose request it is: the FLIP address of the caller's kernel, until the reply is given. */
  readonly source: bigint;
}

/** How a reply is given: `data` defaults to the request's own buffer. Called once a request. */
export type GiveReply = (size: number, data?: number) => void;

/** Serves one request, now or later. */
export type Handler = (request: Request, reply: GiveReply) => void;

export interface ServiceOptions {
  /** Requests that can wait or be served at the same time; default 4. */
  readonly threads?: number;
  /** Largest request taken; more is cut off. Default 64 KiB. */
  readonly requestBytesMax?: number;
}

/** What the threads of a service have in common. */
interface Served {
  readonly kernel: Kernel;
  readonly getPort: Uint8Array;
  readonly handler: Handler;
  readonly capacity: number;
}

/**
 * One thread of a service: takes a request, has it served, replies, takes the next. It is
 * the request that the handler sees; nothing is allocated for a call.
 */
class ServiceThread implements Request {
  readonly kernel: Kernel;
  readonly capacity: number;
  readonly header: number;
  readonly data: number;
  handle = -1;
  length = 0;
  /** Who has the buffers; nobody: they are given back. */
  #owner: "kernel" | "handler" | "nobody" = "kernel";
  #closed = false;
  readonly #served: Served;

  constructor(served: Served) {
    this.#served = served;
    this.kernel = served.kernel;
    this.capacity = served.capacity;
    this.header = served.kernel.buffers.take(HEADER);
    this.data = served.kernel.buffers.take(served.capacity);
  }

  get source(): bigint {
    return this.kernel.source(this.handle);
  }

  /** Waits for a request. A status below zero: it does not, and has no buffers any more. */
  listen(): number {
    const { kernel, header } = this;
    const { getPort } = this.#served;
    for (let i = 0; i < getPort.length; i++) kernel.bytes[header + i] = getPort[i] as number;
    this.#owner = "kernel";
    this.handle = kernel.getreq(header, this.data, this.capacity, this.#requested);
    if (this.handle < 0) this.#release();
    return this.handle;
  }

  // Made once a thread and not once a request: these are the path of every call.
  readonly #requested = (status: number, length: number): void => {
    if (status < 0 || this.#closed) {
      this.#release();
      return;
    }
    this.length = length;
    this.#owner = "handler";
    this.#served.handler(this, this.#reply);
  };

  readonly #reply = (size: number, data = this.data): void => {
    if (this.#owner !== "handler") return;
    this.#owner = "kernel";
    if (this.#closed || this.kernel.putrep(this.handle, this.header, data, size, this.#replied) < 0)
      this.#replied();
  };

  /** The reply is acknowledged or given up: the buffers take the next request. */
  readonly #replied = (): void => {
    if (this.#closed) this.#release();
    else this.listen();
  };

  #release(): void {
    this.#owner = "nobody";
    this.kernel.buffers.give(this.header);
    this.kernel.buffers.give(this.data);
  }

  /** Ends it. Buffers that the handler has are given back when it replies. */
  close(): void {
    if (this.#closed || this.#owner === "nobody") return;
    this.#closed = true;
    const killed = this.kernel.kill(this.handle) >= 0;
    // Not killed: it had ended just now, and its callback is on its way.
    if (killed && this.#owner === "kernel") this.#release();
  }
}

/** A running service: get-port, threads of service, and how to end it. */
export class Service {
  readonly putPort: Uint8Array;
  readonly #threads: ServiceThread[] = [];

  /** Begins to listen. Throws ProteusError when the port or thread table or the memory is full. */
  constructor(kernel: Kernel, getPort: Uint8Array, handler: Handler, options: ServiceOptions = {}) {
    const served = { kernel, getPort, handler, capacity: options.requestBytesMax ?? 65536 };
    this.putPort = kernel.publicPort(getPort);
    try {
      for (let i = 0; i < (options.threads ?? 4); i++) {
        const thread = new ServiceThread(served);
        const status = thread.listen();
        if (status < 0) throw statusError(status, "listening to the port");
        this.#threads.push(thread);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Stops listening; requests being served are given up (their clients get RPC_FAILURE). */
  close(): void {
    for (const thread of this.#threads) thread.close();
  }
}
