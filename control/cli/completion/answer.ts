// `proteus complete -- WORDS`, which the scripts of `proteus completion` call at every Tab: one
// candidate a line, a tab, what it is; the last line says whether files fit here too.
//
// - It answers fast or with nothing, and never with an error: the commands come from the file
//   that the build wrote, live names get a part of a third of a second, and
//   paths of the pool, and its disks, under half a one.

import { readFileSync } from "node:fs";
import { ShellCompDirective } from "@bomb.sh/tab";
import type { CommandEntry } from "./commands.js";
import { namesOf, type Source } from "./names.js";
import { type Candidate, questionOf } from "./question.js";

/** Since the process was started; what is asked for names gets at least the other. */
const wholeMs = 250;
const namesLeastMs = 80;
/** A pool's directory and its disk servers are asked through a daemon. */
const pathsLeastMs = 400;

/** What the build has written. */
export const commandsFile = new URL("./commands.json", import.meta.url);

/** The lines for what the last word could become. */
export async function answerTo(
  program: CommandEntry,
  words: readonly string[],
  sources?: readonly Source[],
): Promise<readonly string[]> {
  const { typed, fixed, value } = questionOf(program, words);
  const candidates: Candidate[] = [...fixed];
  if (value !== undefined && "words" in value)
    candidates.push(...value.words.map((word) => ({ value: word, about: "" })));
  if (value !== undefined && "kind" in value) {
    const isAsked = value.kind === "path" || value.kind === "disk" || value.kind === "member";
    const least = isAsked ? pathsLeastMs : namesLeastMs;
    const left = Math.max(least, wholeMs - performance.now());
    candidates.push(...(await namesOf(value.kind, left, sources, typed)));
  }
  const isPath = value !== undefined && "path" in value;
  const fitting = candidates.filter((each) => each.value.startsWith(typed));
  // Behind a directory one goes on.
  const goesOn = fitting.length > 0 && fitting.every((each) => each.value.endsWith("/"));
  const directive =
    (isPath
      ? ShellCompDirective.ShellCompDirectiveDefault
      : ShellCompDirective.ShellCompDirectiveNoFileComp) |
    (goesOn ? ShellCompDirective.ShellCompDirectiveNoSpace : 0);
  return [...fitting.map(line), `:${directive}`];
}

/** What a name or a description holds must not look like another line. */
const line = ({ value, about }: Candidate): string => `${value}\t${about}`.replace(/[^\t\P{C}]/gu, " ");

/** Answers a Tab on standard output, and ends the process. */
export async function complete(words: readonly string[]): Promise<void> {
  let lines: readonly string[];
  try {
    const program = JSON.parse(readFileSync(commandsFile, "utf8")) as CommandEntry;
    lines = await answerTo(program, words);
  } catch {
    lines = [`:${ShellCompDirective.ShellCompDirectiveNoFileComp}`];
  }
  process.stdout.write(`${lines.join("\n")}\n`, () => process.exit(0)); // sources may still be waiting
}
