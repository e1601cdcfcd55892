// What a command for files says at its end: what was done, what was left out, what failed.
//
// - What failed and what was left out is a line each on stderr, and a list with --json. When
//   something failed the command ends with its own error if it was the only thing to do, else with
//   FILES_PARTIAL.
// - Names are anybody's: characters that would do something to a terminal are shown as escapes.

import type { FailureReport, Failures } from "../../files/failures.js";
import { type ExitCode, exitCodes, ProteusError } from "../../kernel/errors.js";
import { narrate } from "../output.js";

/** A name as it can be shown on a terminal. */
export const shown = (name: string): string =>
  name.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );

export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** A number of bytes for people. */
export function bytesText(bytes: number): string {
  if (bytes < 1024) return counted(bytes, "byte");
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes / 1024;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(1)} ${units[unit]}`;
}

const linesMax = 50;

/** Says on stderr what was left out and what failed. */
export function narrateReport(
  command: string,
  { failures, failed, skipped, skippedCount }: FailureReport,
): void {
  for (const { path, why } of skipped.slice(0, linesMax))
    narrate(`${command}: ${shown(path)} left out: ${shown(why)}`);
  if (skippedCount > linesMax)
    narrate(`${command}: ${skippedCount - linesMax} more were left out (--json lists them)`);
  for (const { path, message, why, code } of failures.slice(0, linesMax))
    narrate(
      `${command}: ${shown(path)}: ${shown(message)}${why === undefined ? "" : `, ${shown(why)}`} (${code})`,
    );
  if (failed > linesMax) narrate(`${command}: ${failed - linesMax} more failed (--json lists them)`);
}

/** Throws when something failed. @param single it was the only thing to be done: its own error says it */
export function throwIfFailed(command: string, failures: Failures, single: boolean): void {
  const { failed, givenUp, failures: list } = failures.report;
  const [first] = list;
  if (first === undefined) return;
  if (single && failures.first !== undefined) throw failures.first;
  const exit: ExitCode = givenUp ? exitCodes.unreachable : exitCodes.failed;
  throw new ProteusError({
    code: "FILES_PARTIAL",
    exit,
    message: `${command}: ${counted(failed, "thing")} failed${givenUp ? ", and the rest was not tried" : ""}`,
    why: `the first: ${shown(first.path)}: ${shown(first.message)}`,
    unchanged: "what failed is as it was; the rest was done",
    hint: givenUp ? "repeat it when the servers answer again" : "repeat it for what failed",
  });
}
