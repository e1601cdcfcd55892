// The agent of a pool machine, as the lab starts it: `proteus node start`, detached,
// its words in agent.log. It serves when it has written the file named by
// PROTEUS_READY_FILE: JSON with at least {pid}. On a control daemon's machine it is
// `proteus control start`, which serves when its socket is there; on one without an operating
// system `proteus boot run`, whose words are the machine's console.
//
// - Its metrics are at a socket in the node's folder, which is reached from outside of the
//   node as well. Its state is in a folder there, so that its servers are the same after a power
//   cut; it is gone with the lab. No config file of this computer is read: a lab is the same everywhere.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ProteusError } from "../kernel/errors.js";
import { type Listen, parseListen } from "../node/config/listen.js";
import { daemonEnvironment, daemonSocket, isDaemon } from "./daemons.js";
import { directoryNodes, shareDirectorySecret } from "./directory.js";
import { nodeCommand } from "./exec.js";
import { interfacesOf, type LabInterface } from "./plan.js";
import { type ProcessId, processOf, waitUntil } from "./processes.js";
import { type LabState, nodeFolder } from "./state.js";
import type { LabNode, LabReplication } from "./topology.js";

const logTailLines = 8;

/** Where a node's agent serves its metrics and status. */
export function metricsOf(lab: string, node: string): Listen {
  return parseListen(metricsText(lab, node)).listen;
}

/** Where a node keeps what outlives a power cut. */
export const nodeState = (lab: string, node: string): string => join(nodeFolder(lab, node), "state");

/** Where the console of a metal machine is (boot/console.ts). */
export const consoleSocket = (lab: string, node: string): string =>
  join(nodeFolder(lab, node), "console.sock");

/** Off where the path is longer than a socket's may be. */
function metricsText(lab: string, node: string): string {
  const text = `unix:${join(nodeFolder(lab, node), "metrics.sock")}`;
  return parseListen(text).fault === undefined ? text : "off";
}

/** The last lines of an agent's log. */
export function logTail(lab: string, node: string): string {
  try {
    return readFileSync(join(nodeFolder(lab, node), "agent.log"), "utf8")
      .trimEnd()
      .split("\n")
      .slice(-logTailLines)
      .join("\n");
  } catch {
    return "";
  }
}

export interface AgentStart {
  /** The command that `node start …` is appended to. */
  readonly proteus: readonly string[];
  readonly timeoutMs: number;
  readonly abort?: AbortSignal | undefined;
  /** Told at once when the process is there, long before it serves. */
  readonly started: (agent: ProcessId) => void;
}

interface Program {
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** It is there when the program serves. */
  readonly ready: string;
  readonly serves: () => boolean;
}

/** What runs on a machine of a lab. */
function programOf(
  lab: string,
  node: LabNode,
  interfaces: readonly LabInterface[],
  directory: readonly string[],
): Program {
  const { name, bullet, replication } = node;
  const names = interfaces.flatMap(({ name }) => ["--interface", name]);
  if (isDaemon({ name })) {
    const socket = daemonSocket(lab, name);
    return {
      words: ["control", "start", ...names],
      environment: daemonEnvironment(lab, name),
      ready: socket,
      serves: () => existsSync(socket),
    };
  }
  const ready = join(nodeFolder(lab, name), "ready.json");
  const serves = (): boolean => {
    try {
      return typeof JSON.parse(readFileSync(ready, "utf8")) === "object";
    } catch {
      return false;
    }
  };
  if (node.kind === "metal" || node.kind === "pxe") {
    const pool = process.env.PROTEUS_POOL || "pool";
    const macs = interfaces.flatMap(({ mac }) => ["--mac", mac]);
    const from = node.kind === "pxe" ? ["--from", "network", "--firmware", node.firmware ?? "bios"] : [];
    const { machine, nic } = node.metal ?? {};
    const kind = machine === undefined || nic === undefined ? [] : ["--machine", machine, "--nic", nic];
    const path = join(nodeFolder(lab, name), "disk.image");
    const { disk } = node;
    const medium = disk === undefined ? [] : ["--disk", path, "--disk-size", `${disk.bytes}`];
    const groups = (node.groups ?? []).flatMap((group) => ["--group", group]);
    const words = [
      "boot",
      "run",
      "--name",
      name,
      "--pool",
      pool,
      ...kind,
      ...from,
      ...medium,
      ...groups,
      ...names,
      ...macs,
    ];
    return {
      words,
      environment: { PROTEUS_READY_FILE: ready, PROTEUS_CONSOLE_SOCKET: consoleSocket(lab, name) },
      ready,
      serves,
    };
  }
  return {
    words: ["node", "start", ...names],
    environment: {
      ...{ PROTEUS_READY_FILE: ready, PROTEUS_METRICS_LISTEN: metricsText(lab, name) },
      PROTEUS_STATE: nodeState(lab, name),
      PROTEUS_DIRECTORY: directory.join(","),
      PROTEUS_BULLET_PATH: bullet === undefined ? "" : join(nodeFolder(lab, name), "bullet.volume"),
      ...(bullet === undefined ? {} : { PROTEUS_BULLET_SIZE: String(bullet.bytes) }),
      ...(replication === undefined
        ? { PROTEUS_REPLICATION: "" }
        : replicationOf(lab, replication, directory)),
    },
    ready,
    serves,
  };
}

