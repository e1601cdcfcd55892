// Runs a tool of the operating system (`ip`, `tc`, `nsenter` …) and says what to
// install when it is missing.

import { spawn } from "node:child_process";
import { ProteusError } from "../kernel/errors.js";

const packages: Readonly<Record<string, string>> = { ip: "iproute2", tc: "iproute2", mount: "mount" };

/** The tools live in folders that are not on every user's path. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: "C" };
}

/** The words before a command that dies with its parent. */
export const dies: readonly string[] = ["setpriv", "--pdeathsig", "KILL", "--"];

/** The error for a tool that is not installed. */
export function toolMissing(tool: string): ProteusError {
  return new ProteusError({
    code: "TOOL_MISSING",
    exit: 1,
    message: `the command "${tool}" is not installed`,
    why: "the lab makes its networks with it",
    hint: `install it: apt-get install ${packages[tool] ?? "util-linux"} (or: npm run setup)`,
  });
}

/** What a tool did: its exit status (128 + n when signal n ended it) and its words. */
export interface ToolResult {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** Where a tool runs; default: here, in toolEnvironment(). */
export interface ToolPlace {
  readonly folder?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Runs a tool to its end, `input` on its stdin. Throws only when it could not be started. */
export function runTool(
  command: readonly string[],
  input = "",
  abort?: AbortSignal,
  { folder, environment = toolEnvironment() }: ToolPlace = {},
): Promise<ToolResult> {
  abort?.throwIfAborted();
  const [tool = "", ...rest] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(tool, rest, { cwd: folder, env: environment, stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ENOENT" ? toolMissing(tool) : error);
    });
    child.on("close", (code) => {
      resolve({ status: code ?? 128, output, errors });
    });
    // A tool may end before it has read everything; its exit status tells.
    child.stdin.on("error", () => {}).end(input);
  });
}
