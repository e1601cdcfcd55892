// Where a node's metrics are asked for: `off`, `unix:/run/x.sock`, `127.0.0.1:9532`,
// `[::1]:9532`. Pure text; server and client of the metrics read it the same way.

import { isIPv4, isIPv6 } from "node:net";

export type Listen =
  | { readonly kind: "off" }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** What a system takes as the name of a socket, without the closing zero. */
const socketPathBytes = 107;

/** An address, or in `fault` what is wrong with the text. */
export function parseListen(text: string): { readonly listen: Listen; readonly fault?: string } {
  const off: Listen = { kind: "off" };
  if (text === "off") return { listen: off };
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (!path.startsWith("/"))
      return { listen: off, fault: "the path of a socket begins with /: unix:/run/node.sock" };
    if (Buffer.byteLength(path) > socketPathBytes)
      return { listen: off, fault: `the path of a socket has at most ${socketPathBytes} bytes` };
    return { listen: { kind: "unix", path } };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? "-1");
  const known = match?.[1] === undefined ? isIPv4(host) || host === "localhost" : isIPv6(host);
  if (!known || port > 65535)
    return {
      listen: off,
      fault: "it is off, unix:/PATH, or an address with a port: 127.0.0.1:9532, [::1]:9532",
    };
  return { listen: { kind: "tcp", host, port } };
}

/** True when only programs of this machine reach it. */
export function isLocal(listen: Listen): boolean {
  if (listen.kind !== "tcp") return true;
  return listen.host === "localhost" || listen.host === "::1" || /^127\./.test(listen.host);
}
