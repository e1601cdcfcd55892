// Where an NBD server listens, as people write it: `unix:PATH`, `tcp:HOST:PORT`; and what clients are
// given for an export of it.
//
// - `tcp:PORT` is loopback. An IPv6 address stands in brackets. Port 0 is a free one.
// - URIs are those of the NBD URI specification: nbdinfo, nbdcopy, qemu and fio take them.

import { exitCodes, ProteusError } from "../kernel/errors.js";

export type NbdAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host?: string; readonly port: number };

const tcp = /^(?:(?:\[([0-9a-f:.%a-z]+)\]|([^\s:[\]]+)):)?([0-9]{1,5})$/i;

/** Throws NBD_ADDRESS. */
export function parseNbdAddress(text: string): NbdAddress {
  if (text.startsWith("unix:") && text.length > 5) return { kind: "unix", path: text.slice(5) };
  const found = text.startsWith("tcp:") ? tcp.exec(text.slice(4)) : null;
  const port = Number(found?.[3] ?? 65536);
  if (port < 65536) {
    const host = found?.[1] ?? found?.[2];
    return host === undefined ? { kind: "tcp", port } : { kind: "tcp", host, port };
  }
  throw new ProteusError({
    code: "NBD_ADDRESS",
    exit: exitCodes.usage,
    message: `${JSON.stringify(text)} is no address for NBD`,
    unchanged: "nothing is exported",
    hint: "write unix:PATH or tcp:HOST:PORT",
  });
}

/** As people write it. */
export function nbdAddressText(address: NbdAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host = "127.0.0.1", port } = address;
  return `tcp:${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What a client is given for an export. */
export function nbdUri(address: NbdAddress, name: string, hasTls = false): string {
  const scheme = hasTls ? "nbds" : "nbd";
  const path = `/${encodeURIComponent(name)}`;
  if (address.kind === "unix") return `${scheme}+unix://${path}?socket=${encodeSocket(address.path)}`;
  const { host = "127.0.0.1", port } = address;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}

/** A path within a query: slashes may stay. */
const encodeSocket = (path: string): string => encodeURIComponent(path).replaceAll("%2F", "/");
