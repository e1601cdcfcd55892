// `proteus disk export --on NODE`: a pool machine exports the disk itself.
//
// - Of the machine that serves the disk nothing goes over the network but what the other members are
//   given; while another one serves it, the machine asks that one.
// - The export ends with the machine's process: a client has to connect again, there or elsewhere.

import { resolve } from "node:path";
import type { WantedExport } from "../../interface/disk.js";
import { usageError } from "../../kernel/errors.js";
import { nbdAddressText, parseNbdAddress } from "../../node/nbd-address.js";
import { emit } from "../output.js";
import { type DiskOptions, type DiskSession, diskCalls, findStorage, onDisks, serverOf } from "./session.js";

export interface ExportOptions extends DiskOptions {
  readonly nbd: string;
  readonly readOnly: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsCa?: string | undefined;
  /** The pool machine that is to export it itself. */
  readonly on?: string | undefined;
}

export interface UnexportOptions extends DiskOptions {
  readonly on?: string | undefined;
}

/** A socket's path counts from here, whatever folder the program is in. */
export function placeOf(text: string) {
  const address = parseNbdAddress(text);
  return address.kind === "unix" ? { ...address, path: resolve(address.path) } : address;
}

export const ended = (name: string): string => `${name} is not exported any more`;

const callsOf = (session: DiskSession, node: string) =>
  diskCalls(session, serverOf(session, node).capability);

export async function exportOn(node: string, name: string, options: ExportOptions): Promise<void> {
  const nbd = nbdAddressText(placeOf(options.nbd));
  const { readOnly, json } = options;
  const where = await onDisks(options, async (session) => {
    const storage = await findStorage(session, name);
    const wanted: WantedExport = { name: storage.name, nbd, readOnly, ...tlsFiles(options) };
    return (await callsOf(session, node).export({ export: wanted })).address;
  });
  emit("disk export", json, { name, node, address: where }, () => where);
}

/** Paths of the files for TLS: a machine that exports a disk itself reads its own. */
export function tlsFiles({ tlsCert, tlsKey, tlsCa }: ExportOptions): Pick<WantedExport, "tls"> {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined)
    throw usageError("TLS takes a certificate and its key", "--tls-cert FILE --tls-key FILE");
  const authority = tlsCa === undefined ? {} : { authority: resolve(tlsCa) };
  return { tls: { cert: resolve(tlsCert), key: resolve(tlsKey), ...authority } };
}

export async function unexportOn(node: string, name: string, options: UnexportOptions): Promise<void> {
  const { address } = await onDisks(options, (session) => callsOf(session, node).unexport({ name }));
  emit("disk unexport", options.json, { name, node, address }, () => ended(name));
}
