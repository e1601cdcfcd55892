// The jobs of which a benchmark of file systems consists: what is done in a folder of each system, or
// with mounts of its own, and the runs that come of it.
//
// - A job may give several tests their run: closing a large file belongs to writing it, git status to
//   the clone.
// - Calls of ours are counted from the end of the preparations until vice has taken everything.

import { join } from "node:path";
import { z } from "zod";
import type { FsMount, FsScene } from "./scene.js";
import type { FsTree } from "./tree.js";
import { commonFsTests, type FsRun, type FsTest, ownFsTests } from "./types.js";

/** What every job is told. */
export interface FsPlace {
  readonly scene: FsScene;
  /** Empty, on the file system that is measured. */
  readonly folder: string;
  /** Ours, where it is measured. */
  readonly mount: FsMount | undefined;
  readonly tree: FsTree;
  readonly settings: FsSettings;
}

export interface FsSettings {
  /** Names that a test goes over. */
  readonly count: number;
  /** A test of single operations ends after it. */
  readonly milliseconds: number;
  /** Of the large file. */
  readonly bytes: number;
  /** Of the tree. */
  readonly files: number;
  /** That are brought back. */
  readonly records: number;
}

export type FsRuns = ReadonlyMap<FsTest, FsRun>;

export interface FsJob {
  readonly tests: readonly FsTest[];
  /** Of a server and its clients: ours alone, with mounts of its own. */
  readonly own: boolean;
  readonly measure: (place: FsPlace) => Promise<FsRuns>;
}

/** The longest that a single program may take. */
const patienceMs = 300_000;

const answerSchema = z.object({
  ...{
    operations: z.number().positive(),
    seconds: z.number().positive(),
    p50Us: z.number(),
    p99Us: z.number(),
  },
  ...{ closeSeconds: z.number().optional(), stale: z.number().optional() },
});
export type WorkAnswer = z.infer<typeof answerSchema>;

const nothing: FsRun = {
  ...{ perSecond: null, megabytesPerSecond: null, seconds: null, p50Us: null, p99Us: null },
  callsPerOperation: null,
};

/** What fs-work said as a run. Pure. */
export function runOfWork(test: FsTest, answer: WorkAnswer, calls: number | null): FsRun {
  const { operations, seconds, p50Us, p99Us, closeSeconds = 0, stale } = answer;
  const megabytes = (took: number) => (operations * 1.048576) / took;
  const callsPerOperation = calls === null ? null : calls / operations;
  switch (test) {
    case "sequential-read":
    case "sequential-write":
      return { ...nothing, megabytesPerSecond: megabytes(seconds), p50Us, p99Us };
    case "sequential-write-close":
      return { ...nothing, megabytesPerSecond: megabytes(seconds + closeSeconds), callsPerOperation };
    case "untar":
    case "git-clone":
    case "git-status":
      return { ...nothing, seconds, callsPerOperation: calls };
    case "close-to-read":
    case "close-to-read-strict":
      return { ...nothing, p50Us, p99Us, ...(stale === undefined ? {} : { stale }) };
    default:
      return { ...nothing, perSecond: operations / seconds, p50Us, p99Us, callsPerOperation };
  }
}

interface Worked {
  readonly answer: WorkAnswer;
  readonly calls: number | null;
}

/** Runs fs-work in a place, and counts ours' calls. */
async function worked({ scene, mount }: FsPlace, words: readonly string[]): Promise<Worked> {
  let before = 0;
  const said = await scene.work(words, patienceMs, async () => {
    if (mount === undefined) return;
    await mount.shipped(patienceMs, scene.abort);
    before = (await mount.ask("status")).calls;
  });
  const answer = answerSchema.parse(said);
  if (mount === undefined) return { answer, calls: null };
  await mount.shipped(patienceMs, scene.abort);
  return { answer, calls: (await mount.ask("status")).calls - before };
}

