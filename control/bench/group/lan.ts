// The machines of a group: m1, m2 … on one bridge, each pinned to a core in turn.
//
// - m1 sends where one member does, m2 has the sequencer: they never share a core. The
//   others follow in turn, first on the sequencer's core.
// - The frames that a machine sent are counted by its interface, whoever sent them.

import { readFileSync } from "node:fs";
import { planLab } from "../../lab/plan.js";
import type { Topology } from "../../lab/topology.js";
import { benchName, Machines } from "../machines.js";

export const lanInterface = "eth0";
export const sender = 0;
export const sequencer = 1;

/** The machine of a member, from 0. */
export const machineOf = (member: number): string => `m${member + 1}`;

/** Its address on the bridge. */
export const addressOf = (member: number): string => `10.0.0.${member + 1}`;

/** m1 … on one network. Pure. */
export function lanTopology(members: number, mtu: number): Topology {
  return {
    name: benchName(),
    networks: [{ name: "lan0", mtu, rate: null }],
    nodes: Array.from({ length: members }, (_, member) => ({
      name: machineOf(member),
      kind: "host",
      networks: ["lan0"],
    })),
  };
}

/** The core of a member: sender, sequencer, and then in turn from the sequencer's on. Pure. */
export function memberCore(member: number, cores: readonly number[]): number {
  const turn = member < 2 ? member : member + 1;
  return cores[turn % cores.length] ?? 0;
}

/** What `eth0` has sent, by /proc/net/dev. Pure. */
export function framesSent(text: string): number {
  const line = text.split("\n").find((each) => each.trim().startsWith(`${lanInterface}:`));
  const fields = line
    ?.slice(line.indexOf(":") + 1)
    .trim()
    .split(/\s+/);
  return Number(fields?.[9] ?? Number.NaN);
}

export class Lan {
  private constructor(
    readonly machines: Machines,
    readonly members: number,
    readonly cores: readonly number[],
  ) {}

  /** Makes it; nothing is left when it throws. */
  static async make(
    members: number,
    mtu: number,
    cores: readonly number[],
    abort: AbortSignal,
  ): Promise<Lan> {
    const topology = lanTopology(members, mtu);
    return new Lan(await Machines.make(topology, planLab(topology), abort), members, cores);
  }

  core(member: number): number {
    return memberCore(member, this.cores);
  }

  /** Frames sent so far by the machine on which this process is. */
  sentBy(pid: number): number {
    return framesSent(readFileSync(`/proc/${pid}/net/dev`, "utf8"));
  }

  remove(): Promise<void> {
    return this.machines.remove();
  }
}
