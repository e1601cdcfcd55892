// `proteus status`: the health of what runs on this machine, at a glance. What is judged, and
// how, is health.ts; here is how it looks, once or again and again.

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "@commander-js/extra-typings";
import pc from "picocolors";
import { exitCodes, usageError } from "../kernel/errors.js";
import { requireLab } from "../lab/lab.js";
import { untilStopped } from "./foreground.js";
import { type Health, type HealthReport, lookAround } from "./health.js";
import { emit, hasColours } from "./output.js";
import { parseDuration } from "./quantity.js";
import { table } from "./table.js";

const help = `
Shows the labs that run on this computer with their machines and links, this machine's own
node, and the pool of its control daemon, or of the one that PROTEUS_CONTROL names. ok: it
answers and nothing is wrong with it; bad: the hint says what to do; unknown: nobody could
tell, or nothing runs.

Exit codes: 0 all is ok, 6 something is bad or unknown.

Examples:
  proteus status
  proteus status --watch 2s
  proteus lab start n1 && proteus status --wait 10s
  proteus status --json`;

const colour = pc.createColors(true); // whether there are any is asked when they are shown
const marks: Readonly<Record<Health, (text: string) => string>> = {
  ok: colour.green,
  bad: colour.red,
  unknown: colour.yellow,
};

/** The block for people; `colours` only on a terminal. */
export function healthText({ state, items }: HealthReport, colours: boolean): string {
  const mark = (health: Health): string => (colours ? marks[health](health) : health);
  if (items.length === 0)
    return `health: ${mark(state)}\nno lab runs here, and no node: proteus lab up, or proteus node start`;
  const rows = items.map((item) => [mark(item.state), item.what, item.words]);
  const hints = items.flatMap(({ what, hint }) => (hint === undefined ? [] : [`${what}: ${hint}`]));
  return [`health: ${mark(state)}`, table(["STATE", "WHAT", "IS"], rows), ...hints].join("\n");
}

const home = "\u001b[H\u001b[J"; // the cursor goes to the top, what is below goes away

interface Shown {
  readonly lab?: string | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
}

async function show({ lab, timeoutMs, json }: Shown, clear: boolean): Promise<void> {
  say(await lookAround({ lab, timeoutMs }), json, clear);
}

function say(report: HealthReport, json: boolean, clear: boolean): void {
  const terminal = process.stdout.isTTY === true;
  if (clear && terminal && !json) process.stdout.write(home);
  process.exitCode = report.state === "ok" ? exitCodes.ok : exitCodes.degraded;
  emit("status", json, report, () => healthText(report, hasColours(process.stdout)));
}

/** Shows it again and again until a signal; the exit code is that of the last look. */
async function watch(shown: Shown, everyMs: number): Promise<void> {
  const stopped = untilStopped();
  let over = false;
  const end = stopped.promise.then(() => {
    over = true;
  });
  while (!over) {
    await show(shown, true);
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, everyMs);
    });
    await Promise.race([pause, end]);
    clearTimeout(timer);
  }
}

const lookEveryMs = 200;

/** Looks until all is well or the time is over, and shows the last look. */
async function waitUntilWell({ lab, timeoutMs, json }: Shown, forMs: number): Promise<void> {
  const deadline = performance.now() + forMs;
  let report = await lookAround({ lab, timeoutMs });
  while (report.state !== "ok" && performance.now() < deadline) {
    await sleep(Math.min(lookEveryMs, Math.max(0, deadline - performance.now())));
    report = await lookAround({ lab, timeoutMs });
  }
  say(report, json, false);
}

/** Adds `status` to the program. */
export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("the health of the labs and the node on this machine: ok, bad or unknown")
    .option("--lab <name>", "only this lab")
    .option("--watch [interval]", "again and again, every 2s unless it says otherwise; Ctrl-C ends it")
    .option("--wait <duration>", "until all is ok, at most so long: 30s")
    .option("--timeout <duration>", "how long a machine may take to answer", "2s")
    .option("--json", "one JSON document on stdout; with --watch one a line", false)
    .addHelpText("after", help)
    .action(async ({ lab, watch: interval, wait, timeout, json }) => {
      if (wait !== undefined && interval !== undefined)
        throw usageError(
          "--wait and --watch exclude each other",
          "--wait ends when all is ok, --watch never",
        );
      const forMs = wait === undefined ? undefined : parseDuration(wait);
      if (lab !== undefined) requireLab(lab);
      const shown = { lab, timeoutMs: parseDuration(timeout), json };
      if (forMs !== undefined) await waitUntilWell(shown, forMs);
      else if (interval === undefined) await show(shown, false);
      else await watch(shown, parseDuration(interval === true ? "2s" : String(interval)));
    });
}
