// Calls with ordinary bytes and promises, on top of a Kernel's callbacks. Services: service.ts.
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
import { putBytes, takeBytes } from "./bytes.js";
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
  /**
   * The reply's data is lent and not copied: it is a view of the kernel's memory until the function
   * is called that `lend` is told. Not through a control daemon, which copies.
   */
  readonly lend?: (giveBack: () => void) => void;
}

export interface Reply {
  readonly header: Header;
  readonly data: Uint8Array;
}

/** Makes one call, by whatever way: `trans` on a kernel of one's own, or through a control daemon. */
export type Transact = (
  header: Partial<Header> & { readonly port: Uint8Array },
  data: Uint8Array,
  options: CallOptions,
) => Promise<Reply>;

/** A field of a header: as many bytes as it has, zeros for what is left out. */
function putField(to: Uint8Array, at: number, from: Uint8Array | undefined, count: number): void {
  for (let index = 0; index < count; index++) to[at + index] = from?.[index] ?? 0;
}

/** Writes a header at an address of the kernel's memory; what is left out is zero. */
export function writeHeader(kernel: Kernel, at: number, header: Partial<Header>): void {
  const { bytes, view } = kernel;
  putField(bytes, at + format.HEADER_PORT_AT, header.port, format.PORT_BYTES);
  putField(bytes, at + format.HEADER_SIGNATURE_AT, undefined, format.PORT_BYTES);
  putField(bytes, at + format.HEADER_PRIVATE_AT, header.private, format.PRIVATE_BYTES);
  view.setUint16(at + format.HEADER_COMMAND_AT, (header.command ?? header.status ?? 0) & 0xffff, true);
  view.setInt32(at + format.HEADER_OFFSET_AT, header.offset ?? 0, true);
  view.setUint16(at + format.HEADER_SIZE_AT, (header.size ?? 0) & 0xffff, true);
  view.setUint16(at + format.HEADER_EXTRA_AT, (header.extra ?? 0) & 0xffff, true);
}

/** Reads the header at an address. */
export function readHeader(kernel: Kernel, at: number): Header {
  const { bytes, view } = kernel;
  return {
    port: takeBytes(bytes, at + format.HEADER_PORT_AT, format.PORT_BYTES),
    private: takeBytes(bytes, at + format.HEADER_PRIVATE_AT, format.PRIVATE_BYTES),
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

const nothing = new Uint8Array(0);
/** Where a call's reply header and options record lie behind its request header. */
const replyAt = HEADER;
const optionsAt = 2 * HEADER;

/**
 * Calls a server. Resolves with its reply, whatever its status; rejects with ProteusError
 * (RPC_NOTFOUND: certainly not executed; RPC_FAILURE: it may have been).
 */
export function trans(
  kernel: Kernel,
  header: Partial<Header> & { readonly port: Uint8Array },
  data: Uint8Array = nothing,
  options: CallOptions = {},
): Promise<Reply> {
  return transTo(kernel, header, data, options, itself);
}

const itself = (reply: Reply): Reply => reply;

/** As trans, and resolves with what `take` makes of the reply, or rejects with what it throws. */
export function transTo<Result>(
  kernel: Kernel,
  header: Partial<Header> & { readonly port: Uint8Array },
  data: Uint8Array,
  options: CallOptions,
  take: (reply: Reply) => Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const capacity = options.replyBytesMax ?? 65536;
    const { buffers } = kernel;
    const headers = buffers.take(optionsAt + OPTION_BYTES);
    let request = headers;
    let reply = headers;
    try {
      if (data.length > 0) request = buffers.take(data.length);
      if (capacity > 0) reply = buffers.take(capacity);
    } catch (error) {
      if (request !== headers) buffers.give(request);
      buffers.give(headers);
      throw error;
    }
    writeHeader(kernel, headers, header);
    if (data.length > 0) putBytes(kernel.bytes, request, data);
    const record = writeOptions(kernel, headers + optionsAt, options);
    const { lend } = options;
    const done = (status: number, length: number) => {
      let isLent = false;
      try {
        if (status < 0) throw statusError(status, "the call");
        const answered = readHeader(kernel, headers + replyAt);
        isLent = lend !== undefined && reply !== headers && answered.status >= 0;
        const data = isLent
          ? kernel.bytes.subarray(reply, reply + length)
          : takeBytes(kernel.bytes, reply, length);
        resolve(take({ header: answered, data }));
      } catch (error) {
        isLent = false;
        reject(error);
      }
      buffers.give(headers);
      if (request !== headers) buffers.give(request);
      if (isLent) lend?.(() => buffers.give(reply));
      else if (reply !== headers) buffers.give(reply);
    };
    const handle = kernel.trans(
      headers,
      request,
      data.length,
      headers + replyAt,
      reply,
      capacity,
      record,
      done,
    );
    if (handle < 0) done(handle, 0);
  });
}
