// Opens an interface by its name, for every program that has a kernel: `eth0` is the
// machine's own, unless the program runs in a lab without namespaces, where
// PROTEUS_HUB_eth0 names the socket that stands for it.

import type { Device } from "../../drivers/device.js";
import { openEthernet } from "../../drivers/ethernet/ethernet.js";
import { openHub } from "../../drivers/memory/hub.js";

/** The variable that names the socket of an interface of the LAN in memory. */
export const hubVariable = (name: string): string => `PROTEUS_HUB_${name}`;

/** Opens `name`. Fails as the driver fails: no such interface, no right to open it, no hub. */
export async function openInterface(
  name: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Device> {
  const socket = environment[hubVariable(name)];
  return socket ? openHub(socket, name) : openEthernet(name);
}
