// Haggling: the options that a client sends until it has chosen an export.
//
// - One option at a time, with its data whole; every reply but that to EXPORT_NAME has a type.
// - Where TLS is required, nothing but STARTTLS and ABORT is answered before it: no export's name
//   is given away. What was agreed before TLS does not hold after it.
// - Contexts hold for the export that they were chosen of.

import { type Context, contexts, found } from "./contexts.js";
import { bytesOf, flagsOf, type NbdExport, type NbdExports } from "./exports.js";
import { PAYLOAD_BYTES_MAX } from "./limits.js";
import { contextQuery, infoQuery } from "./option-data.js";
import type { Outbox } from "./outbox.js";
import * as nbd from "./protocol.js";

/** Whether TLS is to be had, and whether a client has to use it. */
export type TlsPolicy = "none" | "offered" | "required";

/** What a connection was agreed to be. */
export interface Agreed {
  readonly entry: NbdExport;
  readonly isStructured: boolean;
  readonly isExtended: boolean;
  readonly contexts: readonly Context[];
}

export type Outcome =
  | { readonly kind: "more" }
  | { readonly kind: "tls" }
  | { readonly kind: "abort" }
  | { readonly kind: "go"; readonly agreed: Agreed }
  | { readonly kind: "drop"; readonly why: string };

const more: Outcome = { kind: "more" };
const nothing: Buffer = Buffer.alloc(0);

export class Options {
  readonly #exports: NbdExports;
  readonly #outbox: Outbox;
  readonly #tls: TlsPolicy;
  readonly #hasZeroes: boolean;
  #isSecure = false;
  #isStructured = false;
  #isExtended = false;
  #chosen: { readonly entry: NbdExport; readonly contexts: readonly Context[] } | null = null;

  /** @param hasZeroes the client wants 124 bytes of zeros after EXPORT_NAME */
  constructor(exports: NbdExports, outbox: Outbox, tls: TlsPolicy, hasZeroes: boolean) {
    this.#exports = exports;
    this.#outbox = outbox;
    this.#tls = tls;
    this.#hasZeroes = hasZeroes;
  }

  secured(): void {
    this.#isSecure = true;
    this.#isStructured = false;
    this.#isExtended = false;
    this.#chosen = null;
  }

  option(option: number, data: Buffer): Outcome {
    const isOpen = this.#tls !== "required" || this.#isSecure;
    switch (option) {
      case nbd.OPT_ABORT:
        this.#reply(option, nbd.REP_ACK);
        return { kind: "abort" };
      case nbd.OPT_STARTTLS:
        return this.#startTls(data);
      case nbd.OPT_EXPORT_NAME:
        return isOpen ? this.#exportName(data) : { kind: "drop", why: "it chose an export without TLS" };
    }
    if (!isOpen) return this.#refuse(option, nbd.REP_ERR_TLS_REQD, "send STARTTLS first");
    switch (option) {
      case nbd.OPT_LIST:
        return this.#list(data);
      case nbd.OPT_INFO:
      case nbd.OPT_GO:
        return this.#info(option, data);
      case nbd.OPT_STRUCTURED_REPLY:
      case nbd.OPT_EXTENDED_HEADERS:
        return this.#headers(option, data);
      case nbd.OPT_LIST_META_CONTEXT:
      case nbd.OPT_SET_META_CONTEXT:
        return this.#contexts(option, data);
      default:
        return this.#refuse(option, nbd.REP_ERR_UNSUP, "this server does not know that option");
    }
  }

