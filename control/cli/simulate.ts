// `proteus simulate`: whole clusters in virtual time, with faults, checkers and replays.
//
// - One seed is one run; the same seed, options and commit give the same event hash.
// - A failure prints the command that replays it; of the first one the schedule of faults is
//   made small, and kept in a file that --faults takes.
// - Exit 1 when a checker found something, 2 on bad usage.

import { createHash } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { Campaign, type Failure } from "../../simulation/campaign.js";
import { standardRates } from "../../simulation/faults/generate.js";
import { parseFaults } from "../../simulation/faults/kinds.js";
import { shrink } from "../../simulation/faults/shrink.js";
import { Recorder } from "../../simulation/record/recorder.js";
import type { RunResult } from "../../simulation/run.js";
import { standardWorkload, workloadNames } from "../../simulation/workloads/registry.js";
import { exitCodes, usageError } from "../kernel/errors.js";
import { commitName, commitSeed } from "./commit.js";
import { untilStopped } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseCount } from "./quantity.js";
import { type Job, SeedRunner } from "./simulate-job.js";
import { runApart, runHere, type Seeds } from "./simulate-jobs.js";

const help = `
Workloads: ${workloadNames.join(", ")}, or a module of your own (./my-workload.js).
--faults takes a schedule as a failure leaves it, or rates a minute: {"crash": 3, "loss": 4}

Examples:
  proteus simulate --seed 42
  proteus simulate --seeds 1..200 --workload groups --jobs 2
  proteus simulate --seed 42 --pcap run.pcap --timeline run.json      open run.json in ui.perfetto.dev
  proteus simulate --seeds 1..100000 --hours 10 --json                as long as one likes

Exit codes: 1 when a checker found something.`;

const defaultHours = 1 / 6;
const secondsPerHour = 3600;
const shrinkSecondsMax = 60;
const progressMs = 2000;
const breatheMs = 50;

interface Options {
  readonly seed?: string | undefined;
  readonly seeds?: string | undefined;
  readonly hours: string;
  readonly machines: string;
  readonly workload: string;
  readonly faults?: string | undefined;
  readonly pcap?: string | undefined;
  readonly timeline?: string | undefined;
  readonly jobs?: string | undefined;
  readonly shrink: boolean;
  readonly json: boolean;
}

/** Adds `simulate` to the program. */
export function registerSimulate(program: Command): void {
  program
    .command("simulate")
    .description("run whole clusters in virtual time, with faults and checkers; repeatable bit for bit")
    .option("--seed <number>", "run this one seed")
    .option("--seeds <range>", "run these: 1..200")
    .option("--hours <hours>", "simulated time of each seed", String(defaultHours))
    .option("--machines <count>", "machines of each cluster, routers not counted", "5")
    .option("--workload <name>", "what the machines do", standardWorkload)
    .option("--faults <file>", "what goes wrong: a schedule, or rates")
    .option("--pcap <file>", "write every frame that is sent (one seed)")
    .option("--timeline <file>", "write a timeline for Perfetto (one seed)")
    .option("--jobs <count>", "processes at a time; default: one a core")
    .option("--no-shrink", "do not make the first failure's schedule small")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", help)
    .action(async (options) => {
      process.exitCode = await simulate(options);
    });
}

// ---- what was asked for --------------------------------------------------------------

function seedsOf({ seed, seeds }: Options): Seeds {
  if (seed !== undefined && seeds !== undefined)
    throw usageError("--seed and --seeds exclude each other", "give one of them, or neither");
  const whole = (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value < 2 ** 32))
      throw usageError(`"${text}" is not a seed`, "a seed is a whole number below 2^32");
    return value;
  };
  if (seed !== undefined) return { first: whole(seed), count: 1 };
  if (seeds === undefined) {
    const first = commitSeed();
    narrate(`seed ${first}, of commit ${commitName().slice(0, 12)}`);
    return { first, count: 1 };
  }
  const [from = "", to = "", ...rest] = seeds.split("..");
  if (rest.length > 0 || to === "") throw usageError(`"${seeds}" are no seeds`, "a range is like 1..200");
  const [first, last] = [whole(from), whole(to)];
  if (last < first) throw usageError(`${seeds} holds no seed`, "the first seed comes first: 1..200");
  return { first, count: last - first + 1 };
}

