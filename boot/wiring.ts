// Joins a machine to the networks of the namespace that this process is in: a bridge and a tap device
// for each interface.
//
// - The interface (`eth0`) becomes a port of a bridge of its own, and the machine's tap another, so
//   that all that happens to the link (a cut, loss, a rate) happens to the machine. The interface's
//   own MAC address becomes the machine's; the interface takes another and loses its IP address.
// - It may be there from an earlier start, after a power cut: what is there is taken as it is.
// - Source: ip-link(8), bridge without learning delay or snooping, as the lab's own networks have it.

import type { MachineNetwork } from "./qemu.js";
import { runBootTool } from "./tools.js";

export interface WiredInterface {
  readonly name: string;
  /** The machine's, with colons. */
  readonly mac: string;
}

/** The address of the interface itself, when its own has become the machine's: another third byte. */
export function carrierMac(mac: string): string {
  const bytes = mac.split(":");
  bytes[2] = ((Number.parseInt(bytes[2] ?? "0", 16) + 0x80) % 0x100).toString(16).padStart(2, "0");
  return bytes.join(":");
}

/** Names of the bridge and the tap device beside an interface. */
export const bridgeOf = (name: string): string => `${name}-bridge`.slice(0, 15);
export const tapOf = (name: string): string => `${name}-tap`.slice(0, 15);

/** Lines for `ip`, in order; each may fail only when what it makes is there. */
export function wiringLines({ name, mac }: WiredInterface): string[][] {
  const [bridge, tap] = [bridgeOf(name), tapOf(name)];
  return [
    ["link", "set", name, "down"],
    ["address", "flush", "dev", name],
    ["link", "set", name, "address", carrierMac(mac)],
    ["link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"],
    ["tuntap", "add", tap, "mode", "tap"],
    ["link", "set", tap, "master", bridge, "up"],
    ["link", "set", name, "master", bridge, "up"],
    ["link", "set", bridge, "up"],
  ];
}

/** Joins the interfaces; the machine's networks, in their order. */
export async function wire(interfaces: readonly WiredInterface[]): Promise<MachineNetwork[]> {
  for (const each of interfaces)
    for (const line of wiringLines(each)) {
      const mayBeThere = line.includes("add");
      try {
        await runBootTool(["ip", ...line], "/");
      } catch (error) {
        if (!mayBeThere || !/exists|busy/i.test(String((error as { why?: string }).why))) throw error;
      }
    }
  return interfaces.map(({ name, mac }) => ({ tap: tapOf(name), mac }));
}
