// `proteus replication`: the servers that keep copies of files: what they found and did, and a
// round at once; `run --dry-run` says what there is to be done.
//
// - Exit code 6 when files have fewer copies than they are to have, so that a script sees it.

import type { Command } from "@commander-js/extra-typings";
import {
  REPLICATION_DRY,
  REPLICATION_VERIFY,
  type ReplicationReport,
  replicationReportSchema,
  replicationTable,
} from "../interface/replication.js";
import { type ExitCode, exitCodes } from "../kernel/errors.js";
import { registerServer, type Special } from "./operations.js";
import { table } from "./table.js";

const notes = `
Exit code 6 when a file has fewer copies than it is to have, or was not seen.`;

const words: Readonly<Record<ReplicationReport["acts"][number]["act"], readonly [string, string]>> = {
  mend: ["would mend", "mended"],
  copy: ["would copy", "copied"],
  drop: ["would drop", "dropped"],
  mark: ["would mark", "marked"],
};

function reportText(report: ReplicationReport): string {
  const { dry, files, whole, others, directories, acts, problems, more, verified, copied, complete } = report;
  const acted = acts.map(({ act, path, server, why }) => [words[act][dry ? 0 : 1], path, server, why]);
  const wrong = problems.map(({ path, code, why }) => [path, code, why]);
  return [
    `files ${files}, with all copies ${whole}; other names ${others}, directories ${directories}`,
    `copies made or mended ${copied.copies}, of ${copied.bytes} bytes`,
    `copies read whole ${verified.copies}, of ${verified.bytes} bytes`,
    ...(acted.length > 0 ? [table(["DONE", "PATH", "SERVER", "WHY"], acted)] : []),
    ...(wrong.length > 0 ? [table(["PATH", "PROBLEM", "WHY"], wrong)] : []),
    ...(more.acts + more.problems > 0 ? [`and ${more.acts} more done, ${more.problems} more problems`] : []),
    ...(complete ? [] : ["not all files were seen: the next round goes on"]),
  ].join("\n");
}

function exitOf(reply: Readonly<Record<string, unknown>>): ExitCode {
  const { files, whole, problems, complete } = replicationReportSchema.parse(reply.report);
  return files === whole && problems.length === 0 && complete ? exitCodes.ok : exitCodes.degraded;
}

const shown: Pick<Special, "exit" | "text"> = {
  exit: exitOf,
  text: ({ report }) => reportText(replicationReportSchema.parse(report)),
};

const run: Special = {
  ...shown,
  options: {
    "--dry-run": "only say what is to be done",
    "--verify": "have every copy read whole from its medium, to find what has rotted",
  },
  instead: [],
  notes: `  proteus replication run n1 --dry-run
  proteus replication run n1 --verify --json
${notes}`,
  given: ({ dryRun, verify }) => {
    const flags = (dryRun === true ? REPLICATION_DRY : 0) | (verify === true ? REPLICATION_VERIFY : 0);
    return flags === 0 ? {} : { flags };
  },
};

const report: Special = { ...shown, options: {}, instead: [], notes };

/** Adds `replication` to the program. */
export function registerReplication(program: Command): void {
  registerServer(program, replicationTable, { run, report });
}
