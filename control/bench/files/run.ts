// A whole benchmark of files: for each number of members a LAN of that many machines and a
// client, on it the rounds.
//
// - A round runs every case once, in order; each case has new processes and an empty folder, all
//   on the same disk.
// - A case that fails, or whose tool is missing, becomes a row with a problem. Only what makes
//   every figure impossible (no namespaces, no cores) is thrown.
// - All ends of all systems run with a higher priority where this program may have one: on a busy
//   machine a call otherwise lasts as long as others keep the core, whatever it costs itself.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { favour } from "../../node/start.js";
import { allowedCores, coresOf, fileSystemOf, machine } from "../environment.js";
import { addressOf, Lan } from "../group/lan.js";
import { install, versionOf } from "../programs.js";
import { middleOf } from "../samples.js";
import type { Run } from "../types.js";
import { lanInterface, runCase, serveAll, startEnd } from "./ends.js";
import { type FilesWanted, planFileCases } from "./plan.js";
import { fileRatiosOf, fileRemarksOf } from "./ratios.js";
import type { FileJob } from "./system.js";
import type { FileCase, FileReport, FileResult, FileSystem } from "./types.js";

export interface FileBenchOptions extends FilesWanted {
  readonly runs: number;
  readonly mtu: number;
  /** Where the servers' files are; each case gets a folder there. */
  readonly folder: string;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  readonly version: string;
  readonly milliseconds: number;
  readonly progress: (each: FileCase, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

type Versions = Pick<FileReport["environment"], "nginx" | "redis" | "etcd">;

const packages = { nginx: "nginx-light", redis: "redis-server", etcd: "etcd-server" } as const;
const commands: Readonly<Record<keyof Versions, readonly string[]>> = {
  nginx: ["nginx", "-v"],
  redis: ["redis-server", "--version"],
  etcd: ["etcd", "--version"],
};
const callsMin = 20;
/** Files so large are few in any time. */
const largeBytes = 16 * 1024 * 1024;

async function versions(systems: readonly FileSystem[]): Promise<Versions> {
  const of = async (name: keyof Versions) =>
    systems.some((system) => programOf(system) === name) ? versionOf(commands[name]) : null;
  return { nginx: await of("nginx"), redis: await of("redis"), etcd: await of("etcd") };
}

/** The program that a system takes, if it is none of ours. */
function programOf(system: FileSystem): keyof Versions | undefined {
  if (system === "nginx-socket") return "nginx";
  return system === "nginx" || system === "redis" || system === "etcd" ? system : undefined;
}

function missing({ system }: FileCase, found: Versions): string | undefined {
  const program = programOf(system);
  return program !== undefined && found[program] === null ? install(program, packages[program]) : undefined;
}

/** Runs one case once, with processes and folders of its own. */
async function measure(lan: Lan, each: FileCase, options: FileBenchOptions): Promise<Run> {
  const { wasm, milliseconds } = options;
  const base = mkdtempSync(join(options.folder, "proteus-bench-"));
  const addresses = Array.from({ length: each.members }, (_, member) => addressOf(member + 1));
  const jobOf = (machine: number): FileJob => {
    const folder = join(base, `m${machine}`);
    mkdirSync(folder);
    const calls = each.bytes >= largeBytes ? 3 : callsMin;
    return {
      ...each,
      ...{ interfaceName: lanInterface, wasm, addresses, folder, milliseconds, callsMin: calls },
      member: machine - 1,
    };
  };
  const servers = addresses.map((_, member) => startEnd(lan, member + 1));
  const caller = startEnd(lan, 0);
  try {
    const facts = await serveAll(
      servers,
      servers.map((_, member) => jobOf(member + 1)),
    );
    const run = await runCase(caller, jobOf(0), facts);
    await Promise.all(servers.map((server) => server.order({ stop: true })));
    return run;
  } finally {
    for (const end of [caller, ...servers]) end.kill();
    rmSync(base, { recursive: true, force: true });
  }
}

const resultOf = (each: FileCase, runs: readonly Run[], problem: string | undefined): FileResult => ({
  ...each,
  ...middleOf(runs),
  ...(problem === undefined ? {} : { problem }),
});

const hasNfs = (): boolean => /\bnfsd$/m.test(readFileSync("/proc/filesystems", "utf8"));

/** Runs a benchmark of files. Rejects with ProteusError, or with the abort's reason. */
export async function runFileBench(options: FileBenchOptions): Promise<FileReport> {
  const { abort, mtu, runs, version } = options;
  const { client, server } = coresOf("X", allowedCores());
  favour();
  const host = machine();
  const cases = planFileCases(options);
  const found = await versions(options.systems);
  const measured = new Map<FileCase, Run[]>(cases.map((each) => [each, []]));
  const problems = new Map<FileCase, string>();
  let isolation = "";
  let done = 0;
  for (const members of new Set(cases.map((each) => each.members))) {
    const here = cases.filter((each) => each.members === members);
    const lan = await Lan.make(members + 1, mtu, [client, server], abort);
    isolation = lan.machines.isolation;
    try {
      for (let round = 0; round < runs; round++)
        for (const each of here) {
          abort.throwIfAborted();
          options.progress(each, done++, cases.length * runs);
          const lacks = missing(each, found);
          if (lacks !== undefined) problems.set(each, lacks);
          if (problems.has(each)) continue;
          try {
            measured.get(each)?.push(await measure(lan, each, options));
          } catch (error) {
            abort.throwIfAborted();
            problems.set(each, error instanceof Error ? error.message : String(error));
          }
        }
    } finally {
      await lan.remove();
    }
  }
  const results = [...measured].map(([each, those]) => resultOf(each, those, problems.get(each)));
  return {
    environment: {
      ...{ proteus: version, ...host, isolation, link: "bridge", mtus: [mtu], runs },
      ...{ disk: await fileSystemOf(options.folder), ...found },
    },
    results,
    ratios: fileRatiosOf(results),
    remarks: fileRemarksOf(results, host.load, hasNfs()),
  };
}
