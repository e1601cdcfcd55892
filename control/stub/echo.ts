// The client of the echo server: one call after the other on buffers of its own.
//
// - Callbacks, no promise: the benchmark measures the kernel and not the event loop.
// - An echo is verified byte by byte against what was sent; the pattern changes from
//   call to call, so an old reply cannot pass for a new one.

import { HEADER } from "../../core-wasm/wire/formats.js";
import { ECHO, ECHO_EXECUTIONS, ECHO_SINK, ECHO_SOURCE } from "../interface/echo.js";
import { type CallOptions, type Header, readHeader, trans, writeHeader } from "../kernel/calls.js";
import { statusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";

export type EchoKind = "echo" | "sink" | "source";

const commands: Readonly<Record<EchoKind, number>> = { echo: ECHO, sink: ECHO_SINK, source: ECHO_SOURCE };

/** What a call came to: a status below zero, or the reply's header and what is wrong with it. */
export type EchoDone = (status: number, fault: string | undefined) => void;

export class EchoClient {
  readonly #kernel: Kernel;
  readonly #port: Uint8Array;
  readonly #kind: EchoKind;
  readonly #size: number;
  readonly #headers: number;
  readonly #request: number;
  readonly #reply: number;
  #calls = 0;

  /** Calls of one kind with `size` bytes of data to a put-port. */
  constructor(kernel: Kernel, port: Uint8Array, kind: EchoKind, size: number) {
    this.#kernel = kernel;
    this.#port = port;
    this.#kind = kind;
    this.#size = size;
    this.#headers = kernel.buffers.take(2 * HEADER);
    this.#request = kernel.buffers.take(size);
    this.#reply = kernel.buffers.take(size);
    for (let i = 0; i < size; i++) kernel.bytes[this.#request + i] = (i * 7 + (i >> 8)) & 0xff;
  }

  /** One call; `done` is called when it has ended. Not again before that. */
  call(done: EchoDone): void {
    const kernel = this.#kernel;
    const sent = this.#kind === "source" ? 0 : this.#size;
    const expected = this.#kind === "sink" ? 0 : this.#size;
    this.#calls++;
    const extra = this.#calls & 0x7fff;
    if (this.#kind === "echo" && sent > 0) kernel.bytes[this.#request] = extra & 0xff;
    const offset = this.#kind === "source" ? this.#size : this.#calls;
    writeHeader(kernel, this.#headers, {
      port: this.#port,
      command: commands[this.#kind],
      offset,
      size: sent,
      extra,
    });
    const ended = (status: number, length: number) => {
      done(status, status < 0 ? undefined : this.#fault(length, expected, offset, extra));
    };
    const replyHeader = this.#headers + HEADER;
    const handle = kernel.trans(
      this.#headers,
      this.#request,
      sent,
      replyHeader,
      this.#reply,
      expected,
      0,
      ended,
    );
    if (handle < 0) done(handle, undefined);
  }

  #fault(length: number, expected: number, offset: number, extra: number): string | undefined {
    const header: Header = readHeader(this.#kernel, this.#headers + HEADER);
    if (header.status < 0) return `the server answered ${header.status}`;
    if (header.extra !== extra + 1) return "the reply belongs to another call";
    if (length !== expected) return `${length} bytes came back instead of ${expected}`;
    if (header.offset !== offset) return "the reply's offset is wrong";
    if (this.#kind !== "echo") return undefined;
    const memory = this.#kernel.memory.buffer;
    const sent = Buffer.from(memory, this.#request, length);
    const got = Buffer.from(memory, this.#reply, length);
    return sent.equals(got) ? undefined : "the data came back changed";
  }

  close(): void {
    for (const buffer of [this.#headers, this.#request, this.#reply]) this.#kernel.buffers.give(buffer);
  }
}

/** How many commands the echo server has executed. Rejects with ProteusError. */
export async function echoExecutions(
  kernel: Kernel,
  port: Uint8Array,
  options?: CallOptions,
): Promise<number> {
  const { header } = await trans(kernel, { port, command: ECHO_EXECUTIONS }, undefined, options);
  if (header.status < 0) throw statusError(header.status, "asking for the executions");
  return header.offset;
}
