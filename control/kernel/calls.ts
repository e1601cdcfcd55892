// Calls and services with ordinary bytes and promises, on top of a Kernel's callbacks.
//
// - Header: the message header of Amoeba (32 bytes) as an object; ports and privates are
//   bytes, the rest numbers.
// - trans copies the request into the kernel's memory and the reply out of it. For bulk
//   without copies use Kernel.trans with buffers of one's own, as control/bench does.

import {
  OPTION_BYTES,
  OPTION_DEAD_MS,
  OPTION_LOCATE_TIMEOUT_MS,
  OPTION_POLL_MS,
} from "../../core-wasm/layout.js";
import * as format from "../../core-wasm/wire/formats.js";
import { HEADER } from "../../core-wasm/wire/formats.js";
import { statusError } from "./errors.js";
import type { Kernel } from "./kernel.js";

/** A message header. */
export interface Header {
  /** 6 bytes: the put-port of a call. */
  readonly port: Uint8Array;
  /** 10 bytes: the private part of the object's capability. */
  readonly private: Uint8Array;
  /** Command of a request, u16. */
  readonly command: number;
  /** Status of a reply, i16: the same field. */
  readonly status: number;
  readonly offset: number;
  readonly size: number;
  readonly extra: number;
}

export interface CallOptions {
  /** How long to look for the port; default 5,200 ms. */
  readonly locateTimeoutMs?: number;
  /** Silence before the server is asked whether it lives; default 500 ms. */
  readonly pollMs?: number;
  /** Silence before it is taken for dead; default 2,000 ms. */
  readonly deadMs?: number;
  /** Largest reply taken; default 64 KiB. */
  readonly replyBytesMax?: number;
}

export interface Reply {
  readonly header: Header;
  readonly data: Uint8Array;
}

/** Writes a header at an address of the kernel's memory; what is left out is zero. */
export function writeHeader(kernel: Kernel, at: number, header: Partial<Header>): void {
  const { bytes, view } = kernel;
  bytes.fill(0, at, at + HEADER);
  if (header.port) bytes.set(header.port, at + format.HEADER_PORT_AT);
  if (header.private) bytes.set(header.private, at + format.HEADER_PRIVATE_AT);
  view.setUint16(at + format.HEADER_COMMAND_AT, (header.command ?? header.status ?? 0) & 0xffff, true);
  view.setInt32(at + format.HEADER_OFFSET_AT, header.offset ?? 0, true);
  view.setUint16(at + format.HEADER_SIZE_AT, (header.size ?? 0) & 0xffff, true);
  view.setUint16(at + format.HEADER_EXTRA_AT, (header.extra ?? 0) & 0xffff, true);
}

/** Reads the header at an address. */
export function readHeader(kernel: Kernel, at: number): Header {
  const { bytes, view } = kernel;
  return {
    port: bytes.slice(at + format.HEADER_PORT_AT, at + format.HEADER_PORT_AT + 6),
    private: bytes.slice(at + format.HEADER_PRIVATE_AT, at + format.HEADER_PRIVATE_AT + 10),
    command: view.getUint16(at + format.HEADER_COMMAND_AT, true),
    status: view.getInt16(at + format.HEADER_COMMAND_AT, true),
    offset: view.getInt32(at + format.HEADER_OFFSET_AT, true),
    size: view.getUint16(at + format.HEADER_SIZE_AT, true),
    extra: view.getUint16(at + format.HEADER_EXTRA_AT, true),
  };
}

/** Writes the options record of a call; answers its address, or 0 when all are standard. */
function writeOptions(kernel: Kernel, at: number, options: CallOptions): number {
  const { locateTimeoutMs = 0, pollMs = 0, deadMs = 0 } = options;
  if (locateTimeoutMs + pollMs + deadMs === 0) return 0;
  kernel.view.setUint32(at + OPTION_LOCATE_TIMEOUT_MS, locateTimeoutMs, true);
  kernel.view.setUint32(at + OPTION_POLL_MS, pollMs, true);
  kernel.view.setUint32(at + OPTION_DEAD_MS, deadMs, true);
  return at;
}

/**
 * Calls a server. Resolves with its reply, whatever its status; rejects with ProteusError
 * (RPC_NOTFOUND: certainly not executed; RPC_FAILURE: it may have been).
 */
export function trans(
  kernel: Kernel,
  header: Partial<Header> & { readonly port: Uint8Array },
  data: Uint8Array = new Uint8Array(0),
  options: CallOptions = {},
): Promise<Reply> {
  const capacity = options.replyBytesMax ?? 65536;
  const headers = kernel.buffers.take(2 * HEADER + OPTION_BYTES);
  const request = kernel.buffers.take(data.length);
  const reply = kernel.buffers.take(capacity);
  const release = () => {
    for (const buffer of [headers, request, reply]) kernel.buffers.give(buffer);
  };
  writeHeader(kernel, headers, header);
  kernel.bytes.set(data, request);
  const record = writeOptions(kernel, headers + 2 * HEADER, options);
  return new Promise((resolve, reject) => {
    const done = (status: number, length: number) => {
      if (status < 0) reject(statusError(status, "the call"));
      else {
        resolve({
          header: readHeader(kernel, headers + HEADER),
          data: kernel.bytes.slice(reply, reply + length),
        });
      }
      release();
    };
    const handle = kernel.trans(
      headers,
      request,
      data.length,
      headers + HEADER,
      reply,
      capacity,
      record,
      done,
    );
    if (handle < 0) done(handle, 0);
  });
}

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
