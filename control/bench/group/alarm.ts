// Is a slow machine taken for a dead one? A group whose machines have no time: every core is
// full of busy processes, and nobody dies. Each reset that happens is a false alarm.
//
// - Standard timers. Each member sends a message now and then, and sleeps in between: it has
//   to be woken, and to get the core, to be heard.
// - After an alarm a new group begins, so that all of the time counts.
// - What the cores did meanwhile is told too: an idle core would prove nothing.

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { allowedCores } from "../environment.js";
import { pinned } from "../worker.js";
import { Lan, machineOf } from "./lan.js";
import { type Load, monotonicUs } from "./load.js";
import { Ours } from "./ours.js";

export interface AlarmOptions {
  readonly members: number;
  readonly minutes: number;
  /** Busy processes on each core. */
  readonly busy: number;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** Told now and then. */
  readonly progress: (report: AlarmReport) => void;
  readonly abort: AbortSignal;
}

export interface Alarm {
  /** From the beginning, as they were watched. */
  readonly seconds: number;
  readonly what: string;
}

export interface AlarmReport {
  readonly members: number;
  readonly busyProcesses: number;
  /** How long the groups were watched. */
  readonly seconds: number;
  /** Part of the cores' time in which they were idle. */
  readonly idle: number;
  /** Messages that were ordered. */
  readonly messages: number;
  /** The longest time without one at some member. */
  readonly gapMs: number;
  readonly alarms: readonly Alarm[];
}

const sliceMs = 5000;
const everyMs = 50;
const alarmBytes = 64;
const alarmsMost = 1000;

/** A group that never worked is no alarm. */
function noGroup(why: string): ProteusError {
  return new ProteusError({
    code: "BENCH_NO_GROUP",
    exit: exitCodes.failed,
    message: "no group could be formed under load",
    why,
    unchanged: "nothing was watched",
    hint: "try fewer busy processes: --busy 1",
  });
}

/** Idle and whole time of all cores, in ticks: the first line of /proc/stat. Pure. */
export function coreTimes(text: string): { idle: number; all: number } {
  const fields = (text.split("\n")[0] ?? "").trim().split(/\s+/).slice(1, 9).map(Number);
  return { idle: (fields[3] ?? 0) + (fields[4] ?? 0), all: fields.reduce((sum, each) => sum + each, 0) };
}

const readTimes = () => coreTimes(readFileSync("/proc/stat", "utf8"));

/** A process that never rests; it dies with the machine, or with this process. */
function busyProcess(lan: Lan, core: number): ChildProcess {
  const loop = ["sh", "-c", "while :; do :; done"];
  const [tool = "", ...rest] = pinned(lan.machines.enter(machineOf(0)), core, loop);
  return spawn(tool, rest, { stdio: "ignore" });
}

class Watch {
  readonly #options: AlarmOptions;
  readonly #lan: Lan;
  readonly #busy: number;
  readonly #alarms: Alarm[] = [];
  readonly #times = readTimes();
  #seconds = 0; // watched: without the time in which a group was formed
  #messages = 0;
  #gapUs = 0;

  constructor(options: AlarmOptions, lan: Lan, busy: number) {
    this.#options = options;
    this.#lan = lan;
    this.#busy = busy;
  }

  report(): AlarmReport {
    const now = readTimes();
    const all = now.all - this.#times.all;
    return {
      members: this.#options.members,
      busyProcesses: this.#busy,
      seconds: this.#seconds,
      idle: all > 0 ? (now.idle - this.#times.idle) / all : 0,
      messages: this.#messages,
      gapMs: this.#gapUs / 1000,
      alarms: this.#alarms,
    };
  }

  async run(): Promise<AlarmReport> {
    const end = this.#options.minutes * 60;
    while (this.#seconds < end && this.#alarms.length < alarmsMost) {
      const ours = await Ours.start(this.#lan, this.#options.wasm);
      try {
        await ours.prepare({
          ...{ test: "group-send", system: "group", members: this.#options.members },
          ...{ bytes: alarmBytes, resilience: 0, senders: "all", outstanding: 1 },
        });
        while (this.#seconds < end) await this.#slice(ours, Math.min(sliceMs, (end - this.#seconds) * 1000));
      } catch (error) {
        this.#options.abort.throwIfAborted();
        const what = error instanceof Error ? error.message : String(error);
        if (this.#messages === 0) throw noGroup(what);
        this.#alarms.push({ seconds: this.#seconds, what });
      } finally {
        ours.kill();
      }
    }
    return this.report();
  }

  /** Some seconds of the group's life; throws when it breaks. */
  async #slice(ours: Ours, milliseconds: number): Promise<void> {
    const { abort, progress } = this.#options;
    abort.throwIfAborted();
    const startUs = monotonicUs();
    const load: Load = {
      ...{ sends: true, spins: true, bytes: alarmBytes, outstanding: 1, recovers: false, everyMs },
      ...{ startUs, fromUs: startUs, untilUs: startUs + milliseconds * 1000 },
    };
    const runs = ours.members.map((member) => member.run(load));
    const figures = await Promise.all(runs).finally(() => {
      this.#seconds += (monotonicUs() - startUs) / 1e6;
    });
    for (const { total, gapUs } of figures) {
      this.#messages += total;
      this.#gapUs = Math.max(this.#gapUs, gapUs);
    }
    progress(this.report());
  }
}

/** Watches groups for so many minutes. Rejects with ProteusError, or with the abort's reason. */
export async function watchForAlarms(options: AlarmOptions): Promise<AlarmReport> {
  const cores = allowedCores();
  const lan = await Lan.make(options.members, 1500, cores, options.abort);
  try {
    const busy = cores.flatMap((core) => Array.from({ length: options.busy }, () => busyProcess(lan, core)));
    return await new Watch(options, lan, busy.length).run();
  } finally {
    await lan.remove();
  }
}
