// Writes a report into a folder: report.html for people, report.json for programs.
//
// - The folder is made when it is not there. Each file appears whole or not at all; what
//   had its name before is replaced.

import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Report } from "../types.js";
import { chartsOf } from "./charts.js";
import { pageOf } from "./page.js";

function writeWhole(path: string, content: string): void {
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

/** Makes the folder and tries it, so that nobody measures for minutes in vain. Throws BENCH_REPORT. */
export function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    const probe = join(folder, "report.json.part");
    writeFileSync(probe, "");
    rmSync(probe);
  } catch (error) {
    throw new ProteusError({
      code: "BENCH_REPORT",
      exit: exitCodes.failed,
      message: `no report can be written to ${folder}`,
      why: error instanceof Error ? error.message : String(error),
      unchanged: "nothing was measured",
      hint: "name a folder that you may write to",
      cause: error,
    });
  }
}

/** Writes both files; answers their paths. `text`: the report as the terminal shows it. */
export async function writeReport(
  folder: string,
  report: Report,
  said: { readonly text: string; readonly environment: readonly string[] },
): Promise<string[]> {
  const charts = await chartsOf(report).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  const json = join(folder, "report.json");
  const html = join(folder, "report.html");
  writeWhole(json, `${JSON.stringify({ schema: 1, ...report })}\n`);
  writeWhole(html, pageOf(report, { ...said, charts }));
  return [html, json];
}