/** Root and Bullet servers are those that the lab's machines gave out. */
function replicationOf(
  lab: string,
  { copies, interval, grace, verify }: LabReplication,
  directory: readonly string[],
): Readonly<Record<string, string>> {
  const given = (node: string): string => `@${join(nodeFolder(lab, node), "ready.json")}`;
  const text = (value: number | undefined): string => (value === undefined ? "" : String(value));
  return {
    PROTEUS_REPLICATION: "true",
    PROTEUS_REPLICATION_ROOT: directory.map(given).join(","),
    PROTEUS_REPLICATION_SERVERS: given("*"),
    PROTEUS_REPLICATION_COPIES: text(copies),
    PROTEUS_REPLICATION_INTERVAL: text(interval),
    PROTEUS_REPLICATION_GRACE: text(grace),
    PROTEUS_REPLICATION_VERIFY: text(verify),
  };
}

/** Starts the agent of a node and waits until it serves. Throws LAB_NODE_SILENT or LAB_AGENT_ENDED. */
export async function startAgent(state: LabState, node: LabNode, options: AgentStart): Promise<ProcessId> {
  const lab = state.topology.name;
  const folder = nodeFolder(lab, node.name);
  const directory = directoryNodes(state.topology);
  if (directory.includes(node.name)) shareDirectorySecret(lab, nodeState(lab, node.name));
  const interfaces = interfacesOf(state.topology, node);
  const { words, environment: own, ready, serves } = programOf(lab, node, interfaces, directory);
  const logPath = join(folder, "agent.log");
  rmSync(ready, { force: true });
  const { command, environment } = nodeCommand(state, node, [...options.proteus, ...words]);
  const [program = "", ...rest] = command;
  const log = openSync(logPath, "w", 0o600); // what the agent says has capabilities in it
  const child = spawn(program, rest, {
    cwd: "/",
    detached: true,
    env: {
      ...process.env,
      ...environment,
      ...own,
      PROTEUS_CONFIG: "none",
    },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.unref();
  let failed: Error | null = null;
  child.on("error", (error) => {
    failed = error;
  });
  const agent = processOf(child.pid);
  if (agent !== null) options.started(agent);
  const ended = (): boolean => failed !== null || child.exitCode !== null || child.signalCode !== null;
  await waitUntil(() => serves() || ended(), options.timeoutMs, options.abort);
  const tail = logTail(lab, node.name);
  const said = tail === "" ? "its log is empty" : `the end of its log:\n${tail}`;
  if (ended() || agent === null)
    throw new ProteusError({
      code: "LAB_AGENT_ENDED",
      exit: 1,
      message: `the agent of ${node.name} ended before it served`,
      why: `${child.signalCode ?? `exit status ${child.exitCode}`}; ${said}`,
      hint: "mend what its log says, and do it again",
    });
  if (!serves())
    throw new ProteusError({
      code: "LAB_NODE_SILENT",
      exit: 5,
      message: `${node.name} did not answer within ${options.timeoutMs / 1000} s`,
      why: said,
      hint: "give it longer with --timeout SECONDS",
    });
  return agent;
}
