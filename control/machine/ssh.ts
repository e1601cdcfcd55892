// A deployed machine as ssh reaches it: how a command is run there, and what went wrong.
//
// - Nothing of Proteus listens for this: who may log in may run these commands, nobody else.
// - PROTEUS_SSH is the command instead of `ssh`, with its options, read by a shell as git's
//   GIT_SSH_COMMAND is; PROTEUS_REMOTE the program there instead of /opt/proteus/bin/proteus,
//   read by the shell there: `sudo -n /opt/proteus/bin/proteus`.
// - A command there ends with the connection: it is replaced for the shell (`exec`), so that
//   the end of sshd's process is the end of its parent.

import { type ExecFileOptionsWithStringEncoding, execFile } from "node:child_process";
import { type ExitCode, exitCodes, ProteusError } from "../kernel/errors.js";
import { toolEnvironment } from "../lab/tools.js";

const standardProgram = "/opt/proteus/bin/proteus";
/** No questions; a machine that is not there, or no longer, is noticed. */
const standardSsh = [
  ...["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"],
  ...["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"],
];
/** The name under which the shell here speaks of PROTEUS_SSH. */
const sshVariable = "PROTEUS_SSH";
const outputBytesMax = 64 * 1024 * 1024;
const probeMs = 30_000;

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What a command did there; `status` is ssh's own 255 when it did not run. */
export interface RemoteResult {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

/** What is installed there. */
export interface RemoteFacts {
  readonly version: string;
  /** SHA-256 of its kernel. */
  readonly kernel: string;
  /** Of setpriv and taskset those that are there. */
  readonly tools: readonly string[];
}

export class Remote {
  readonly #ssh: readonly string[];
  readonly #program: string;

  /** @param destination what ssh is given: `root@h1` */
  constructor(
    readonly destination: string,
    environment: NodeJS.ProcessEnv = process.env,
  ) {
    const own = environment[sshVariable];
    this.#ssh = own ? ["sh", "-c", `exec ${own} "$@"`, sshVariable] : standardSsh;
    this.#program = environment.PROTEUS_REMOTE || standardProgram;
  }

  /** For people. */
  get name(): string {
    return `ssh:${this.destination}`;
  }

  #line(line: string): string[] {
    return [...this.#ssh, "-T", this.destination, `exec ${line}`];
  }

  /** The whole command, to be started here without a shell, that runs words there. */
  command(words: readonly string[]): string[] {
    return this.#line(words.map(quoted).join(" "));
  }

  /** The same for a command of Proteus there; `before` are words that start it, such as taskset's. */
  program(words: readonly string[], before: readonly string[] = []): string[] {
    return this.#line([...before.map(quoted), this.#program, ...words.map(quoted)].join(" "));
  }

  /** Runs a command of Proteus there to its end. Throws as `fail` does when it ends badly. */
  async ask(words: readonly string[], timeoutMs = probeMs): Promise<string> {
    const result = await run(this.program(words), timeoutMs);
    if (result.status !== 0) throw this.failure(result, `proteus ${words[0] ?? ""}`);
    return result.output;
  }

  /**
   * Looks at what is installed there; it must be what runs here, to the kernel's bytes. Throws
   * REMOTE_VERSION, REMOTE_UNREACHABLE, REMOTE_DENIED, REMOTE_MISSING.
   */
  async probe(own: Pick<RemoteFacts, "version" | "kernel">): Promise<RemoteFacts> {
    const look = "for tool in setpriv taskset; do command -v $tool; done";
    const script = `${look}; exec ${this.#program} version --json`;
    const result = await run(this.command(["sh", "-c", script]), probeMs);
    if (result.status !== 0) throw this.failure(result, "proteus version");
    const facts = factsOf(result.output);
    if (facts === undefined)
      throw new ProteusError({
        ...{ code: "REMOTE_VERSION", exit: exitCodes.failed },
        message: `what is installed on ${this.name} does not say which version it is`,
        why: `${this.#program} version --json: ${result.output.trim().split("\n").at(-1) ?? ""}`,
        hint: "install this version there: docs/DEPLOY.md",
      });
    if (facts.version === own.version && facts.kernel === own.kernel) return facts;
    const [there, here] = [facts, own].map(
      ({ version, kernel }) => `${version}, kernel ${kernel.slice(0, 16)}`,
    );
    throw new ProteusError({
      ...{ code: "REMOTE_VERSION", exit: exitCodes.failed },
      message: `${this.name} has another version`,
      why: `there ${there}; here ${here}`,
      unchanged: "nothing was started there",
      hint: "install one version on both: docs/DEPLOY.md",
    });
  }

