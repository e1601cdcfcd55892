// The parent's side of a worker: a process on one of the machines that does what it is told
// over the channel of `fork`, one order after the other, and is killed when it does not answer.

import { type ChildProcess, spawn } from "node:child_process";
import { toolMissing } from "../lab/tools.js";

const standardPatienceMs = 30_000;

/**
 * A command on the machine that `enter` leads to, pinned to a core (null: to none), that dies
 * with this process.
 */
export function pinned(enter: readonly string[], core: number | null, command: readonly string[]): string[] {
  const dies = ["setpriv", "--pdeathsig", "KILL", "--"];
  const stays = core === null ? [] : ["taskset", "--cpu-list", `${core}`];
  return [...enter, "--", ...dies, ...stays, ...command];
}

/** What a worker answers when an order failed. */
export interface Failed {
  readonly failed: string;
}

export class Worker<Order extends object, Answer extends object> {
  readonly #child: ChildProcess;
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
    this.#child = spawn(tool, rest, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-2000);
    });
    this.#child.on("error", (error: NodeJS.ErrnoException) =>
      this.#end(error.code === "ENOENT" ? toolMissing(tool) : error),
    );
    this.#child.on("exit", (code, signal) => {
      const words = this.#words.trim();
      this.#end(new Error(`its ${what} ended (${signal ?? code})${words === "" ? "" : `: ${words}`}`));
    });
    this.#child.on("message", (answer: Answer | Failed) => {
      const settle = this.#settle;
      this.#settle = null;
      if ("failed" in answer) settle?.reject(new Error(answer.failed));
      else settle?.resolve(answer);
    });
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
        this.#child.send(order, (error) => {
          if (error !== null) this.#end(error);
        });
      });
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