  #startTls(data: Buffer): Outcome {
    const option = nbd.OPT_STARTTLS;
    if (this.#tls === "none")
      return this.#refuse(option, nbd.REP_ERR_POLICY, "this server has no certificate");
    if (this.#isSecure || data.length > 0)
      return this.#refuse(option, nbd.REP_ERR_INVALID, "TLS is on, or the option has data");
    this.#reply(option, nbd.REP_ACK);
    return { kind: "tls" };
  }

  #exportName(data: Buffer): Outcome {
    const entry = this.#exports.find(data.toString());
    if (entry === undefined) return { kind: "drop", why: "it chose an export that is not there" };
    const agreed = this.#agree(entry);
    const at = this.#outbox.reserve(10);
    writeSize(this.#outbox.buffer, at, entry, agreed.isStructured);
    if (this.#hasZeroes) this.#outbox.add(Buffer.alloc(124));
    return { kind: "go", agreed };
  }

  #list(data: Buffer): Outcome {
    const option = nbd.OPT_LIST;
    if (data.length > 0) return this.#refuse(option, nbd.REP_ERR_INVALID, "LIST has no data");
    for (const { name, description } of this.#exports.all()) {
      const text = Buffer.from(name);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(text.length);
      this.#reply(option, nbd.REP_SERVER, Buffer.concat([length, text, Buffer.from(description ?? "")]));
    }
    this.#reply(option, nbd.REP_ACK);
    return more;
  }

  #info(option: number, data: Buffer): Outcome {
    const query = infoQuery(data);
    if (query === null) return this.#refuse(option, nbd.REP_ERR_INVALID, "the lengths do not add up");
    const entry = this.#exports.find(query.name);
    if (entry === undefined) return this.#refuse(option, nbd.REP_ERR_UNKNOWN, "no such export");
    for (const info of new Set([nbd.INFO_EXPORT, nbd.INFO_BLOCK_SIZE, ...query.infos])) {
      const told = infoOf(info, entry, this.#isStructured);
      if (told !== null) this.#reply(option, nbd.REP_INFO, told);
    }
    this.#reply(option, nbd.REP_ACK);
    return option === nbd.OPT_GO ? { kind: "go", agreed: this.#agree(entry) } : more;
  }

  #agree(entry: NbdExport): Agreed {
    const chosen = this.#chosen?.entry === entry ? this.#chosen.contexts : [];
    return { entry, isStructured: this.#isStructured, isExtended: this.#isExtended, contexts: chosen };
  }

  #headers(option: number, data: Buffer): Outcome {
    const isExtended = option === nbd.OPT_EXTENDED_HEADERS;
    if (data.length > 0) return this.#refuse(option, nbd.REP_ERR_INVALID, "this option has no data");
    if (this.#isExtended && !isExtended)
      return this.#refuse(option, nbd.REP_ERR_EXT_HEADER_REQD, "extended headers are agreed on");
    if (this.#isExtended || (this.#isStructured && !isExtended))
      return this.#refuse(option, nbd.REP_ERR_INVALID, "that is agreed on");
    this.#isStructured = true;
    this.#isExtended = isExtended;
    this.#reply(option, nbd.REP_ACK);
    return more;
  }

  #contexts(option: number, data: Buffer): Outcome {
    const isList = option === nbd.OPT_LIST_META_CONTEXT;
    if (!isList) this.#chosen = null;
    if (!this.#isStructured) return this.#refuse(option, nbd.REP_ERR_INVALID, "send STRUCTURED_REPLY first");
    const query = contextQuery(data);
    if (query === null) return this.#refuse(option, nbd.REP_ERR_INVALID, "the lengths do not add up");
    if (query === "too many") return this.#refuse(option, nbd.REP_ERR_TOO_BIG, "too many queries");
    const entry = this.#exports.find(query.name);
    if (entry === undefined) return this.#refuse(option, nbd.REP_ERR_UNKNOWN, "no such export");
    const chosen = found(query.queries, isList);
    for (const { id, name } of chosen) {
      const told = Buffer.alloc(4 + name.length);
      told.writeUInt32BE(isList ? 0 : id);
      told.write(name, 4);
      this.#reply(option, nbd.REP_META_CONTEXT, told);
    }
    if (!isList) this.#chosen = { entry, contexts: contexts.filter((context) => chosen.includes(context)) };
    this.#reply(option, nbd.REP_ACK);
    return more;
  }

  #refuse(option: number, type: number, message: string): Outcome {
    this.#reply(option, type, Buffer.from(message));
    return more;
  }

  #reply(option: number, type: number, data: Buffer = nothing): void {
    const at = this.#outbox.reserve(20);
    const { buffer } = this.#outbox;
    buffer.writeUInt32BE(nbd.OPTION_REPLY_MAGIC[0], at);
    buffer.writeUInt32BE(nbd.OPTION_REPLY_MAGIC[1], at + 4);
    buffer.writeUInt32BE(option, at + 8);
    buffer.writeUInt32BE(type, at + 12);
    buffer.writeUInt32BE(data.length, at + 16);
    if (data.length > 0) this.#outbox.add(data);
  }
}

function writeSize(to: Buffer, at: number, entry: NbdExport, isStructured: boolean): void {
  to.writeBigUInt64BE(BigInt(bytesOf(entry)), at);
  to.writeUInt16BE(flagsOf(entry, isStructured), at + 8);
}

/** What is told of an export, or null for what there is nothing to tell of. */
function infoOf(info: number, entry: NbdExport, isStructured: boolean): Buffer | null {
  const text = (value: string): Buffer => {
    const told = Buffer.concat([Buffer.alloc(2), Buffer.from(value)]);
    told.writeUInt16BE(info);
    return told;
  };
  switch (info) {
    case nbd.INFO_EXPORT: {
      const told = Buffer.alloc(12);
      told.writeUInt16BE(info);
      writeSize(told, 2, entry, isStructured);
      return told;
    }
    case nbd.INFO_NAME:
      return text(entry.name);
    case nbd.INFO_DESCRIPTION:
      return entry.description === undefined ? null : text(entry.description);
    case nbd.INFO_BLOCK_SIZE: {
      const told = Buffer.alloc(14);
      told.writeUInt16BE(info);
      for (const [index, bytes] of [1, 4096, PAYLOAD_BYTES_MAX].entries())
        told.writeUInt32BE(bytes, 2 + 4 * index);
      return told;
    }
    default:
      return null;
  }
}