  /** The error of a command there that ended badly. */
  failure({ status, errors }: RemoteResult, what: string): ProteusError {
    const lines = errors.trim().split("\n");
    const last = lines.at(-1) ?? "";
    const fail = (code: string, exit: ExitCode, message: string, hint: string) =>
      new ProteusError({ code, exit, message, why: last, unchanged: "nothing was started there", hint });
    if (errors.includes(`${sshVariable}: `))
      return fail(
        "REMOTE_NO_SSH",
        exitCodes.usage,
        "PROTEUS_SSH cannot be run",
        "it is a command with options",
      );
    if (status === 255 && /Permission denied|verification failed|Too many authentication/.test(errors))
      return fail(
        ...(["REMOTE_DENIED", exitCodes.denied, `${this.name} does not let us in`] as const),
        `see that this works without a question: ssh -o BatchMode=yes ${this.destination} true`,
      );
    if (status === 255)
      return fail(
        ...(["REMOTE_UNREACHABLE", exitCodes.unreachable, `${this.name} cannot be reached`] as const),
        `see that this works: ssh ${this.destination} true`,
      );
    if (status === 126 || status === 127)
      return fail(
        ...(["REMOTE_MISSING", exitCodes.notFound, `${this.name} has no ${this.#program}`] as const),
        "install it (docs/DEPLOY.md), or say where it is: PROTEUS_REMOTE",
      );
    return remoteError(`${what} failed on ${this.name}`, status, lines);
  }
}

/** The version's document is the last line; before it come the paths of tools. Pure. */
function factsOf(output: string): RemoteFacts | undefined {
  const lines = output.trim().split("\n");
  try {
    const { version, kernel } = JSON.parse(lines.pop() ?? "") as Record<string, unknown>;
    if (typeof version !== "string" || typeof kernel !== "string") return undefined;
    return { version, kernel, tools: lines.map((path) => path.split("/").at(-1) ?? "") };
  } catch {
    return undefined;
  }
}

/** What Proteus there said of its own error, as an error here. Pure. */
function remoteError(message: string, status: number, lines: readonly string[]): ProteusError {
  const said = (label: RegExp) =>
    lines.map((line) => label.exec(line)?.[1]).find((text) => text !== undefined);
  const first = said(/^proteus: (.*)/) ?? lines.at(-1) ?? "";
  const why = said(/^ {2}why: +(.*)/);
  const known = Object.values(exitCodes).find((code) => code === status && code !== exitCodes.ok);
  return new ProteusError({
    ...{ code: "REMOTE_FAILED", exit: known ?? exitCodes.failed, message },
    why: why === undefined ? first || `it ended with ${status}` : `${first}: ${why}`,
    unchanged: said(/^ {2}unchanged: +(.*)/),
    hint: said(/^ {2}next: +(.*)/),
  });
}

/** Runs a command here to its end. Throws when there is no ssh, or when it takes too long. */
function run(command: readonly string[], timeoutMs: number): Promise<RemoteResult> {
  const [tool = "", ...rest] = command;
  return new Promise((resolve, reject) => {
    const options: ExecFileOptionsWithStringEncoding = {
      ...{ encoding: "utf8", env: toolEnvironment(), timeout: timeoutMs, killSignal: "SIGKILL" },
      maxBuffer: outputBytesMax,
    };
    const child = execFile(tool, rest, options, (error, output, errors) => {
      if (error === null) resolve({ status: 0, output, errors });
      else if (error.code === "ENOENT") reject(sshMissing());
      else if (error.killed === true)
        resolve({ status: 255, output, errors: `no answer in ${timeoutMs / 1000} s` });
      else resolve({ status: typeof error.code === "number" ? error.code : 128, output, errors });
    });
    child.stdin?.on("error", () => {}).end();
  });
}

/** The error when this machine has no ssh. */
export function sshMissing(): ProteusError {
  return new ProteusError({
    ...{ code: "REMOTE_NO_SSH", exit: exitCodes.failed, message: 'the command "ssh" is not installed' },
    why: "deployed machines are reached with it",
    hint: "install it: apt-get install openssh-client",
  });
}
