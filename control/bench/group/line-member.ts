// A member that is a program of its own and takes its orders as lines on its standard
// input: test/bench/native/cpg-member.c, whose head says which.
//
// - One order at a time, one line of JSON as its answer, within a deadline.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type Figures, type Load, type Member, patienceMs } from "./load.js";

const joinMs = 40_000;

export class LineMember implements Member {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #settle: { resolve: (line: string) => void; reject: (error: Error) => void } | null = null;
  #ended: Error | null = null;
  #words = "";

  /** Starts it; a failure to start fails the first order. */
  constructor(command: readonly string[]) {
    const [tool = "", ...rest] = command;
    this.#child = spawn(tool, rest, { stdio: ["pipe", "pipe", "pipe"] });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const settle = this.#settle;
      this.#settle = null;
      settle?.resolve(line);
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-2000);
    });
    this.#child.stdin.on("error", () => undefined); // its end says more
    this.#child.on("error", (error) => this.#end(error));
    this.#child.on("close", (code, signal) =>
      this.#end(new Error(`a member ended (${signal ?? code}): ${this.#words.trim()}`)),
    );
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#settle?.reject(this.#ended);
    this.#settle = null;
  }

  async #order(line: string, patience: number): Promise<string> {
    if (this.#ended !== null) throw this.#ended;
    const timer = setTimeout(() => {
      this.#end(new Error(`no answer within ${Math.round(patience / 1000)} s`));
      this.kill();
    }, patience);
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#child.stdin.write(`${line}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Joins; resolves when the group has so many members. */
  async join(members: number): Promise<void> {
    await this.#order(`join ${members}`, joinMs);
  }

  async run(load: Load): Promise<Figures> {
    const { sends, bytes, outstanding, startUs, fromUs, untilUs } = load;
    const words = [sends ? 1 : 0, bytes, outstanding, startUs, fromUs, untilUs];
    return JSON.parse(await this.#order(`run ${words.join(" ")}`, patienceMs(load))) as Figures;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