/** A test of fs-work itself, and the others that its answer has too. */
function workJob(test: FsTest, ...others: readonly FsTest[]): FsJob {
  const tests = [test, ...others];
  return {
    ...{ tests, own: false },
    async measure(place) {
      const { count, milliseconds, bytes } = place.settings;
      const words = [test, place.folder, `${count}`, `${milliseconds}`, `${bytes}`];
      const { answer, calls } = await worked(place, words);
      return new Map(tests.map((each) => [each, runOfWork(each, answer, calls)]));
    },
  };
}

async function timedCommand(place: FsPlace, test: FsTest, command: readonly string[]): Promise<FsRun> {
  const { answer, calls } = await worked(place, ["run", ...command]);
  return runOfWork(test, answer, calls);
}

const untar: FsJob = {
  ...{ tests: ["untar"], own: false },
  async measure(place) {
    const command = ["tar", "-xf", place.tree.archive, "-C", place.folder];
    return new Map([["untar", await timedCommand(place, "untar", command)]]);
  },
};

const git: FsJob = {
  ...{ tests: ["git-clone", "git-status"], own: false },
  async measure(place) {
    const { repository } = place.tree;
    if (repository === null) throw new Error("git is not installed: apt-get install git");
    const clone = join(place.folder, "clone");
    const cloning = ["git", "clone", "--quiet", "--no-local", repository, clone];
    const status = ["git", "-C", clone, "status", "--short"];
    const runs = new Map<FsTest, FsRun>([["git-clone", await timedCommand(place, "git-clone", cloning)]]);
    await place.scene.run("git status", status, patienceMs);
    return runs.set("git-status", await timedCommand(place, "git-status", status));
  },
};

/** From the call of close on one machine to the new bytes on the other. */
function closeJob(test: "close-to-read" | "close-to-read-strict"): FsJob {
  return {
    ...{ tests: [test], own: true },
    async measure({ scene, settings }) {
      const volume = await scene.volume(test === "close-to-read" ? "session" : "strict");
      const mounts = [await scene.mount(volume), await scene.mount(volume, "far")];
      try {
        const paths = mounts.map(({ target }) => join(target, "file"));
        const bounds = [`${settings.count}`, `${10 * settings.milliseconds}`];
        const said = await scene.work(["close", ...paths, ...bounds], patienceMs);
        return new Map([[test, runOfWork(test, answerSchema.parse(said), null)]]);
      } finally {
        for (const mount of mounts) await mount.stop();
      }
    },
  };
}

/** Records that were made without the network, until vice has all of them. */
function reintegrateJob(test: "reintegrate-names" | "reintegrate-files"): FsJob {
  return {
    ...{ tests: [test], own: true },
    async measure({ scene, settings: { records } }) {
      const mount = await scene.mount(await scene.volume("session"));
      try {
        await scene.run("ls", ["ls", "-A", mount.target], patienceMs); // a folder that was never seen is not known
        await mount.ask("disconnect");
        const [work, count] = test === "reintegrate-names" ? ["mkdir", records] : ["fill", records / 2];
        await scene.work([work, mount.target, `${count}`, `${patienceMs}`, "0"], patienceMs);
        const before = await mount.ask("status");
        await mount.ask("connect");
        const seconds = await mount.shipped(patienceMs, scene.abort);
        const calls = (await mount.ask("status")).calls - before.calls;
        const run = { ...nothing, seconds, records: before.records, perSecond: before.records / seconds };
        return new Map([[test, { ...run, callsPerOperation: calls / before.records }]]);
      } finally {
        await mount.stop();
      }
    },
  };
}

const combined: readonly FsJob[] = [
  workJob("sequential-write", "sequential-write-close"),
  untar,
  git,
  closeJob("close-to-read"),
  closeJob("close-to-read-strict"),
  reintegrateJob("reintegrate-names"),
  reintegrateJob("reintegrate-files"),
];

/** The jobs that give the tests that are wanted, in their order. Pure. */
export function jobsOf(wanted: readonly FsTest[]): FsJob[] {
  const jobs = [...commonFsTests, ...ownFsTests].flatMap((test) => {
    if (!wanted.includes(test)) return [];
    return [combined.find(({ tests }) => tests.includes(test)) ?? workJob(test)];
  });
  return [...new Set(jobs)];
}
