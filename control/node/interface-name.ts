// What --interface names: an Ethernet interface, a serial line, or peers over IP. Pure.
//
// - eth0
// - [NAME=]serial:/dev/ttyS0@115200[+rtscts]
// - [NAME=]ip:PEER[=PUBLICKEY][+PEER[=PUBLICKEY]…][+key=FILE][+protocol=N][+mtu=N][+trusted]
// - NAME is what it is called in the status and the metrics; without it the first 15 characters are
//   taken of what is behind the colon. "+" separates, since lists of interfaces have commas.

import { isIPv4 } from "node:net";
import { protocolDefault } from "../../drivers/raw-ip/protocol.js";
import { parseKey } from "../../drivers/secure-link/keys.js";
import { speedMax, speedMin } from "../../drivers/serial/line.js";
import { usageError } from "../kernel/errors.js";

export interface EthernetName {
  readonly kind: "ethernet";
  readonly name: string;
}

export interface SerialName {
  readonly kind: "serial";
  readonly name: string;
  readonly path: string;
  readonly speed: number;
  readonly rtscts: boolean;
}

export interface IpName {
  readonly kind: "ip";
  readonly name: string;
  readonly peers: readonly { readonly address: string; readonly key?: Buffer }[];
  readonly keyFile: string | null;
  readonly protocol: number;
  readonly mtu: number | null;
  readonly trusted: boolean;
}

export type InterfaceName = EthernetName | SerialName | IpName;

const nameBytesMax = 15;
const peersMax = 64;
const mtuRange = [639, 9000] as const;
const protocolRange = [1, 254] as const;
const wired = /^(?:([A-Za-z][\w.-]{0,14})=)?(serial|ip):(.+)$/;

const refuse = (text: string, why: string, hint: string) =>
  usageError(`"${text}" names no interface: ${why}`, hint, "INTERFACE_INVALID");

const serialHint = "serial:/dev/ttyS0@115200, with +rtscts for flow control by the hardware";
const ipHint = "ip:10.0.0.2=PUBLICKEY+key=/etc/proteus/link.key, with more peers after +";

/** Is it a wire other than Ethernet? */
export const isWire = (text: string): boolean => wired.test(text);

/** Takes a text apart. Throws a usage error, INTERFACE_INVALID. */
export function parseInterface(text: string): InterfaceName {
  const match = wired.exec(text);
  if (match === null) {
    if (/^[^\s/=:+]{1,15}$/.test(text)) return { kind: "ethernet", name: text };
    throw refuse(text, "a name has 1 to 15 characters", `eth0, ${serialHint}, or ${ipHint}`);
  }
  const [, given, kind, rest = ""] = match;
  const name = given ?? rest.slice(0, nameBytesMax);
  return kind === "serial" ? serial(text, name, rest) : ip(text, name, rest);
}

function serial(text: string, name: string, rest: string): SerialName {
  const [line = "", ...words] = rest.split("+");
  const at = line.lastIndexOf("@");
  const path = line.slice(0, at);
  const speed = Number(/^\d{1,9}$/.exec(line.slice(at + 1))?.[0] ?? Number.NaN);
  if (at < 0 || !path.startsWith("/")) throw refuse(text, "a port and its speed are wanted", serialHint);
  if (!(speed >= speedMin && speed <= speedMax))
    throw refuse(text, `the speed is ${speedMin} to ${speedMax} bits a second`, serialHint);
  const other = words.find((word) => word !== "rtscts");
  if (other !== undefined) throw refuse(text, `"${other}" is not known`, serialHint);
  const own = name === rest.slice(0, nameBytesMax) ? path.slice(-nameBytesMax) : name;
  return { kind: "serial", name: own, path, speed, rtscts: words.includes("rtscts") };
}

function within(text: string, word: string, value: string, [least, most]: readonly [number, number]): number {
  const number = Number(/^\d{1,5}$/.exec(value)?.[0] ?? Number.NaN);
  if (number >= least && number <= most) return number;
  throw refuse(text, `${word} is a number from ${least} to ${most}`, ipHint);
}

function ip(text: string, name: string, rest: string): IpName {
  const peers: { address: string; key?: Buffer }[] = [];
  let keyFile: string | null = null;
  let protocol = protocolDefault;
  let mtu: number | null = null;
  let trusted = false;
  for (const word of rest.split("+")) {
    const at = word.indexOf("=");
    const [before, value] = at < 0 ? [word, null] : [word.slice(0, at), word.slice(at + 1)];
    if (isIPv4(before)) {
      const key = value === null ? null : parseKey(value);
      if (value !== null && key === null)
        throw refuse(text, `${before} has no public key behind it: 43 characters of base64url`, ipHint);
      peers.push({ address: before, ...(key === null ? {} : { key }) });
    } else if (before === "key" && value !== null && value !== "") keyFile = value;
    else if (before === "protocol" && value !== null) protocol = within(text, before, value, protocolRange);
    else if (before === "mtu" && value !== null) mtu = within(text, before, value, mtuRange);
    else if (word === "trusted") trusted = true;
    else throw refuse(text, `"${before}" is neither an IPv4 address nor an option`, ipHint);
  }
  if (peers.length === 0 || peers.length > peersMax)
    throw refuse(text, `it has 1 to ${peersMax} peers`, ipHint);
  if (new Set(peers.map(({ address }) => address)).size !== peers.length)
    throw refuse(text, "a peer is named twice", ipHint);
  const keyed = peers.filter(({ key }) => key !== undefined).length;
  if (keyFile !== null ? keyed !== peers.length : keyed > 0)
    throw refuse(text, "either key=FILE and a public key for each peer, or no key at all", ipHint);
  return { kind: "ip", name, peers, keyFile, protocol, mtu, trusted };
}