function jobOf(options: Options): Job {
  const hours = Number(options.hours);
  if (!(hours >= 0.0001 && hours <= 100_000))
    throw usageError(`"${options.hours}" is not a number of hours`, "0.0001 to 100000 hours for each seed");
  const machines = parseCount(options.machines, 60);
  if (machines < 2) throw usageError("a cluster has at least 2 machines");
  const common = {
    workload: options.workload,
    machines,
    microseconds: Math.round(hours * secondsPerHour * 1e6),
  };
  if (options.faults === undefined) return { ...common, rates: standardRates };
  return { ...common, ...parseFaults(readFileSync(options.faults, "utf8"), options.faults) };
}

/** The command that does it again. */
function replayOf({ hours, machines, workload, faults }: Options, seed: number, schedule = faults): string {
  const words = ["npx proteus simulate", `--seed ${seed}`];
  if (workload !== standardWorkload) words.push(`--workload ${workload}`);
  if (Number(hours) !== defaultHours) words.push(`--hours ${hours}`);
  if (machines !== "5") words.push(`--machines ${machines}`);
  if (schedule !== undefined) words.push(`--faults ${schedule}`);
  return words.join(" ");
}

/** The files of --pcap and --timeline. */
function recorderOf({ pcap, timeline }: Options): { recorder?: Recorder; close: () => void } {
  if (pcap === undefined && timeline === undefined) return { close: () => undefined };
  const files: number[] = [];
  const open = (path: string): number => {
    const file = openSync(path, "w");
    files.push(file);
    return file;
  };
  const [frames, marks] = [pcap, timeline].map((path) => (path === undefined ? undefined : open(path)));
  const recorder = new Recorder({
    ...(frames !== undefined && { pcap: (bytes: Uint8Array) => void writeSync(frames, bytes) }),
    ...(marks !== undefined && { timeline: (text: string) => void writeSync(marks, text) }),
  });
  return { recorder, close: () => files.forEach(closeSync) };
}

// ---- the command ---------------------------------------------------------------------

async function simulate(options: Options): Promise<number> {
  const job = jobOf(options);
  const jobs = options.jobs === undefined ? availableParallelism() : parseCount(options.jobs, 1024);
  const seeds = seedsOf(options);
  const recording = options.pcap !== undefined || options.timeline !== undefined;
  if (recording && seeds.count > 1)
    throw usageError("--pcap and --timeline are for one seed", "give --seed with the one to look at");
  const runner = await SeedRunner.open(job);
  const abort = new AbortController();
  untilStopped().promise.then(
    () => abort.abort(),
    () => undefined,
  );
  const campaign = new Campaign();
  const failed: RunResult[] = [];
  const progress = new Progress(campaign, seeds.count);
  let cpuSeconds = 0;
  const ended = (outcome: RunResult, cpu: number): void => {
    campaign.add(outcome);
    cpuSeconds += cpu;
    if (outcome.violation !== null && failed.push(outcome) <= reportsMax) report(options, outcome);
    progress.show();
  };
  if (recording) await runRecorded(runner, seeds.first, options, ended);
  else if (jobs === 1 || seeds.count === 1)
    await runHere(runner, seeds, ended, progress.breathe, () => abort.signal.aborted);
  else await runApart(job, seeds, jobs, ended, abort.signal);
  progress.end();
  const first = failed[0];
  if (first !== undefined && options.shrink && !abort.signal.aborted) await small(runner, first, options);
  const failures = campaign.failures("rates" in job ? job.rates : {});
  summary(options, seeds, campaign, failures, cpuSeconds);
  return failures.length > 0 ? exitCodes.failed : exitCodes.ok;
}

const reportsMax = 20;

function report(options: Options, { seed, violation }: RunResult): void {
  if (violation === null) return;
  const at = (violation.at / 1e6).toFixed(3);
  narrate(`seed ${seed}: ${violation.checker} at ${at} s: ${violation.what}`);
  narrate(`  replay: ${replayOf(options, seed)}`);
}

