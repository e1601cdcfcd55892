// Runs the built command for the tests of the lab, with a folder of state of its own: a
// lab that someone has running on this computer is neither seen nor touched.

import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LabStatus } from "../../control/lab/status.js";

export const mainPath =
  process.env.PROTEUS_TEST_MAIN ?? fileURLToPath(new URL("../../dist/control/cli/main.js", import.meta.url));

export interface Outcome {
  /** Exit status; 128 + n when signal n ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** Standard input stays open: `child.stdin` takes more, and ends it. */
  readonly open?: boolean;
  readonly cwd?: string;
  readonly environment?: NodeJS.ProcessEnv;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** A command that runs: its process, and what comes of it. */
export interface Running {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
}

/** The lab file of three hosts on two networks. */
export const hosts = `name: hosts
networks:
  lan0: { mtu: 9000 }
  lan1: { mtu: 1500, rate: 100mbit }
nodes:
  h1: { kind: host, networks: [lan0] }
  h2: { kind: host, networks: [lan0, lan1] }
  h3: { kind: host, networks: [lan1] }
`;

/** A folder of labs; close() takes all of them down. */
export class LabRunner {
  readonly folder = mkdtempSync(join(tmpdir(), "labs-"));
  readonly state = join(this.folder, "state");

  /** `user`: whose labs these are, when not this user's; needs root. */
  constructor(private readonly user?: number) {
    if (user !== undefined) chownSync(this.folder, user, user);
  }

  start(words: readonly string[], options: RunOptions = {}): Running {
    const [program = "", ...rest] = [...this.#prefix(), process.execPath, mainPath, ...words];
    const { PROTEUS_LAB: _, ...environment } = process.env;
    const child = spawn(program, rest, {
      cwd: options.cwd,
      env: { ...environment, PROTEUS_LAB_STATE: this.state, ...options.environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.on("error", () => {});
    if (options.open === true) child.stdin.write(options.input ?? "");
    else child.stdin.end(options.input ?? "");
    const outcome = new Promise<Outcome>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) =>
        resolve({ status: code ?? 128 + (signalNumbers[signal ?? ""] ?? 0), stdout, stderr }),
      );
    });
    return { child, outcome };
  }

  #prefix(): string[] {
    if (this.user === undefined) return [];
    return ["setpriv", `--reuid=${this.user}`, `--regid=${this.user}`, "--clear-groups", "--"];
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.start(words, options).outcome;
  }

  /** Runs what must succeed. */
  async must(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const outcome = await this.run(words, options);
    if (outcome.status !== 0)
      throw new Error(`proteus ${words.join(" ")} ended with ${outcome.status}\n${outcome.stderr}`);
    return outcome;
  }

  exec(node: string, ...command: string[]): Promise<Outcome> {
    return this.run(["lab", "exec", node, "--", ...command]);
  }

  async status(...words: string[]): Promise<LabStatus> {
    return JSON.parse((await this.must(["lab", "status", "--json", ...words])).stdout) as LabStatus;
  }

  /** Every process that a lab of this folder has started. */
  processes(): number[] {
    return readdirSync("/proc").flatMap((entry) => {
      try {
        const environment = readFileSync(`/proc/${entry}/environ`, "utf8").split("\0");
        const ours = environment.includes(`PROTEUS_LAB_STATE=${this.state}`);
        const tagged = environment.some((pair) => /^PROTEUS_LAB_(ID|KEEPER)=/.test(pair));
        return ours && tagged && readlinkSync(`/proc/${entry}/exe`) !== "" ? [Number(entry)] : [];
      } catch {
        return [];
      }
    });
  }

  async close(): Promise<void> {
    await this.run(["lab", "clean", "--all"]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * What in the system's own network has a name such as labs give: bridges, ports,
 * namespaces. Others may make and remove theirs meanwhile.
 */
export function systemNetwork(): string[] {
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  const named = /^(proteus-|lan\d|[nhr]\d+_\d)/;
  return [...readdirSync("/sys/class/net"), ...namespaces].filter((name) => named.test(name)).sort();
}
