// Opens an interface by its name, for every program that has a kernel: `eth0` is the
// machine's own, unless the program runs in a lab without namespaces, where
// PROTEUS_HUB_eth0 names the socket that stands for it. Other wires: interface-name.ts; in a lab
// PROTEUS_WIRE_eth0 has the text of the one that eth0 stands for.
//
// - The drivers of other wires, and the packages that they use, are loaded when they are named.

import type { Device } from "../../drivers/device.js";
import { openEthernet } from "../../drivers/ethernet/ethernet.js";
import { openHub } from "../../drivers/memory/hub.js";
import { readKeyFile } from "../../drivers/secure-link/keys.js";
import { type IpName, parseInterface } from "./interface-name.js";

/** The variable that names the socket of an interface of the LAN in memory. */
export const hubVariable = (name: string): string => `PROTEUS_HUB_${name}`;

/** The variable that says which other wire an interface of a lab stands for. */
export const wireVariable = (name: string): string => `PROTEUS_WIRE_${name}`;

/** Opens `text`. Fails as the driver fails: no such interface, no right to open it, no hub. */
export async function openInterface(
  text: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Device> {
  const socket = environment[hubVariable(text)];
  if (socket) return openHub(socket, text);
  const name = parseInterface(environment[wireVariable(text)] || text);
  switch (name.kind) {
    case "ethernet":
      return openEthernet(name.name);
    case "serial": {
      const { openSerial } = await import("../../drivers/serial/serial.js");
      return openSerial(name);
    }
    case "ip":
      return openIp(name);
  }
}

async function openIp({ name, peers, keyFile, protocol, mtu, trusted }: IpName): Promise<Device> {
  const { openRawIp } = await import("../../drivers/raw-ip/raw-ip.js");
  const key = keyFile === null ? undefined : readKeyFile(keyFile);
  return openRawIp({ name, peers, key, protocol, mtu: mtu ?? undefined, trusted });
}
