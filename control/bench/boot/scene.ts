// Where machines boot: one network namespace with a bridge, on it two Linux interfaces (`eth0` calls,
// `eth1` serves where Linux calls Linux) and a tap device for each metal machine.
//
// - Everything is on one bridge, so metal and Linux are reached over the same way.
// - Made and taken away as machines of other benchmarks: ../machines.ts.

import type { MachineNetwork } from "../../../boot/qemu.js";
import { type LabPlan, namespaceName } from "../../lab/plan.js";
import { benchName, Machines } from "../machines.js";

/** The one machine of the benchmark; QEMU runs on it too. */
export const hostMachine = "host";
export const callerInterface = "eth0";
export const serverInterface = "eth1";

const hex = (value: number): string => value.toString(16).padStart(2, "0");

/** The network of metal machine `index`, from 0. Pure. */
export const networkOf = (index: number): MachineNetwork => ({
  tap: `tap${index}`,
  mac: `02:00:00:00:01:${hex(index + 1)}`,
});

/** The lines that make it, for `ip -batch`. Pure. */
export function planBootScene(name: string, machines: number): LabPlan {
  const namespace = namespaceName(name, hostMachine);
  const linux = [callerInterface, serverInterface].flatMap((each, index) => [
    `link add ${each} address 02:00:00:00:00:${hex(index + 1)} type veth peer name port${index}`,
    `link set port${index} master lan0 up`,
    `link set ${each} up`,
  ]);
  const metal = Array.from({ length: machines }, (_, index) => networkOf(index)).flatMap(({ tap }) => [
    `tuntap add ${tap} mode tap`,
    `link set ${tap} master lan0 up`,
  ]);
  const bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";
  return {
    ip: [`netns add ${namespace}`],
    tc: [],
    nodes: [
      {
        node: hostMachine,
        namespace,
        ip: ["link set lo up", `link add lan0 ${bridge}`, "link set lan0 up", ...linux, ...metal],
        tc: [],
      },
    ],
  };
}

/** Makes it. Throws BENCH_ISOLATION, or what the lab throws; nothing is left then. */
export function openBootScene(machines: number, abort: AbortSignal): Promise<Machines> {
  const name = benchName();
  const topology = {
    name,
    networks: [],
    nodes: [{ name: hostMachine, kind: "host", networks: [] }],
  } as const;
  return Machines.make(topology, planBootScene(name, machines), abort);
}
