// `proteus simulate` as a program of its own, for tests that need another process.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../control/cli/package-files.js";

/** What `--json` says, as far as tests read it. */
export interface SimulateReport {
  readonly seeds: number;
  readonly ok: boolean;
  readonly kernel: string;
  readonly eventHash: string;
  readonly events: number;
  readonly simulatedHours: number;
  readonly realTimeFactor: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly happened: Readonly<Record<string, number>>;
  readonly failures: readonly { seed: number | null; checker: string; what: string; replay: string | null }[];
}

const minute = 60_000;

/** Runs it from dist; its report, whether a checker failed or not. */
export async function simulate(words: readonly string[], minutes = 5): Promise<SimulateReport> {
  const program = join(packageRoot, "dist/control/cli/main.js");
  const options = { timeout: minutes * minute, killSignal: "SIGKILL", maxBuffer: 1 << 24 } as const;
  const run = promisify(execFile)(process.execPath, [program, "simulate", "--json", ...words], options);
  const { stdout } = await run.catch((error: { stdout?: string; stderr?: string }) => {
    if (error.stdout?.startsWith("{")) return { stdout: error.stdout };
    throw new Error(`simulate ${words.join(" ")} ended without a report: ${error.stderr ?? String(error)}`);
  });
  return JSON.parse(stdout) as SimulateReport;
}
