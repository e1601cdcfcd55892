// Programs on the machines of a lab, as someone starts them there: servers, calls, agents.
//
// - Everything is waited for with a deadline; what is late is an error that says what.
// - `up` refuses a lab in memory where there could have been a real wire: tests that
//   passed there would prove nothing about frames.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LabStatus } from "../../control/lab/status.js";
import { LabRunner, mainPath, type Outcome, type Running } from "./lab-runner.js";

export const isRoot = process.getuid?.() === 0;
/** Tests must run on real frames here: what passed in memory does not count. */
export const mustBeReal = isRoot || process.env.CI === "true";
const deadlineMs = 45_000;

/** What `call --json` says. */
export interface CallReport {
  readonly kind: "echo" | "sink" | "source";
  readonly size: number;
  readonly count: number;
  readonly succeeded: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  readonly callsPerSecond: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly longestUs: number;
}

/** What an agent writes when it serves. */
export interface Ready {
  readonly name: string;
  readonly pid: number;
  readonly address: string;
  readonly interfaces: readonly { name: string; mac: string; mtu: number }[];
  readonly echo: string;
  readonly status: string;
}

/** What `node status --json` says. */
export interface AgentDocument {
  readonly name: string;
  readonly executions: number;
  readonly interfaces: readonly { name: string; mtu: number; received: number; sent: number }[];
  readonly counters: Readonly<Record<string, number>>;
}

/** `promise`, or an error that says what was late. */
export async function within<Value>(
  what: string,
  promise: Promise<Value>,
  milliseconds = deadlineMs,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `look` answers something, and gives it. */
export async function until<Value>(
  what: string,
  look: () => Value | undefined | Promise<Value | undefined>,
  milliseconds = deadlineMs,
): Promise<Value> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The first line of a program's stdout; an error with its stderr when it ends without one. */
export function firstLine(what: string, running: Running): Promise<string> {
  const line = new Promise<string>((resolve) => {
    let text = "";
    running.child.stdout?.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
  });
  const ended = running.outcome.then(({ status, stderr }): never => {
    throw new Error(`${what} ended with ${status} before it said anything\n${stderr}`);
  });
  return within(what, Promise.race([line, ended]));
}

/** An echo server that listens. */
export interface Served {
  readonly getPort: string;
  readonly putPort: string;
  readonly running: Running;
  /** Ends it as Ctrl-C would; gives the executions that it counted. */
  readonly stop: () => Promise<number>;
}

/** A lab and what runs in it. */
export class Programs {
  readonly lab: LabRunner;
  readonly #wanted: "netns" | "userns" | undefined;
  #name = "";

  /** `user`: whose lab it is, when not this user's; needs root. */
  constructor(user?: number) {
    this.lab = new LabRunner(user);
    if (mustBeReal && user === undefined) this.#wanted = isRoot ? "netns" : "userns";
  }

  /** `lab up WORDS…`; as real as it can be, unless another isolation is asked for. */
  async up(...words: string[]): Promise<LabStatus> {
    const { stdout } = await this.lab.must(["lab", "up", "--json", ...words], { cwd: "/" });
    const status = JSON.parse(stdout) as LabStatus;
    this.#name = status.lab;
    const wanted = words.includes("--isolation") ? undefined : this.#wanted;
    if (wanted !== undefined && status.isolation !== wanted)
      throw new Error(`this lab is of ${status.isolation}, not of ${wanted}: it would prove nothing`);
    return status;
  }

  /** A program of ours on a machine, that goes on. */
  start(node: string, ...words: string[]): Running {
    return this.lab.start(["lab", "exec", node, "--", process.execPath, mainPath, ...words], { cwd: "/" });
  }

  run(node: string, ...words: string[]): Promise<Outcome> {
    return this.start(node, ...words).outcome;
  }

  async #document<Document>(node: string, ...words: string[]): Promise<Document> {
    const { status, stdout, stderr } = await this.run(node, ...words, "--json");
    if (status !== 0) throw new Error(`${node}$ proteus ${words.join(" ")} ended with ${status}\n${stderr}`);
    return JSON.parse(stdout) as Document;
  }

  /** Calls that must succeed. */
  call(node: string, port: string, ...words: string[]): Promise<CallReport> {
    return this.#document(node, "call", "--port", port, ...words);
  }

  /** What an echo server says of itself. */
  async executions(node: string, port: string): Promise<number> {
    const words = ["call", "--port", port, "--executions"];
    return (await this.#document<{ executions: number }>(node, ...words)).executions;
  }

  /** What a machine's agent says of itself, asked from `node`. */
  status(node: string, of: string): Promise<AgentDocument> {
    return this.#document(node, "node", "status", "--port", this.ready(of).status);
  }

  /** The file that a machine's agent has written. */
  ready(node: string): Ready {
    return JSON.parse(readFileSync(join(this.folderOf(node), "ready.json"), "utf8")) as Ready;
  }

  /** Where the lab keeps what it knows of a machine. */
  folderOf(node: string): string {
    return join(this.lab.state, this.#name, "nodes", node);
  }

  /** An echo server; resolves once it listens. */
  async serve(node: string, port: string, ...words: string[]): Promise<Served> {
    const running = this.start(node, "serve", "echo", "--port", port, "--json", ...words);
    const said = await firstLine(`the echo server on ${node}`, running);
    const { getPort, putPort } = JSON.parse(said) as { getPort: string; putPort: string };
    const stop = async () => {
      running.child.kill("SIGTERM");
      const { status, stdout, stderr } = await within(`the end of the server on ${node}`, running.outcome);
      if (status !== 0) throw new Error(`the server on ${node} ended with ${status}\n${stderr}`);
      const last = stdout.trimEnd().split("\n").at(-1) ?? "";
      return (JSON.parse(last) as { executions: number }).executions;
    };
    return { getPort, putPort, running, stop };
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}
