// Kills a program at each of its system calls in turn: strace sends SIGKILL at the Nth call of some
// kinds, for every N until a run comes to its end.
//
// - `isWanted`: strace works here, or must (CI=true). Without it such tests are skipped.
// - strace counts each thread's calls of each kind by themselves: UV_THREADPOOL_SIZE=1 leaves
//   two that work on files, the program's own and the pool's. Of several kinds in one injection the
//   first to reach N counts.
// - What the killed program leaves is for the caller to judge, after each kill and after the end.

import { spawn, spawnSync } from "node:child_process";

const stepsMax = 2000;
const patienceMs = 60_000;
const environment = { ...process.env, UV_THREADPOOL_SIZE: "1" };
/** With its threads; SIGTERM ends strace and its program, too. */
const follow = ["-f", "-I", "2"];
const works = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

export const isWanted = works || process.env.CI === "true";
if (!isWanted) console.warn("skipped: kills at system calls need strace, and leave to trace");

/** What became of a program under strace. */
export interface Traced {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs strace, which is killed when it takes longer than a minute. @param heard is told of stdout as it comes */
export function strace(words: readonly string[], heard: (text: string) => void = () => {}): Promise<Traced> {
  return new Promise((resolve, reject) => {
    const child = spawn("strace", words, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGTERM"), patienceMs);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      heard(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, stdout, stderr });
    });
  });
}

/** Writes each call of these kinds to a file, while the program runs to its end. */
export function traceCalls(calls: string, into: string, program: readonly string[]): Promise<Traced> {
  return strace([...follow, "-y", "-qq", "-o", into, "-e", `trace=${calls}`, ...program]);
}

export interface Kills {
  /** Kinds of system calls, with commas. */
  readonly calls: string;
  /** Of every so many steps one; default 1. */
  readonly stride?: number;
  /** The program of a step, with its arguments. */
  readonly program: (step: number) => readonly string[];
  readonly heard?: (text: string) => void;
  /** Throws when what is left is not as it must be. @param said stdout @param isThrough it was not killed */
  readonly judge: (step: number, said: string, isThrough: boolean) => void | Promise<void>;
}

/** Ends when a run came to its end. Resolves with how many were killed before. */
export async function killAtEach({ calls, stride = 1, program, heard, judge }: Kills): Promise<number> {
  let kills = 0;
  for (let step = 1; step < stepsMax; step += stride) {
    const inject = `inject=${calls}:signal=SIGKILL:when=${step}`;
    const words = [...follow, "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject];
    const { stdout, signal, status, stderr } = await strace([...words, ...program(step)], heard);
    const isKilled = signal === "SIGKILL" || status === 137;
    if (status !== 0 && !isKilled) throw new Error(`${inject} ended with ${status ?? signal}: ${stderr}`);
    try {
      await judge(step, stdout, !isKilled);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${inject} left what it must not: ${why}\nit had said:\n${stdout}`, { cause });
    }
    if (!isKilled) return kills;
    kills++;
  }
  throw new Error(`${calls}: no end after ${stepsMax} steps`);
}
