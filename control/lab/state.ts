// Where a lab keeps what it must know after `lab up` has ended.
//
//   /run/proteus/LAB/             (without root $XDG_RUNTIME_DIR/proteus/LAB)
//     state.json                  the lab; written when it starts and when it runs
//     keeper.log
//     wires, wires.json, wires.log  the process in impaired links: its socket and who it is
//     nodes/NODE/node.json        power, agent
//     nodes/NODE/ready.json       written by the agent when it serves
//     nodes/NODE/agent.log
//     nodes/NODE/bullet.volume    the files of its Bullet server, where it has one
//     nodes/NODE/disk.image       the disk of a metal machine, where it has one
//     nodes/NODE/metrics.sock     where the agent serves its metrics and status
//     nodes/control_K/            the same of a control daemon, with its socket and its store
//
// - The folder is the lab's claim on its name: it is made before anything else and
//   removed after everything else.
// - One file a node: `lab kill n1` and `lab start n2` do not overwrite each other.
// - A file is replaced in one step; a reader never sees half of it.

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ProteusError } from "../kernel/errors.js";
import { runtimeFolder } from "../node/control/places.js";
import { isName } from "./names.js";
import { bootId, isAlive, type ProcessId, processOf } from "./processes.js";
import type { Topology } from "./topology.js";

/** How the machines of a lab are kept apart. */
export type Isolation = "netns" | "userns" | "memory";

export interface LabState {
  readonly schema: 1;
  /** Random: the tag of everything that this lab started. */
  readonly id: string;
  readonly isolation: Isolation;
  readonly phase: "starting" | "running";
  readonly bootId: string;
  /** The process whose end is the lab's: `lab up` while it works, a demo; null: none. */
  readonly owner: ProcessId | null;
  /** Holds the namespaces, or is the LAN in memory. */
  readonly keeper: ProcessId | null;
  readonly topology: Topology;
}

export interface NodeState {
  readonly power: "on" | "off";
  readonly agent: ProcessId | null;
  /** Inode of the network namespace; null without namespaces. */
  readonly namespace: number | null;
}

/** What the name of a folder begins with while it is being made; no lab has such a name. */
const unfinished = ".new-";

/** The folder of all labs of this user. */
export function stateRoot(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.PROTEUS_LAB_STATE || runtimeFolder(environment);
}

export function labFolder(lab: string): string {
  return join(stateRoot(), lab);
}

export function nodeFolder(lab: string, node: string): string {
  return join(labFolder(lab), "nodes", node);
}

/** The socket of an interface of the LAN in memory. */
export function interfaceSocket(lab: string, node: string, name: string): string {
  return join(nodeFolder(lab, node), name);
}

/** The socket that takes orders for the LAN in memory. */
export function controlSocket(lab: string): string {
  return join(labFolder(lab), "control");
}

/**
 * Makes the folder of a lab with its state and folders of its machines in it, in one step;
 * false when there is one already. Throws LAB_STATE_UNWRITABLE.
 */
export function claimFolder(
  state: LabState,
  machines: readonly { readonly name: string }[] = state.topology.nodes,
): boolean {
  const root = stateRoot();
  const { name } = state.topology;
  let made: string | null = null;
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (lstatSync(root).uid !== process.getuid?.())
      throw Object.assign(new Error(`${root} belongs to someone else`), { code: "EACCES" });
    made = mkdtempSync(join(root, unfinished));
    for (const node of machines) mkdirSync(join(made, "nodes", node.name), { recursive: true });
    write(join(made, "state.json"), state);
    renameSync(made, labFolder(name));
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (made !== null) rmSync(made, { recursive: true, force: true });
    if (made !== null && (code === "ENOTEMPTY" || code === "EEXIST")) return false;
    throw new ProteusError({
      code: "LAB_STATE_UNWRITABLE",
      exit: code === "EACCES" || code === "EPERM" ? 4 : 1,
      message: `no folder for the lab's state could be made in ${root}`,
      why: message,
      unchanged: "no lab was made",
      hint: "set XDG_RUNTIME_DIR to a folder that you may write to",
    });
  }
}

function write(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, null, "\t")}\n`);
  renameSync(`${path}.new`, path);
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

export function writeLab(state: LabState): void {
  write(join(labFolder(state.topology.name), "state.json"), state);
}

/** What is written of a lab; null when nothing is, or nothing that can be read. */
export function readLab(lab: string): LabState | null {
  const state = read(join(labFolder(lab), "state.json")) as LabState | null;
  return state?.schema === 1 ? state : null;
}

export function writeNode(lab: string, node: string, state: NodeState): void {
  write(join(nodeFolder(lab, node), "node.json"), state);
}

export function readNode(lab: string, node: string): NodeState {
  return (
    (read(join(nodeFolder(lab, node), "node.json")) as NodeState | null) ?? {
      power: "off",
      agent: null,
      namespace: null,
    }
  );
}

/** The process that stands in the lab's impaired links. */
export function writeWires(lab: string, process: ProcessId | null): void {
  write(join(labFolder(lab), "wires.json"), process);
}

export function readWires(lab: string): ProcessId | null {
  return read(join(labFolder(lab), "wires.json")) as ProcessId | null;
}

/** Makes the folder of a node that joins a running lab. */
export function makeNodeFolder(lab: string, node: string): void {
  mkdirSync(nodeFolder(lab, node), { recursive: true });
}

/** Removes the folder of a node that has left. */
export function removeNodeFolder(lab: string, node: string): void {
  rmSync(nodeFolder(lab, node), { recursive: true, force: true });
}

/** Removes the folder of a lab, and the folder of all labs when it was the last. */
export function removeFolder(lab: string): void {
  rmSync(labFolder(lab), { recursive: true, force: true });
  try {
    rmdirSync(stateRoot());
  } catch {
    // Other labs are in it, or it is gone.
  }
}

function entries(): string[] {
  try {
    return readdirSync(stateRoot()).sort();
  } catch {
    return [];
  }
}

/** Names of all folders, running or not. */
export function listFolders(): string[] {
  return entries().filter(isName);
}

/** Removes what a crash left in the middle of `claimFolder`. */
export function removeUnfinished(): void {
  for (const entry of entries())
    if (entry.startsWith(unfinished)) rmSync(join(stateRoot(), entry), { recursive: true, force: true });
}

/** A new state, before anything is made. */
export function newState(id: string, isolation: Isolation, topology: Topology): LabState {
  return {
    schema: 1,
    id,
    isolation,
    phase: "starting",
    bootId: bootId(),
    owner: processOf(process.pid),
    keeper: null,
    topology,
  };
}

/**
 * `running`, `starting` (someone is at it), or `leftover`: its machine was started
 * again, its keeper or its owner is gone, or its state cannot be read.
 */
export function judge(state: LabState | null): "running" | "starting" | "leftover" {
  if (state === null || state.bootId !== bootId()) return "leftover";
  if (state.owner !== null && !isAlive(state.owner)) return "leftover";
  if (state.phase === "starting") return "starting";
  return isAlive(state.keeper) ? "running" : "leftover";
}

/** The labs that run. */
export function runningLabs(): LabState[] {
  return listFolders().flatMap((name) => {
    const state = readLab(name);
    return state !== null && judge(state) === "running" ? [state] : [];
  });
}
