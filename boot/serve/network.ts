// The network that machines boot from: the address of an interface, the addresses to give away, and who
// has which MAC address there.
//
// - The range is cut so that our own address is not in it; a network of fewer than eight addresses has
//   no room for machines.

import { readFileSync } from "node:fs";
import { exitCodes, ProteusError } from "../../control/kernel/errors.js";
import { runBootTool } from "../tools.js";

export interface BootNetwork {
  readonly address: string;
  readonly netmask: string;
  readonly network: string;
  readonly range: readonly [string, string];
}

const addressesMax = 200;

const number = (text: string): number => text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const text = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");

/** The larger part of a network beside `address`, at most 200 addresses; undefined: too small. */
export function rangeBeside(address: string, netmask: string): readonly [string, string] | undefined {
  const own = number(address);
  const mask = number(netmask);
  const first = ((own & mask) >>> 0) + 1;
  const last = ((own | ~mask) >>> 0) - 1;
  if (last - first < 5) return undefined;
  const [from, to] = own - first > last - own ? [first, own - 1] : [own + 1, last];
  return [text(Math.max(from, to - addressesMax + 1)), text(to)];
}

/** The first IPv4 address in what `ip -j address` says of an interface. */
function addressIn(listing: string): { readonly address: string; readonly netmask: string } | undefined {
  const [found] = JSON.parse(listing) as {
    addr_info?: { family: string; local: string; prefixlen: number }[];
  }[];
  const own = found?.addr_info?.find(({ family }) => family === "inet");
  if (own === undefined) return undefined;
  return { address: own.local, netmask: text(own.prefixlen === 0 ? 0 : (-1 << (32 - own.prefixlen)) >>> 0) };
}

/** What an interface has, also one where nobody is plugged in yet. Throws BOOT_NO_ADDRESS. */
export async function networkOf(name: string): Promise<BootNetwork> {
  const listing = await runBootTool(["ip", "-j", "address", "show", "dev", name, "up"], "/").catch(
    () => "[]",
  );
  const found = addressIn(listing);
  const range = found === undefined ? undefined : rangeBeside(found.address, found.netmask);
  if (found === undefined || range === undefined)
    throw new ProteusError({
      code: "BOOT_NO_ADDRESS",
      exit: exitCodes.failed,
      message: `no machine can boot over ${name}`,
      why:
        found === undefined
          ? "it is not there or not up, or it has no IPv4 address, which loading an image takes"
          : `${found.address} with ${found.netmask} has no room for the addresses of machines`,
      unchanged: "nothing was started",
      hint: `give it one, for example: ip address add 10.77.0.1/24 dev ${name}; ip link set ${name} up`,
    });
  const { address, netmask } = found;
  return { address, netmask, network: text((number(address) & number(netmask)) >>> 0), range };
}

/** The MAC address of a neighbour on the interface, by the system's table; undefined: not known. */
export function neighbour(table: string, address: string, name: string): string | undefined {
  for (const line of table.split("\n").slice(1)) {
    const [ip, , flags, mac, , device] = line.trim().split(/\s+/);
    if (ip === address && device === name && flags !== "0x0") return mac;
  }
  return undefined;
}

export const neighbourNow = (address: string, name: string): string | undefined =>
  neighbour(readFileSync("/proc/net/arp", "utf8"), address, name);
