// Servers that nobody here wrote, as children of the process that stands for their machine: they
// share its core and die with it.

import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { dies, runTool, toolEnvironment } from "../lab/tools.js";

const startDeadlineMs = 15_000;
const againMs = 20;

/** The first line of what a program says of its version; null when it is not installed. */
export async function versionOf(command: readonly string[]): Promise<string | null> {
  try {
    const { output, errors } = await runTool(command);
    return `${output}${errors}`.trim().split("\n")[0] ?? null;
  } catch {
    return null;
  }
}

export const install = (name: string, packages: string): string =>
  `${name} is not installed: apt-get install ${packages} (or: npm run setup -- --bench)`;

/** Where a program listens. */
export type Listens = { readonly host: string; readonly port: number } | { readonly path: string };

function isOpen(where: Listens): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    const end = (open: boolean) => () => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

/** A program that listens. */
export class Program {
  readonly #child: ChildProcess;
  #words = "";
  #over = false;

  constructor(
    private readonly name: string,
    command: readonly string[],
  ) {
    const [program = "", ...rest] = [...dies, ...command];
    this.#child = spawn(program, rest, {
      env: toolEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const hear = (text: Buffer) => {
      this.#words = (this.#words + text.toString()).slice(-4000);
    };
    this.#child.stdout?.on("data", hear);
    this.#child.stderr?.on("data", hear);
    this.#child.once("error", () => {
      this.#over = true;
    });
    this.#child.once("exit", () => {
      this.#over = true;
    });
  }

  /** Resolves when it takes connections. */
  async listening(where: Listens): Promise<void> {
    const deadline = performance.now() + startDeadlineMs;
    while (!(await isOpen(where))) {
      if (this.#over || performance.now() > deadline)
        throw new Error(`${this.name} did not start: ${this.#words.trim().split("\n").at(-1) ?? ""}`);
      await setTimeout(againMs);
    }
  }

  async stop(): Promise<void> {
    if (this.#over) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
