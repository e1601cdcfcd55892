// `proteus doctor`: what this machine lacks, and the command that mends it. The checks are
// doctor/checks.ts; here is what they come to.
//
// - Exit 0 when nothing is missing, 1 when something required is, 6 when only something is
//   that makes it slower or poorer.

import { type Command, Option } from "@commander-js/extra-typings";
import { exitCodes } from "../kernel/errors.js";
import { allChecks, type Check, type Purpose, purposes } from "./doctor/checks.js";
import { emit } from "./output.js";
import { table } from "./table.js";

/** What one check came to. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "missing" | "poorer";
  readonly for: readonly Purpose[];
  readonly seen: string;
  readonly why: string;
  /** The command that mends it; null when nothing is wrong. */
  readonly mend: string | null;
}

const help = `
Purposes: node, a machine of the pool; lab, machines on this computer; bench, the benchmarks;
development, building and testing Proteus itself. Nothing is changed.

Exit codes: 0 nothing is missing, 1 something required is, 6 something is that makes it poorer.

Examples:
  proteus doctor --for node
  proteus doctor --json`;

/** Looks at everything that the purposes need, one after the other. */
export async function examine(checks: readonly Check[], wanted: readonly Purpose[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) {
    if (!check.for.some((purpose) => wanted.includes(purpose))) continue;
    const { ok, seen, mend } = await check.look();
    const state = ok ? "ok" : check.required ? "missing" : "poorer";
    const { name, why } = check;
    findings.push({ name, state, for: check.for, seen, why, mend: ok ? null : (mend ?? null) });
  }
  return findings;
}

/** The exit code that the findings deserve. */
export function exitOf(findings: readonly Finding[]): 0 | 1 | 6 {
  if (findings.some(({ state }) => state === "missing")) return exitCodes.failed;
  return findings.some(({ state }) => state === "poorer") ? exitCodes.degraded : exitCodes.ok;
}

function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ name, state, seen }) => [state, name, seen]);
  const mends = findings.flatMap(({ name, state, why, mend }) =>
    state === "ok" ? [] : [`${name}: ${why}`, `  ${mend ?? "nothing mends it"}`],
  );
  return [table(["STATE", "WHAT", "SEEN"], rows), ...(mends.length > 0 ? ["", ...mends] : [])].join("\n");
}

/** Adds `doctor` to the program. */
export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description("what this machine lacks, and the command that mends it")
    .addOption(
      new Option("--for <purpose...>", "what the machine is for (default: everything)").choices(purposes),
    )
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", help)
    .action(async ({ for: wanted = purposes, json }) => {
      const findings = await examine(allChecks(), wanted as readonly Purpose[]);
      process.exitCode = exitOf(findings);
      emit("doctor", json, { checks: findings }, () => findingsText(findings));
    });
}
