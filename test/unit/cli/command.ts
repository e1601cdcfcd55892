// Runs the command line in this process and takes what it says.

import { vi } from "vitest";
import { run } from "../../../control/cli/program.js";

export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
}

/** Takes stdout and stderr while `work` runs. */
export async function listen(work: () => Promise<unknown>): Promise<Said> {
  const said = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += text;
      return true;
    }),
  );
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await work();
    return { ...said, exit: Number(process.exitCode ?? 0) };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}

/** `proteus WORDS…` */
export const proteus = (...words: string[]): Promise<Said> => listen(() => run(words));
