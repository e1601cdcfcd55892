// What a machine says of itself: its computer, its tools, its interfaces, and what `ethtool` knows
// of a card. Runs on that machine, so that it is the same for a namespace and for a computer
// behind ssh.

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { runTool } from "../lab/tools.js";
import { ownInterfaces } from "../machine/own.js";
import { allowedCores, congestion, machine } from "./environment.js";
import { iperf3Version } from "./iperf3.js";
import { parseOffloads } from "./pair.js";
import { natsVersion } from "./systems/nats.js";
import type { Attachment, Card, Described, Wish } from "./types.js";

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** Throws an error with the interfaces that there are. */
function attachmentOf(name: string): Attachment {
  const all = networkInterfaces();
  const mtu = Number(read(`/sys/class/net/${name}/mtu`) || Number.NaN);
  if (!Number.isFinite(mtu))
    throw new Error(`there is no interface ${name}; there are ${Object.keys(all).join(", ")}`);
  return { name, mtu, ip: all[name]?.find(({ family }) => family === "IPv4")?.cidr ?? null };
}

/** Throws when an interface is not there, or it is not clear which is meant. */
export async function describe({ interfaces }: Wish): Promise<Described> {
  const [iperf3, nats] = await Promise.all([iperf3Version(), natsVersion()]);
  return {
    boot: read("/proc/sys/kernel/random/boot_id"),
    ...{ allowed: allowedCores(), host: machine(), iperf3, nats, congestion: congestion() },
    interfaces: (interfaces ?? ownInterfaces()).map(attachmentOf),
  };
}

/** `ethtool`'s lines `name: value`; those that say nothing are left out. Pure. */
export function parseSettings(output: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of output.split("\n")) {
    const match = /^([\w-][\w -]*):\s+(\S.*)$/.exec(line.trim());
    if (match?.[1] !== undefined && match[2] !== undefined && !/^n\/a\b/.test(match[2]))
      found[match[1]] = match[2];
  }
  return found;
}

/** The rings as they are set, of `ethtool -g`; not what they could be. Pure. */
export function parseRings(output: string): Record<string, string> {
  return parseSettings(output.split(/^Current hardware settings:/m)[1] ?? "");
}

/** What `ethtool` and the system know of an interface of this machine. */
export async function cardOf(interfaceName: string): Promise<Omit<Card, "machine" | "mtu">> {
  const ask = async (...words: string[]): Promise<string> => {
    try {
      const { status, output } = await runTool(["ethtool", ...words, interfaceName]);
      return status === 0 ? output : "";
    } catch {
      return "";
    }
  };
  const [info, merging, features, rings, link] = await Promise.all([
    ...[ask("-i"), ask("-c"), ask("-k"), ask("-g"), ask()],
  ]);
  const { driver, "firmware-version": firmware } = parseSettings(info ?? "");
  return {
    interfaceName,
    driver: driver ?? null,
    firmware: firmware ?? null,
    speed: parseSettings(link ?? "").Speed ?? null,
    coalescing: parseSettings((merging ?? "").split("\n").slice(1).join("\n")),
    rings: parseRings(rings ?? ""),
    offloads: features ? parseOffloads(features) : null,
    host: machine(),
  };
}
