// The parent's side of a worker: a process on one of the machines that does what it is told,
// one order after the other, and is killed when it does not answer.
//
// - Orders and answers are JSON, one a line, on its standard input and output (channel.ts): the
//   same through a pipe, and through ssh.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { dies, toolMissing } from "../lab/tools.js";
import type { Failed } from "./channel.js";

const standardPatienceMs = 30_000;

/** The words before a command that stays on a core (null: on any). */
export const stays = (core: number | null): string[] =>
  core === null ? [] : ["taskset", "--cpu-list", `${core}`];

/**
 * A command on the machine that `enter` leads to, pinned to a core (null: to none), that dies
 * with this process.
 */
export function pinned(enter: readonly string[], core: number | null, command: readonly string[]): string[] {
  return [...enter, "--", ...dies, ...stays(core), ...command];
}

/** The whole command that runs words on some machine as `pinned` does. */
export type Pinned = (core: number | null, command: readonly string[]) => readonly string[];

export class Worker<Order extends object, Answer extends object> {
  readonly #child: ChildProcessWithoutNullStreams;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;
  #words = "";
  #ended: Error | null = null;

  /**
   * Starts the process; a failure to start fails the first order.
   *
   * @param what its name, for messages: "client"
   * @param command the whole command, as `pinned` makes it
   */
  constructor(what: string, command: readonly string[]) {
    const [tool = "", ...rest] = command;
    this.#child = spawn(tool, rest, { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-2000);
    });
    this.#child.stdin.on("error", () => {}); // its end says more
    this.#child.on("error", (error: NodeJS.ErrnoException) =>
      this.#end(error.code === "ENOENT" ? toolMissing(tool) : error),
    );
    this.#child.on("close", (code, signal) => {
      const words = this.#words.trim();
      this.#end(new Error(`its ${what} ended (${signal ?? code})${words === "" ? "" : `: ${words}`}`));
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#hear(line));
  }

  #hear(line: string): void {
    const settle = this.#settle;
    this.#settle = null;
    try {
      const answer = JSON.parse(line) as Answer | Failed;
      if ("failed" in answer) settle?.reject(new Error(answer.failed));
      else settle?.resolve(answer);
    } catch {
      settle?.reject(new Error(`it answered "${line.slice(0, 80)}"`));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#settle?.reject(this.#ended);
    this.#settle = null;
  }

  /** Gives one order and waits for its answer. */
  async order(order: Order, patienceMs = standardPatienceMs): Promise<Answer> {
    if (this.#ended !== null) throw this.#ended;
    const timer = setTimeout(() => {
      this.#end(new Error(`no answer within ${patienceMs / 1000} s`));
      this.kill();
    }, patienceMs);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#child.stdin.write(`${JSON.stringify(order)}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
