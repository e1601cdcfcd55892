// What `lab status` shows: the lab as it is now, as a document and as text.
// Looked up in /proc each time; nothing of it is remembered.

import { logTail } from "./agent.js";
import { type Impairments, impairmentText, isHealthy } from "./impairments.js";
import { isUp } from "./lab.js";
import { impairmentsOf, linkName } from "./links.js";
import { processesOf } from "./medium.js";
import { interfacesOf } from "./plan.js";
import { isAlive } from "./processes.js";
import { type Isolation, type LabState, readNode } from "./state.js";
import type { NodeKind } from "./topology.js";
import { deadWires } from "./wires.js";

export interface NodeStatus {
  readonly name: string;
  readonly kind: NodeKind;
  readonly state: "up" | "down";
  /** Why a node is down that was not killed: the end of its agent's log. */
  readonly reason?: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly network: string;
    readonly mac: string;
    readonly ip: string;
    readonly mtu: number;
    /** What is wrong with its link; left out when nothing is. */
    readonly impairments?: Impairments;
    /** Its wire passes nothing: the process that stands in it has ended. */
    readonly dead?: true;
  }[];
  /** Process id of the agent, or null. */
  readonly agent: number | null;
  /** Process ids of all that runs in the node, the agent too. */
  readonly pids: readonly number[];
}

export interface LabStatus {
  readonly schema: 1;
  readonly lab: string;
  readonly isolation: Isolation;
  readonly networks: readonly { name: string; mtu: number; rate: string | null; nodes: readonly string[] }[];
  readonly nodes: readonly NodeStatus[];
}

/** Looks at a running lab. */
export function statusOf(state: LabState): LabStatus {
  const { topology } = state;
  const dead = new Set(deadWires(state).map(linkName));
  return {
    schema: 1,
    lab: topology.name,
    isolation: state.isolation,
    networks: topology.networks.map(({ name, mtu, rate }) => ({
      name,
      mtu,
      rate,
      nodes: topology.nodes.filter((node) => node.networks.includes(name)).map((node) => node.name),
    })),
    nodes: topology.nodes.map((node) => {
      const { power, agent } = readNode(topology.name, node.name);
      const up = isUp(state, node);
      return {
        name: node.name,
        kind: node.kind,
        state: up ? "up" : "down",
        ...(power === "on" && !up
          ? { reason: `its agent has ended: ${logTail(topology.name, node.name).split("\n").at(-1) ?? ""}` }
          : {}),
        interfaces: interfacesOf(topology, node).map(({ name, network, mac, ip, mtu }) => {
          const impairments = impairmentsOf(topology, { node: node.name, network });
          return {
            ...{ name, network, mac, ip, mtu },
            ...(isHealthy(impairments) ? {} : { impairments }),
            ...(dead.has(linkName({ node: node.name, network })) ? { dead: true as const } : {}),
          };
        }),
        agent: isAlive(agent) ? agent.pid : null,
        pids: processesOf(state, node.name),
      };
    }),
  };
}

/** Rows as columns, two spaces between them. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (sum, row) => row.map((cell, index) => Math.max(cell.length, sum[index] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The same for people. */
export function statusText(status: LabStatus): string {
  const networks = status.networks
    .map(({ name, mtu, rate }) => `${name} (mtu ${mtu}${rate === null ? "" : `, ${rate}`})`)
    .join(", ");
  const rows = status.nodes.flatMap((node) =>
    node.interfaces.map((each, index) => [
      ...(index === 0
        ? [
            node.name,
            node.kind,
            node.state,
            node.agent === null ? "-" : String(node.agent),
            String(node.pids.length),
          ]
        : ["", "", "", "", ""]),
      each.name,
      each.network,
      each.mac,
      each.ip,
    ]),
  );
  const reasons = status.nodes.flatMap(({ name, reason }) =>
    reason === undefined ? [] : [`${name}: ${reason}`],
  );
  const impaired = status.nodes.flatMap((node) =>
    node.interfaces.flatMap(({ network, impairments, dead }) => {
      if (impairments === undefined) return [];
      const link = `${node.name}:${network}`;
      return dead === true
        ? [`${link} passes nothing: its wire's process has ended (proteus lab impair ${link} --reset)`]
        : [`${link} impaired: ${impairmentText(impairments)}`];
    }),
  );
  return [
    `lab ${status.lab}  isolation ${status.isolation}  networks ${networks}`,
    columns([
      ["NODE", "KIND", "STATE", "AGENT", "PROCESSES", "INTERFACE", "NETWORK", "MAC", "ADDRESS"],
      ...rows,
    ]),
    ...impaired,
    ...reasons,
  ].join("\n");
}
