// A request of the transmission phase: its header, where it is, and what may be in it.
//
// - An offset that no double holds exactly is beyond every disk; its words are kept for the reply.
// - Requests are used again: one object carries one request after the other, with the two functions
//   that end it.

import * as nbd from "./protocol.js";

export const REQUEST_BYTES = 28;
export const EXTENDED_REQUEST_BYTES = 32;

const word = 0x1_0000_0000;

export class Request {
  type = 0;
  flags = 0;
  cookieHigh = 0;
  cookieLow = 0;
  offsetHigh = 0;
  offsetLow = 0;
  offset = 0;
  length = 0;
  /** Bytes that follow the header. */
  payload = 0;
  /** Of a write what is written, of a read what was read. */
  data: Buffer | null = null;
  /** `data` goes back to the buffers at the end. */
  isPooled = false;
  /** Its share of what may be under way. */
  held = 0;
  readonly succeeded: () => void;
  readonly failed: (error: unknown) => void;

  constructor(ended: (request: Request, error: unknown, isFailed: boolean) => void) {
    this.succeeded = () => ended(this, null, false);
    this.failed = (error) => ended(this, error, true);
  }

  /** Takes a header. False: it is none. */
  read(from: Buffer, at: number, isExtended: boolean): boolean {
    if (from.readUInt32BE(at) !== (isExtended ? nbd.EXTENDED_REQUEST_MAGIC : nbd.REQUEST_MAGIC)) return false;
    this.flags = from.readUInt16BE(at + 4);
    this.type = from.readUInt16BE(at + 6);
    this.cookieHigh = from.readUInt32BE(at + 8);
    this.cookieLow = from.readUInt32BE(at + 12);
    this.offsetHigh = from.readUInt32BE(at + 16);
    this.offsetLow = from.readUInt32BE(at + 20);
    this.offset = this.offsetHigh * word + this.offsetLow;
    this.length = isExtended
      ? from.readUInt32BE(at + 24) * word + from.readUInt32BE(at + 28)
      : from.readUInt32BE(at + 24);
    const hasPayload = this.type === nbd.CMD_WRITE || (isExtended && this.has(nbd.CMD_FLAG_PAYLOAD_LEN));
    this.payload = hasPayload ? this.length : 0;
    return true;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}

/** What is negotiated and what is served, as far as requests are judged by it. */
export interface Terms {
  readonly isStructured: boolean;
  readonly isExtended: boolean;
  readonly isReadOnly: boolean;
  readonly hasContexts: boolean;
  readonly bytes: number;
  readonly payloadBytesMax: number;
}

function flagsAllowed(type: number, { isStructured, isExtended }: Terms): number {
  switch (type) {
    case nbd.CMD_READ:
      return nbd.CMD_FLAG_FUA | (isStructured ? nbd.CMD_FLAG_DF : 0);
    case nbd.CMD_WRITE:
      return nbd.CMD_FLAG_FUA | (isExtended ? nbd.CMD_FLAG_PAYLOAD_LEN : 0);
    case nbd.CMD_WRITE_ZEROES:
      return nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FAST_ZERO;
    case nbd.CMD_BLOCK_STATUS:
      return nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_REQ_ONE;
    default:
      return nbd.CMD_FLAG_FUA;
  }
}

/** Why a request is refused: the protocol's number, or 0 when it is not. */
export function refusal(request: Request, terms: Terms): number {
  const { type, offset, length } = request;
  if ((request.flags & ~flagsAllowed(type, terms)) !== 0) return nbd.EINVAL;
  const isBeyond = offset + length > terms.bytes;
  switch (type) {
    case nbd.CMD_READ:
    case nbd.CMD_CACHE:
      return isBeyond || length > terms.payloadBytesMax ? nbd.EINVAL : 0;
    case nbd.CMD_WRITE:
      return terms.isReadOnly ? nbd.EPERM : isBeyond ? nbd.ENOSPC : 0;
    case nbd.CMD_WRITE_ZEROES:
      if (terms.isReadOnly) return nbd.EPERM;
      if (isBeyond) return nbd.ENOSPC;
      // Room that stays reserved has to be written; what is given back is only noted.
      return request.has(nbd.CMD_FLAG_FAST_ZERO) && request.has(nbd.CMD_FLAG_NO_HOLE) ? nbd.ENOTSUP : 0;
    case nbd.CMD_TRIM:
      return terms.isReadOnly ? nbd.EPERM : isBeyond ? nbd.EINVAL : 0;
    case nbd.CMD_FLUSH:
      return offset !== 0 || length !== 0 ? nbd.EINVAL : 0;
    case nbd.CMD_BLOCK_STATUS:
      return isBeyond || length === 0 || !terms.hasContexts ? nbd.EINVAL : 0;
    default:
      return nbd.EINVAL;
  }
}
