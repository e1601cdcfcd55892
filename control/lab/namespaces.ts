// The namespaces of a lab, and how to get into them.
//
// - A process that does nothing, the keeper, lives in a network namespace of its own
//   (the switch: bridges and ports) and in a mount namespace of its own, whose /run
//   has the names of the nodes' namespaces. When the keeper and the nodes' processes
//   are gone, so is all the rest: nothing of a lab is ever visible in, or left behind
//   in, the namespaces of the system.
// - Others reach a node's namespace through /proc/KEEPER/root.
// - In a user namespace the keeper's owner is root; who enters joins that one too.

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ProteusError } from "../kernel/errors.js";
import { unshareArguments } from "./isolation.js";
import { type LabPlan, type NodePlan, namespaceName, planPower } from "./plan.js";
import { namespaceOf, type ProcessId, processOf, waitUntil } from "./processes.js";
import { type LabState, labFolder, stateRoot } from "./state.js";
import { runTool, toolEnvironment, toolMissing } from "./tools.js";
import type { LabNode } from "./topology.js";

/** The variable that marks a keeper; its value is the lab's id. */
export const keeperTag = "PROTEUS_LAB_KEEPER";

/** What a keeper is found by when nothing else is left of its lab. */
export function keeperEnvironment(state: LabState): Record<string, string> {
  return { [keeperTag]: state.id, PROTEUS_LAB: state.topology.name, PROTEUS_LAB_STATE: stateRoot() };
}

/** Made last, in the keeper's own /run: everything before it is there. */
const marker = "/run/proteus-keeper";
const keeperDeadlineMs = 5000;
const quietAll = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6";
const quietNew = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
/** A new namespace may inherit forwarding from the system: a router of a lab forwards FLIP, not IP. */
const noForwarding = "echo 0 > /proc/sys/net/ipv4/ip_forward";
const settings = `{ ${quietAll}; ${quietNew}; ${noForwarding}; } 2>/dev/null`;

