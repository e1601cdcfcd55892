// The tree that is unpacked and cloned: made from a seed, so that every run has the same one.
//
// - Files of 200 bytes to 16 KiB, most of them small, thirty in a folder: as source code has them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool, toolEnvironment } from "../../lab/tools.js";

const inFolder = 30;
const smallest = 200;
const sizesSpan = 6.3; // 200 × 2^6.3 is about 16 KiB
const letters = "etaoin shrdlu\n{};()=.";

export interface FsTree {
  readonly archive: string;
  /** Of a repository with one commit; null without git. */
  readonly repository: string | null;
}

/** Numbers from 0 to 1, the same each time (a linear congruential generator). */
function numbers(): () => number {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The text of a file of about so many bytes. Pure but for the numbers. */
function textOf(bytes: number, next: () => number): string {
  let text = "";
  while (text.length < bytes) {
    const word = Array.from({ length: 8 }, () => letters[Math.floor(next() * letters.length)] ?? " ").join(
      "",
    );
    text += word.repeat(1 + Math.floor(next() * 4));
  }
  return text.slice(0, bytes);
}

async function must(command: readonly string[], folder: string): Promise<void> {
  const environment = {
    ...toolEnvironment(),
    ...{ GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    ...{ GIT_AUTHOR_NAME: "bench", GIT_AUTHOR_EMAIL: "bench@localhost", GIT_AUTHOR_DATE: "1000000000 +0000" },
    ...{ GIT_COMMITTER_NAME: "bench", GIT_COMMITTER_EMAIL: "bench@localhost" },
    GIT_COMMITTER_DATE: "1000000000 +0000",
  };
  const { status, errors } = await runTool(command, "", undefined, { folder, environment });
  if (status !== 0)
    throw new Error(`${command.slice(0, 2).join(" ")} ended with ${status}: ${errors.trim()}`);
}

/** Makes it in a folder: the tree, an archive of it, and a repository. */
export async function makeTree(folder: string, files: number, hasGit: boolean): Promise<FsTree> {
  const next = numbers();
  const tree = join(folder, "tree");
  mkdirSync(tree);
  for (let i = 0; i < files; i++) {
    const inside = join(tree, `d${Math.floor(i / inFolder) % 20}`, `e${Math.floor(i / inFolder)}`);
    if (i % inFolder === 0) mkdirSync(inside, { recursive: true });
    const bytes = Math.floor(smallest * 2 ** (next() * next() * sizesSpan));
    writeFileSync(join(inside, `file${i}.txt`), textOf(bytes, next));
  }
  const archive = join(folder, "tree.tar");
  await must(["tar", "-C", tree, "-cf", archive, "."], folder);
  if (!hasGit) return { archive, repository: null };
  await must(["git", "init", "--quiet", "--initial-branch=main"], tree);
  // A commit would begin one of its own, in the background, and only one at a time may run.
  await must(["git", "config", "gc.auto", "0"], tree);
  await must(["git", "add", "--all"], tree);
  await must(["git", "commit", "--quiet", "--no-verify", "--message=tree"], tree);
  await must(["git", "gc", "--quiet"], tree);
  return { archive, repository: tree };
}
