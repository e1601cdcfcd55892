// A program of the benchmark: heard line by line, never waited for without a bound, killed with the
// benchmark's end however that comes.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { toolEnvironment } from "../../lab/tools.js";

const wordsMost = 2000;

export class Child {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #words = "";
  #status: number | null = null;

  constructor(
    private readonly what: string,
    [program = "", ...words]: readonly string[],
    environment: NodeJS.ProcessEnv,
    private readonly abort: AbortSignal,
  ) {
    abort.throwIfAborted();
    this.#child = spawn(program, words, { env: { ...toolEnvironment(), ...environment }, cwd: "/" });
    const kill = () => this.kill();
    const ended = (status: number) => {
      this.#status ??= status;
      abort.removeEventListener("abort", kill);
      this.#tell();
    };
    abort.addEventListener("abort", kill);
    this.#child.on("error", () => ended(127)).on("close", (code) => ended(code ?? 128));
    this.#child.stdin.on("error", () => {}); // its end says more
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = (this.#words + text).slice(-wordsMost);
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#tell();
    });
  }

  #tell(): void {
    for (const each of this.#waiting.splice(0)) each();
  }

  #failure(why: string): Error {
    const said = this.#words.trim().split("\n").slice(-3).join(" ");
    return new Error(`${this.what} ${why}${said === "" ? "" : `: ${said}`}`);
  }

  get isOver(): boolean {
    return this.#status !== null;
  }

  /** Waits until something is so; kills the program, and throws, when it is not in time. */
  async #until<Value>(look: () => Value | undefined, milliseconds: number): Promise<Value> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      this.abort.throwIfAborted();
      const left = deadline - performance.now();
      if (left <= 0) {
        this.kill();
        throw this.#failure(`did not answer within ${milliseconds / 1000} s`);
      }
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** The next line that it says. */
  line(milliseconds: number): Promise<string> {
    return this.#until(() => {
      const line = this.#lines.shift();
      if (line === undefined && this.isOver) throw this.#failure(`ended with ${this.#status}`);
      return line;
    }, milliseconds);
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Waits for its end, which has to be a good one. */
  async done(milliseconds: number): Promise<void> {
    this.#child.stdin.end();
    const status = await this.#until(() => this.#status ?? undefined, milliseconds);
    if (status !== 0) throw this.#failure(`ended with ${status}`);
  }

  /** Asks it to end, and kills it when it does not. */
  async stop(milliseconds: number): Promise<void> {
    if (this.isOver) return;
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), milliseconds);
    await ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
