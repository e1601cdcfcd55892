// What programs do with a kernel: make a call, serve a port. Buffers come from the
// kernel's own memory and go back there; nothing here waits.
//
// - Data that is borrowed lies in the kernel's memory and counts until the callback returns;
//   else it is the program's own.
// - A call ends once, with a status, the reply's header and its data.
// - A server thread takes its next request when its reply was acknowledged.

import type { Kernel } from "../../control/kernel/kernel.js";
import { RPC_TRYAGAIN } from "../../core-wasm/status.js";
import { HEADER } from "../../core-wasm/wire/formats.js";
import type { Machine } from "./machine.js";

/** The 32-byte header of a message, as far as these programs use it. */
export interface MessageHeader {
  readonly port: Uint8Array;
  readonly private?: Uint8Array;
  readonly command: number;
  readonly offset: number;
  readonly size: number;
  readonly extra: number;
}

export interface CallOptions {
  readonly locateTimeoutMs?: number;
  readonly pollMs?: number;
  readonly deadMs?: number;
}

export interface CallRequest extends Partial<Omit<MessageHeader, "port">> {
  /** The put-port. */
  readonly port: Uint8Array;
  readonly data?: Uint8Array;
  readonly replyCapacity?: number;
  /** Only lend me the reply's data. */
  readonly borrow?: boolean;
  readonly options?: CallOptions;
}

export interface CallEnd {
  readonly status: number;
  readonly header: MessageHeader;
  readonly data: Uint8Array;
  /** Microseconds of virtual time from trans to its end. */
  readonly took: number;
}

export interface Incoming {
  readonly header: MessageHeader;
  readonly data: Uint8Array;
  readonly machine: Machine;
  readonly handle: number;
}

export interface Outgoing extends Partial<MessageHeader> {
  readonly data?: Uint8Array;
}

/** Handles one request; calls `reply` once, now or later. */
export type Handler = (request: Incoming, reply: (outgoing: Outgoing) => void) => void;

/** Writes a header at an address of the kernel's memory; what is left out is zero. */
export function writeHeader(kernel: Kernel, at: number, header: Partial<MessageHeader>): void {
  kernel.bytes.fill(0, at, at + HEADER);
  if (header.port !== undefined) kernel.bytes.set(header.port, at);
  if (header.private !== undefined) kernel.bytes.set(header.private, at + 12);
  kernel.view.setUint16(at + 22, header.command ?? 0, true);
  kernel.view.setInt32(at + 24, header.offset ?? 0, true);
  kernel.view.setUint16(at + 28, header.size ?? 0, true);
  kernel.view.setUint16(at + 30, header.extra ?? 0, true);
}

function readHeader(kernel: Kernel, at: number): MessageHeader {
  return {
    port: kernel.bytes.slice(at, at + 6),
    private: kernel.bytes.slice(at + 12, at + 22),
    command: kernel.view.getUint16(at + 22, true),
    offset: kernel.view.getInt32(at + 24, true),
    size: kernel.view.getUint16(at + 28, true),
    extra: kernel.view.getUint16(at + 30, true),
  };
}

function writeOptions(kernel: Kernel, at: number, options: CallOptions): void {
  kernel.view.setUint32(at, options.locateTimeoutMs ?? 0, true);
  kernel.view.setUint32(at + 4, options.pollMs ?? 0, true);
  kernel.view.setUint32(at + 8, options.deadMs ?? 0, true);
}

/** Begins a call on a machine that runs. Answers its handle, or the status it ended with at once. */
export function callOn(machine: Machine, request: CallRequest, done: (end: CallEnd) => void): number {
  const kernel = machine.running;
  const { buffers, bytes } = kernel;
  const started = machine.world.now;
  const data = request.data ?? new Uint8Array(0);
  const capacity = request.replyCapacity ?? data.length;
  const head = buffers.take(128);
  const body = data.length > 0 ? buffers.take(data.length) : 0;
  const room = capacity > 0 ? buffers.take(capacity) : 0;
  writeHeader(kernel, head, { size: data.length & 0xffff, ...request });
  bytes.set(data, body);
  writeOptions(kernel, head + 64, request.options ?? {});
  const end = (status: number, length: number): void => {
    const lent = bytes.subarray(room, room + length);
    const reply = request.borrow === true ? lent : lent.slice();
    done({ status, header: readHeader(kernel, head + 32), data: reply, took: machine.world.now - started });
    buffers.give(head);
    if (body > 0) buffers.give(body);
    if (room > 0) buffers.give(room);
  };
  const handle = kernel.trans(head, body, data.length, head + 32, room, capacity, head + 64, end);
  if (handle < 0) end(handle, 0);
  return handle;
}

/** One thread that serves a get-port until its machine crashes. */
export function serveOn(
  machine: Machine,
  getPort: Uint8Array,
  capacity: number,
  handler: Handler,
  borrow = false,
): void {
  const kernel = machine.running;
  const { buffers } = kernel;
  const head = buffers.take(64);
  const room = buffers.take(capacity);
  const alive = (): boolean => machine.kernel === kernel;

  const wait = (): void => {
    writeHeader(kernel, head, { port: getPort });
    const handle = kernel.getreq(head, room, capacity, (status, length, given) => {
      if (status < 0) return;
      const lent = kernel.bytes.subarray(room, room + length);
      const data = borrow ? lent : lent.slice();
      const request = { header: readHeader(kernel, head), data, machine, handle: given };
      handler(request, (outgoing) => alive() && answer(given, outgoing));
    });
    if (handle === RPC_TRYAGAIN) machine.world.after(1000, () => alive() && wait());
    else if (handle < 0) throw new Error(`getreq answered ${handle}`);
  };

  const answer = (handle: number, outgoing: Outgoing): void => {
    const data = outgoing.data ?? new Uint8Array(0);
    const body = data.length > 0 ? buffers.take(data.length) : 0;
    kernel.bytes.set(data, body);
    writeHeader(kernel, head + 32, { size: data.length & 0xffff, ...outgoing });
    const status = kernel.putrep(handle, head + 32, body, data.length, () => {
      if (body > 0) buffers.give(body);
      if (alive()) wait();
    });
    if (status < 0)
      throw new Error(`${machine.name}: putrep on ${handle} answered ${status} at ${machine.world.now}`);
  };

  wait();
}
