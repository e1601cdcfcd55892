// The largest IP packet that gets to a peer whole, as far as the system can find out (RFC 1191).
//
// - A packet as large as the interface allows, not to be cut, is sent twice; a router that cannot
//   pass it says so, and the system keeps that. Then the system refuses what is larger, and the size
//   is found by halving, without another wait.
// - A path whose routers say nothing looks as wide as the interface: then `mtu=` must say it.

import { setTimeout } from "node:timers/promises";
import { RawIpError } from "./errors.js";

const ipHeader = 20;
/** The least that a path of IPv4 has to carry, for our purposes. */
export const pathMtuMin = 576;
export const pathMtuMax = 9000;
/** How long a router far away may take to object. */
const objectionMs = 150;

/** What is needed of a socket. */
export interface Prober {
  probe(payloadBytes: number, to: string): { readonly fits: boolean; readonly error: Error | null };
}

function largest(prober: Prober, to: string): number {
  const ask = (size: number): boolean => {
    const { fits, error } = prober.probe(size - ipHeader, to);
    if (error === null) return fits;
    throw new RawIpError(
      "RAW_IP_NO_ROUTE",
      `there is no way to ${to}: ${error.message}`,
      `ip route get ${to} shows how this machine would send to it`,
      { cause: error },
    );
  };
  if (ask(pathMtuMax)) return pathMtuMax;
  let fits = pathMtuMin;
  let tooLarge = pathMtuMax;
  while (tooLarge - fits > 1) {
    const middle = Math.floor((fits + tooLarge) / 2);
    if (ask(middle)) fits = middle;
    else tooLarge = middle;
  }
  return fits;
}

/** Bytes of an IP packet, its header included. Rejects with RAW_IP_NO_ROUTE. */
export async function pathMtu(prober: Prober, to: string): Promise<number> {
  for (let round = 0; round < 2; round++) {
    largest(prober, to); // what leaves at last is as large as is known to fit
    await setTimeout(objectionMs);
  }
  return largest(prober, to);
}
