// A whole benchmark of file systems: rounds over all jobs, each on every system in turn, in a new folder
// each time.
//
// - The mounts last for all rounds; what a job made is removed behind it, on all systems alike.
// - A job that fails, or whose tool is missing, becomes rows with a problem; the rest is measured.
// - Mounts, machines and files are gone when it ends, also by a failure or an interrupt.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { allowedCores, fileSystemOf, machine } from "../environment.js";
import { versionOf } from "../programs.js";
import { type FsJob, type FsPlace, type FsSettings, jobsOf } from "./jobs.js";
import { buildFsPrograms, type FsPrograms, installLibfuse } from "./programs.js";
import { fsRatiosOf, fsRemarksOf, fsResultOf } from "./results.js";
import { type FsMount, FsScene } from "./scene.js";
import { type FsTree, makeTree } from "./tree.js";
import { type FsReport, type FsRun, type FsSystem, type FsTest, fsSystems, fsTests } from "./types.js";

export interface FsBenchOptions {
  readonly tests: readonly FsTest[];
  readonly systems: readonly FsSystem[];
  readonly settings: FsSettings;
  readonly runs: number;
  /** Where all files are. */
  readonly folder: string;
  readonly version: string;
  /** The source of fs-work. */
  readonly workSource: string;
  readonly progress: (job: string, system: FsSystem, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

const removeMs = 300_000;

/** Where a system's files are, or why there are none. */
type Base = { readonly path: string; readonly mount?: FsMount } | { readonly problem: string };

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function baseOf(system: FsSystem, scene: FsScene, { peer }: FsPrograms): Promise<Base> {
  if (system === "local") return { path: scene.folder("local") };
  if (system === "passthrough_ll")
    return peer === null ? { problem: installLibfuse } : { path: await scene.mountPeer(peer.path) };
  const mount = await scene.mount(await scene.volume("session"));
  return { path: mount.target, mount };
}

/** Rows in the making. */
class Rows {
  readonly #runs = new Map<string, FsRun[]>();
  readonly #problems = new Map<string, string>();

  add(test: FsTest, system: FsSystem, run: FsRun): void {
    const key = `${test} ${system}`;
    this.#runs.set(key, [...(this.#runs.get(key) ?? []), run]);
  }

  fail({ tests }: FsJob, system: FsSystem, problem: string): void {
    for (const test of tests) this.#problems.set(`${test} ${system}`, problem);
  }

  hasFailed = ({ tests }: FsJob, system: FsSystem): boolean =>
    tests.some((test) => this.#problems.has(`${test} ${system}`));

  results(wanted: readonly FsTest[]) {
    return fsTests
      .filter((test) => wanted.includes(test))
      .flatMap((test) =>
        fsSystems.flatMap((system) => {
          const key = `${test} ${system}`;
          const [runs, problem] = [this.#runs.get(key) ?? [], this.#problems.get(key)];
          return runs.length > 0 || problem !== undefined ? [fsResultOf(test, system, runs, problem)] : [];
        }),
      );
  }
}

async function measureRounds(
  scene: FsScene,
  bases: ReadonlyMap<FsSystem, Base>,
  tree: FsTree,
  { tests, settings, runs, progress, abort }: FsBenchOptions,
): Promise<Rows> {
  const rows = new Rows();
  const cases = jobsOf(tests).flatMap((job) =>
    [...bases].flatMap(([system, base]) => (job.own && system !== "proteus" ? [] : [{ job, system, base }])),
  );
  let done = 0;
  for (let round = 0; round < runs; round++)
    for (const { job, system, base } of cases) {
      abort.throwIfAborted();
      progress(job.tests[0] ?? "", system, done++, cases.length * runs);
      if ("problem" in base) rows.fail(job, system, base.problem);
      if ("problem" in base || rows.hasFailed(job, system)) continue;
      const folder = join(base.path, `${job.tests[0]}-${round}`);
      const place: FsPlace = { scene, folder, tree, settings, mount: base.mount };
      try {
        if (!job.own) await scene.run("mkdir", ["mkdir", folder], removeMs);
        for (const [test, run] of await job.measure(place)) rows.add(test, system, run);
        if (!job.own) await scene.run("rm", ["rm", "-rf", folder], removeMs);
      } catch (error) {
        abort.throwIfAborted();
        rows.fail(job, system, reasonOf(error));
      }
    }
  return rows;
}

async function measureIn(root: string, core: number, programs: FsPrograms, options: FsBenchOptions) {
  const { abort, systems, settings, tests } = options;
  const git = await versionOf(["git", "--version"]);
  const made = join(root, "made");
  mkdirSync(made);
  const needsTree = tests.some((test) => test === "untar" || test.startsWith("git-"));
  const tree = await makeTree(made, needsTree ? settings.files : 0, needsTree && git !== null);
  const scene = await FsScene.make({ root, core, programs, abort });
  try {
    const bases = new Map<FsSystem, Base>();
    for (const system of fsSystems.filter((each) => systems.includes(each)))
      try {
        bases.set(system, await baseOf(system, scene, programs));
      } catch (error) {
        abort.throwIfAborted();
        bases.set(system, { problem: reasonOf(error) });
      }
    const rows = await measureRounds(scene, bases, tree, options);
    const ours = bases.get("proteus");
    const passthrough = ours !== undefined && "mount" in ours ? (ours.mount?.passthrough ?? null) : null;
    return { results: rows.results(tests), passthrough, git, isolation: scene.isolation };
  } finally {
    await scene.remove();
  }
}

/** Runs a benchmark of file systems. Rejects with ProteusError, or with the abort's reason. */
export async function runFsBench(options: FsBenchOptions): Promise<FsReport> {
  const { settings, runs, version, systems } = options;
  if (process.getuid?.() !== 0)
    throw new ProteusError({
      code: "BENCH_ISOLATION",
      exit: exitCodes.denied,
      message: "file systems are mounted by root only",
      unchanged: "nothing was measured",
      hint: "run it as root",
    });
  const host = machine();
  const [core = 0] = allowedCores();
  const programs = await buildFsPrograms(options.workSource, systems.includes("passthrough_ll"));
  const root = mkdtempSync(join(options.folder, "proteus-bench-"));
  try {
    const found = await measureIn(root, core, programs, options);
    const { results, passthrough, git, isolation } = found;
    const { bytes, files, records } = settings;
    return {
      environment: {
        ...{ proteus: version, ...host, isolation, runs, core, bytes, files, records, passthrough, git },
        ...{ disk: await fileSystemOf(options.folder), libfuse: programs.peer?.version ?? null },
      },
      results,
      ratios: fsRatiosOf(results),
      remarks: fsRemarksOf(results, host.load, passthrough),
    };
  } finally {
    programs.remove();
    rmSync(root, { recursive: true, force: true });
  }
}
