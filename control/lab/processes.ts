// Processes of this machine, read from /proc.
//
// - A process is known by its id and its start time: an id alone may have been given
//   to someone else since.
// - A process belongs to a node when it is in the node's network namespace (`inode`),
//   or, without namespaces, when it carries the lab's tag in its environment.
// - What another user owns, or hides, is not listed.

import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since the machine started. */
  readonly started: number;
}

/** How long a killed process may take to go. */
const killDeadlineMs = 5000;

/** Changes when the machine is started again. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** State letter and start time of a process; null when there is none (a zombie is none). */
function look(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : Number(fields[19]);
  } catch {
    return null;
  }
}

/** The process that has this id now, or null. */
export function processOf(pid: number | undefined): ProcessId | null {
  const started = pid === undefined ? null : look(pid);
  return pid === undefined || started === null ? null : { pid, started };
}

/** Is this very process still there? */
export function isAlive(process: ProcessId | null): process is ProcessId {
  return process !== null && look(process.pid) === process.started;
}

/** Ids of every process of this user (of all users as root), this one left out. */
export function listProcesses(): number[] {
  const uid = process.getuid?.() ?? 0;
  return readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      return uid === 0 || statSync(`/proc/${pid}`).uid === uid ? [pid] : [];
    } catch {
      return [];
    }
  });
}

/** The inode of a process's namespace, or null when it may not be read. */
export function namespaceOf(pid: number | "self", kind: "net" | "user"): number | null {
  try {
    const match = /\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}

/** What a process was started as, for people: at most so many characters of its command. */
export function commandOf(pid: number, charactersMax = 100): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
    return words.length > charactersMax ? `${words.slice(0, charactersMax - 1)}…` : words;
  } catch {
    return "";
  }
}

/** The environment that a process was started with; empty when it may not be read. */
export function environmentOf(pid: number): ReadonlyMap<string, string> {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return new Map(
      pairs
        .filter((pair) => pair.includes("="))
        .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    );
  } catch {
    return new Map();
  }
}

/** This process and those that started it: a lab is never taken down from under them. */
export function ownAncestors(): ReadonlySet<number> {
  const found = new Set<number>();
  let pid = process.pid;
  while (pid > 1 && !found.has(pid)) {
    found.add(pid);
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      pid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    } catch {
      break;
    }
  }
  return found;
}

/** Sends a signal; a process that is gone, or is not ours to signal, is no error. */
export function signal(process_: ProcessId, name: NodeJS.Signals): void {
  try {
    if (isAlive(process_)) process.kill(process_.pid, name);
  } catch {
    // Gone in between.
  }
}

/** Waits until none of these is left, or the time is over; says whether none is. */
export async function waitGone(processes: readonly ProcessId[], milliseconds: number): Promise<boolean> {
  return waitUntil(() => !processes.some(isAlive), milliseconds);
}

/** Waits until `condition` holds, looking every 10 ms; says whether it does. */
export async function waitUntil(
  condition: () => boolean,
  milliseconds: number,
  abort?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    abort?.throwIfAborted();
    if (performance.now() >= deadline) return false;
    await sleep(10);
  }
  return true;
}

/** SIGKILLs what `list` finds until it finds nothing more (a process may fork meanwhile). */
export async function killAll(list: () => readonly number[]): Promise<ProcessId[]> {
  const killed = new Map<string, ProcessId>();
  const gone = await waitUntil(() => {
    const found = list().flatMap((pid) => processOf(pid) ?? []);
    for (const each of found) {
      signal(each, "SIGKILL");
      killed.set(`${each.pid}/${each.started}`, each);
    }
    return found.length === 0;
  }, killDeadlineMs);
  if (!gone) throw new Error(`processes ${list().join(", ")} do not die`);
  return [...killed.values()];
}
