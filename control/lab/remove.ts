// Takes labs down, whole or what a crash has left of them.
//
// - Only what carries the tag of that very lab is touched: its keeper, what lives in
//   the namespaces that the keeper holds, and what was started with the lab's id in its
//   environment. An inode alone proves nothing once the keeper is gone: the system
//   gives numbers out again.
// - The folder goes last: who dies in the middle leaves something for the next to find.

import { statSync } from "node:fs";
import { machinesOf } from "./daemons.js";
import { tags } from "./exec.js";
import { keeperTag, keptNamespaceNames, keptNamespaces } from "./namespaces.js";
import {
  commandOf,
  environmentOf,
  isAlive,
  killAll,
  listProcesses,
  namespaceOf,
  ownAncestors,
  type ProcessId,
  processOf,
  signal,
  waitGone,
} from "./processes.js";
import {
  judge,
  type LabState,
  labFolder,
  listFolders,
  readLab,
  readNode,
  removeFolder,
  removeUnfinished,
  stateRoot,
} from "./state.js";

/** How long an agent may take to say good-bye. */
const graceMs = 1000;

/** What was removed, for people to read. */
export interface Removed {
  readonly lab: string;
  readonly why: string;
  /** Processes ended, the keeper among them. */
  readonly processes: number;
  /** Network namespaces that went with it. */
  readonly namespaces: number;
  /** Each of them, and the folder, in words. */
  readonly items: readonly string[];
}

/** A process that is about to end, in words: afterwards nobody can tell. */
const processItem = (pid: number): string => `process ${pid}: ${commandOf(pid)}`;

/** Keepers of labs of this user and this folder by their tag: also one that was never written down. */
function keepersOf(wanted: (id: string) => boolean): { id: string; lab: string; process: ProcessId }[] {
  const uid = process.getuid?.() ?? 0;
  return listProcesses().flatMap((pid) => {
    const environment = environmentOf(pid);
    const id = environment.get(keeperTag);
    const found = processOf(pid);
    const ours = environment.get("PROTEUS_LAB_STATE") === stateRoot();
    if (id === undefined || found === null || !ours || !wanted(id)) return [];
    try {
      return statSync(`/proc/${pid}`).uid === uid
        ? [{ id, lab: environment.get(tags.lab) ?? "?", process: found }]
        : [];
    } catch {
      return [];
    }
  });
}

/** What belongs to the lab with this id. */
function belongings(id: string) {
  const keepers = keepersOf((each) => each === id).map(({ process }) => process);
  const nodes = new Set(keepers.flatMap(({ pid }) => keptNamespaces(pid)));
  const names = keepers.flatMap(({ pid }) => keptNamespaceNames(pid));
  const spared = ownAncestors();
  const isKeeper = (pid: number): boolean => keepers.some((keeper) => keeper.pid === pid);
  const inside = (pid: number): boolean => {
    const namespace = namespaceOf(pid, "net");
    return (namespace !== null && nodes.has(namespace)) || environmentOf(pid).get(tags.id) === id;
  };
  /** The processes of its machines now, without the keepers. */
  const members = (): number[] =>
    listProcesses().filter((pid) => !spared.has(pid) && !isKeeper(pid) && inside(pid));
  return { keepers, nodes, names, members };
}

/** What removing a lab would end, in words; nothing is touched. */
function wouldEnd(id: string, lab: string, why: string): Removed {
  const { keepers, nodes, names, members } = belongings(id);
  const processes = [...keepers.map(({ pid }) => pid), ...members()];
  return {
    ...{ lab, why, processes: processes.length, namespaces: nodes.size > 0 ? nodes.size + 1 : 0 },
    items: [
      ...processes.map(processItem),
      ...names.map((name) => `namespace ${name}`),
      ...(nodes.size > 0 ? ["namespace of the switch"] : []),
    ],
  };
}

/** What `removeLab` would remove. */
export function wouldRemove(state: LabState, why: string): Removed {
  const { name } = state.topology;
  const found = wouldEnd(state.id, name, why);
  return { ...found, items: [...found.items, `folder ${labFolder(name)}`] };
}

/** Ends everything that belongs to the lab with this id. */
async function endProcesses(id: string, lab: string, why: string): Promise<Removed> {
  const { keepers, nodes, names, members } = belongings(id);
  const items = new Map(keepers.map(({ pid }) => [pid, processItem(pid)] as const));
  const ended = await killAll(() => {
    const found = members();
    for (const pid of found) if (!items.has(pid)) items.set(pid, processItem(pid));
    return found;
  });
  const isKept = await killAll(() => keepers.filter(isAlive).map(({ pid }) => pid));
  return {
    lab,
    why,
    processes: ended.length + isKept.length,
    namespaces: nodes.size > 0 ? nodes.size + 1 : 0,
    items: [
      ...items.values(),
      ...names.map((name) => `namespace ${name}`),
      ...(nodes.size > 0 ? ["namespace of the switch"] : []),
    ],
  };
}

/** Takes a lab down: agents may end in order, then everything else ends. */
export async function removeLab(state: LabState, why: string): Promise<Removed> {
  const { name } = state.topology;
  const spared = ownAncestors();
  const agents = machinesOf(state.topology)
    .flatMap((node) => readNode(name, node.name).agent ?? [])
    .filter((agent) => isAlive(agent) && !spared.has(agent.pid));
  const items = agents.map(({ pid }) => processItem(pid));
  for (const agent of agents) signal(agent, "SIGTERM");
  await waitGone(agents, graceMs);
  const ended = agents.map((agent) => !isAlive(agent));
  const removed = await endProcesses(state.id, name, why);
  removeFolder(name);
  return {
    ...removed,
    processes: removed.processes + ended.filter(Boolean).length,
    items: [...items.filter((_, index) => ended[index]), ...removed.items, `folder ${labFolder(name)}`],
  };
}

const nothing = { processes: 0, namespaces: 0 } as const;

/** Removes a folder whose state may be unreadable. */
export async function removeLeftover(name: string, why: string): Promise<Removed> {
  const state = readLab(name);
  if (state !== null) return removeLab(state, why);
  removeFolder(name);
  return { ...nothing, lab: name, why, items: [`folder ${labFolder(name)}`] };
}

/**
 * Removes what crashes have left, or with `all` every lab of this user; a `dryRun` only says what
 * that would be.
 */
export async function removeAll(
  all: boolean,
  dryRun = false,
): Promise<{ removed: Removed[]; kept: string[] }> {
  const removed: Removed[] = [];
  const kept: string[] = [];
  const known = new Set<string>();
  if (!dryRun) removeUnfinished();
  for (const name of listFolders()) {
    const state = readLab(name);
    const verdict = judge(state);
    if (verdict === "leftover" || all) {
      const why = verdict === "leftover" ? "left over" : dryRun ? "is running" : "was running";
      if (!dryRun) removed.push(await removeLeftover(name, why));
      else if (state !== null) removed.push(wouldRemove(state, why));
      else removed.push({ ...nothing, lab: name, why, items: [`folder ${labFolder(name)}`] });
      if (state !== null) known.add(state.id);
    } else {
      kept.push(name);
      if (state !== null) known.add(state.id);
    }
  }
  for (const { id, lab } of keepersOf((each) => !known.has(each)))
    removed.push(
      dryRun ? wouldEnd(id, lab, "its folder is gone") : await endProcesses(id, lab, "its folder is gone"),
    );
  return { removed, kept };
}