/** Starts the keeper and waits until its folder of namespaces is there. */
export async function startKeeper(state: LabState, abort?: AbortSignal): Promise<ProcessId> {
  if (state.isolation === "memory") throw new Error("the LAN in memory has no namespaces");
  const lab = state.topology.name;
  const mount = `mount -t tmpfs -o mode=755 proteus-${lab} /run`;
  const script = `${settings}; ${mount} && mkdir /run/netns ${marker} && exec sleep infinity`;
  const logPath = join(labFolder(lab), "keeper.log");
  const log = openSync(logPath, "a");
  const keeper = spawn("unshare", [...unshareArguments(state.isolation), "sh", "-c", script], {
    cwd: "/",
    detached: true,
    env: { PATH: toolEnvironment().PATH, ...keeperEnvironment(state) },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  let failed: Error | null = null;
  keeper.on("error", (error: NodeJS.ErrnoException) => {
    failed = error.code === "ENOENT" ? toolMissing("unshare") : error;
  });
  keeper.unref();
  try {
    const made = (): boolean => failed !== null || keeper.exitCode !== null || keeps(keeper.pid);
    await waitUntil(made, keeperDeadlineMs, abort);
  } catch (error) {
    keeper.kill("SIGKILL");
    throw error;
  }
  if (failed !== null) throw failed;
  const process_ = processOf(keeper.pid);
  if (process_ !== null && keeps(process_.pid)) return process_;
  keeper.kill("SIGKILL");
  throw new ProteusError({
    code: "LAB_NAMESPACE_FAILED",
    exit: 1,
    message: "the namespaces of the lab could not be made",
    why: readFileSync(logPath, "utf8").trim() || "the system gave no reason",
    unchanged: "nothing was left behind",
    hint: "proteus lab up --isolation memory needs no namespaces; proteus doctor --for lab says what is missing",
  });
}

function namespacePath(keeper: number, namespace: string): string {
  return `/proc/${keeper}/root/run/netns/${namespace}`;
}

/** Has this process done all that a keeper does? */
function keeps(pid: number | undefined): boolean {
  return pid !== undefined && existsSync(`/proc/${pid}/root${marker}`);
}

/** Names of all namespaces of nodes that a keeper holds. */
export function keptNamespaceNames(keeper: number): string[] {
  if (!keeps(keeper)) return []; // until its own /run is there, it shows the system's namespaces
  try {
    return readdirSync(namespacePath(keeper, ""));
  } catch {
    return [];
  }
}

/** Their inodes. */
export function keptNamespaces(keeper: number): number[] {
  try {
    return keptNamespaceNames(keeper).map((name) => statSync(namespacePath(keeper, name)).ino);
  } catch {
    return [];
  }
}

/** The inode of a node's namespace; null when the keeper is gone. */
export function nodeNamespace(state: LabState, node: string): number | null {
  if (state.isolation === "memory" || state.keeper === null) return null;
  try {
    return statSync(namespacePath(state.keeper.pid, namespaceName(state.topology.name, node))).ino;
  } catch {
    return null;
  }
}

/** `--user` for those who are not in the lab's user namespace yet. */
function userArguments(keeper: number): string[] {
  const same = namespaceOf(keeper, "user") === namespaceOf("self", "user");
  return same ? [] : [`--user=/proc/${keeper}/ns/user`, "--preserve-credentials"];
}

/** The beginning of a command that runs inside a node. */
export function enterNode(state: LabState, node: string): string[] {
  const keeper = state.keeper?.pid ?? 0;
  const path = namespacePath(keeper, namespaceName(state.topology.name, node));
  return ["nsenter", ...userArguments(keeper), `--net=${path}`];
}

/** The beginning of a command that runs at the switch, with the files of the system. */
export function enterSwitchNetwork(state: LabState): string[] {
  const keeper = state.keeper?.pid ?? 0;
  return ["nsenter", ...userArguments(keeper), `--net=/proc/${keeper}/ns/net`, "--"];
}

/** The same with the names of the nodes' namespaces. */
function enterSwitch(state: LabState): string[] {
  const keeper = state.keeper?.pid ?? 0;
  return [
    "nsenter",
    ...userArguments(keeper),
    `--net=/proc/${keeper}/ns/net`,
    `--mount=/proc/${keeper}/ns/mnt`,
  ];
}

/** Runs lines of `ip` or `tc`; the first one refused is an error with that line in it. */
async function batch(
  enter: readonly string[],
  tool: readonly string[],
  lines: readonly string[],
  abort?: AbortSignal,
): Promise<void> {
  if (lines.length === 0) return;
  const { status, errors } = await runTool([...enter, ...tool], `${lines.join("\n")}\n`, abort);
  if (status === 0) return;
  abort?.throwIfAborted();
  if (status === 127) throw toolMissing(tool.includes("tc") ? "tc" : "ip");
  const at = /Command failed -:(\d+)/.exec(errors);
  const line = at === null ? "" : ` (${lines[Number(at[1]) - 1]})`;
  throw new ProteusError({
    code: "LAB_NETWORK_FAILED",
    exit: 1,
    message: "the network of the lab could not be set up",
    why: `${errors.trim().split("\n")[0] || `${tool.join(" ")} ended with status ${status}`}${line}`,
    unchanged: "what had been made of it was removed",
    hint: "proteus doctor --for lab says what this machine lacks",
  });
}

/** Runs lines of which each may be refused: what was to go is gone already. */
async function whatever(
  enter: readonly string[],
  tool: readonly string[],
  lines: readonly string[],
): Promise<void> {
  if (lines.length > 0) await runTool([...enter, ...tool], `${lines.join("\n")}\n`);
}

const ipBatch = ["ip", "-batch", "-"];
const tcBatch = ["tc", "-batch", "-"];
const ipForce = ["ip", "-force", "-batch", "-"];
const tcForce = ["tc", "-force", "-batch", "-"];

/** Lines of `ip` and `tc` at one place. */
export interface ToolLines {
  readonly ip: readonly string[];
  readonly tc: readonly string[];
}

/** Makes bridges, namespaces, links, addresses and rates. */
export async function buildNetwork(state: LabState, plan: LabPlan, abort?: AbortSignal): Promise<void> {
  await batch(enterSwitch(state), ipBatch, plan.ip, abort);
  await Promise.all([
    batch(enterSwitch(state), tcBatch, plan.tc, abort),
    ...plan.nodes.map((node) => buildNode(state, node, abort)),
  ]);
}

/** Sets up the inside of a node's namespace. */
export async function buildNode(
  state: LabState,
  { node, ip, tc }: NodePlan,
  abort?: AbortSignal,
): Promise<void> {
  const enter = enterNode(state, node);
  await batch(enter, ["sh", "-c", `${settings}; exec ip -batch -`], ip, abort);
  await batch(enter, tcBatch, tc, abort);
}

/** Lines of `ip` at the switch. */
export function atSwitch(state: LabState, ip: readonly string[]): Promise<void> {
  return batch(enterSwitch(state), ipBatch, ip);
}

/** Lines of `tc` at the switch. */
export function tcAtSwitch(state: LabState, tc: readonly string[]): Promise<void> {
  return batch(enterSwitch(state), tcBatch, tc);
}

/** Lines of `ip` at the switch that may be refused. */
export function whateverAtSwitch(state: LabState, ip: readonly string[]): Promise<void> {
  return whatever(enterSwitch(state), ipForce, ip);
}

/** Lines at the switch, then lines inside a node. */
export async function atBothEnds(
  state: LabState,
  node: string,
  lines: { readonly switch: ToolLines; readonly node: ToolLines },
): Promise<void> {
  for (const [enter, { ip, tc }] of bothEnds(state, node, lines)) {
    await batch(enter, ipBatch, ip);
    await batch(enter, tcBatch, tc);
  }
}

/** The same with lines that may be refused. */
export async function whateverAtBothEnds(
  state: LabState,
  node: string,
  lines: { readonly switch: ToolLines; readonly node: ToolLines },
): Promise<void> {
  for (const [enter, { ip, tc }] of bothEnds(state, node, lines)) {
    await whatever(enter, ipForce, ip);
    await whatever(enter, tcForce, tc);
  }
}

const bothEnds = (
  state: LabState,
  node: string,
  lines: { readonly switch: ToolLines; readonly node: ToolLines },
): [string[], ToolLines][] => [
  [enterSwitch(state), lines.switch],
  [enterNode(state, node), lines.node],
];

/** Cuts or joins the links of a node. Cut at the switch first: nothing gets out after that. */
export async function switchPower(state: LabState, node: LabNode, on: boolean): Promise<void> {
  const lines = planPower(state.topology, node, on);
  const steps = [
    () => batch(enterSwitch(state), ipBatch, lines.switch),
    () => batch(enterNode(state, node.name), ipBatch, lines.node),
  ];
  for (const step of on ? steps.reverse() : steps) await step();
}
