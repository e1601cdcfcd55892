// The parent's side of a worker: starts the process on its machine and core, gives it
// orders, and has it killed when it does not answer.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { toolMissing } from "../lab/tools.js";
import type { End, Pair } from "./pair.js";
import type { Facts, Job } from "./systems/system.js";
import type { Run } from "./types.js";

export type Order =
  | { readonly serve: Job }
  | { readonly measure: Job; readonly facts: Facts }
  | { readonly stop: true };

export type Answer =
  | { readonly ready: Facts }
  | { readonly run: Run }
  | { readonly stopped: true }
  | { readonly failed: string };

const program = fileURLToPath(new URL("./worker-main.js", import.meta.url));
const patienceMs = 30_000;

/** A command on one of the machines, pinned to a core, that dies with this process. */
export function pinned(pair: Pair, end: End, core: number, command: readonly string[]): string[] {
  const dies = ["setpriv", "--pdeathsig", "KILL", "--"];
  return [...pair.enter(end), "--", ...dies, "taskset", "--cpu-list", `${core}`, ...command];
}

export class Worker {
  readonly #child: ChildProcess;
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;
  #words = "";
  #ended: Error | null = null;

  /** Starts the process; a failure to start fails the first order. */
  constructor(pair: Pair, end: End, core: number) {
    const [tool = "", ...rest] = pinned(pair, end, core, [process.execPath, program]);
    this.#child = spawn(tool, rest, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-2000);
    });
    this.#child.on("error", (error: NodeJS.ErrnoException) =>
      this.#end(error.code === "ENOENT" ? toolMissing(tool) : error),
    );
    this.#child.on("exit", (code, signal) => {
      const words = this.#words.trim();
      this.#end(new Error(`its ${end} ended (${signal ?? code})${words === "" ? "" : `: ${words}`}`));
    });
    this.#child.on("message", (answer: Answer) => {
      const settle = this.#settle;
      this.#settle = null;
      if ("failed" in answer) settle?.reject(new Error(answer.failed));
      else settle?.resolve(answer);
    });
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#settle?.reject(this.#ended);
    this.#settle = null;
  }

  /** Gives one order and waits for its answer. */
  async order(order: Order): Promise<Answer> {
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