async function runRecorded(
  runner: SeedRunner,
  seed: number,
  options: Options,
  ended: (outcome: RunResult, cpu: number) => void,
): Promise<void> {
  const { recorder, close } = recorderOf(options);
  const before = process.cpuUsage();
  try {
    const outcome = await runner.run(seed, { recorder });
    const { user, system } = process.cpuUsage(before);
    ended(outcome, (user + system) / 1e6);
  } finally {
    close();
  }
}

/** Makes the schedule of a failure small, and keeps it in a file. */
async function small(runner: SeedRunner, { seed, violation, schedule }: RunResult, options: Options) {
  const until = performance.now() + shrinkSecondsMax * 1000;
  const early = schedule.filter(({ at }) => at <= (violation?.at ?? 0));
  narrate(`making the ${schedule.length} faults of seed ${seed} fewer …`);
  const smaller = await shrink(early, {
    fails: async (entries) =>
      (await runner.run(seed, { schedule: entries })).violation?.checker === violation?.checker,
    enough: () => performance.now() > until,
  });
  const file = join(mkdtempSync(join(tmpdir(), "proteus-simulate-")), `seed-${seed}.json`);
  const lines = smaller.map((entry) => `  ${JSON.stringify(entry)}`);
  writeFileSync(file, lines.length === 0 ? "[]\n" : `[\n${lines.join(",\n")}\n]\n`);
  narrate(`${smaller.length} of them are enough:`);
  for (const line of lines.slice(0, 20)) narrate(line);
  narrate(`  replay: ${replayOf(options, seed, file)}`);
}

function summary(
  options: Options,
  seeds: Seeds,
  campaign: Campaign,
  failures: readonly Failure[],
  cpuSeconds: number,
): void {
  const hours = campaign.simulatedSeconds / secondsPerHour;
  const factor = cpuSeconds > 0 ? campaign.simulatedSeconds / cpuSeconds : 0;
  const faults = campaign.faultsSeen;
  const document = {
    seeds: campaign.seeds,
    first: seeds.first,
    ok: failures.length === 0,
    kernel: createHash("sha256").update(kernelBytes()).digest("hex"),
    workload: options.workload,
    machines: Number(options.machines),
    eventHash: campaign.eventHash,
    events: campaign.events,
    simulatedHours: hours,
    cpuSeconds,
    realTimeFactor: factor,
    faults,
    happened: campaign.happened,
    failures: failures.map(({ seed, checker, what }) => ({
      seed,
      checker,
      what,
      replay: seed === null ? null : replayOf(options, seed),
    })),
  };
  emit("simulate", options.json, document, () =>
    [
      `seeds       ${campaign.seeds}, from ${seeds.first} on`,
      `simulated   ${hours.toFixed(2)} hours, ${factor.toFixed(0)} x real time`,
      `event hash  ${campaign.eventHash}, ${campaign.events} events`,
      `faults      ${counted(faults)}`,
      `happened    ${counted(campaign.happened)}`,
      failures.length === 0 ? "no checker found anything" : `FAILED      ${failures.length} of the seeds`,
      ...failures
        .slice(0, reportsMax)
        .map(({ seed, checker, what }) => `  ${seed ?? "all"}: ${checker}: ${what}`),
    ].join("\n"),
  );
}

const counted = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

/** Lines on stderr now and then, so that a long run shows that it lives. */
class Progress {
  readonly #campaign: Campaign;
  readonly #count: number;
  #shown = performance.now();
  #breathed = performance.now();
  #within = 0;
  #lines = 0;

  constructor(campaign: Campaign, count: number) {
    this.#campaign = campaign;
    this.#count = count;
  }

  /** For a run in this process: lets signals through, and shows how far it is. */
  readonly breathe = async (virtualSeconds: number): Promise<void> => {
    this.#within = virtualSeconds;
    if (performance.now() - this.#breathed < breatheMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#breathed = performance.now();
    this.show();
  };

  show(): void {
    const now = performance.now();
    if (now - this.#shown < progressMs) return;
    this.#shown = now;
    const { seeds, simulatedSeconds } = this.#campaign;
    const hours = (simulatedSeconds + this.#within) / secondsPerHour;
    const line = `${seeds} of ${this.#count} seeds, ${hours.toFixed(2)} simulated hours`;
    if (process.stderr.isTTY) process.stderr.write(`\r${line}  `);
    else if (this.#lines++ % 5 === 0) narrate(line);
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}
