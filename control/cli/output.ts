// What commands say: data to stdout, narration and errors to stderr.
//
// - With --json a command that reads writes one document with a `schema` number, and
//   an error is one JSON document on stderr.
// - An error is up to four short lines: what failed, why, what stayed unchanged, what
//   to do next. A bug shows its stack instead.
// - A reader that closes the pipe early (`| head`) ends the command quietly.

import { type ExitCode, exitCodes, ProteusError } from "../kernel/errors.js";

/**
 * Writes the result of a command to stdout.
 *
 * @param command its name, for the remark when there is nothing to show: `lab clean`
 * @param json whether --json was given
 * @param document what --json shows; `schema` is 1 unless it says otherwise
 * @param text the same for people, lines without a last newline; only asked when needed
 */
export function emit(command: string, json: boolean, document: object, text: () => string): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ schema: 1, ...document })}\n`);
    return;
  }
  const shown = text();
  if (shown === "") narrate(`${command}: nothing to show`);
  else process.stdout.write(`${shown}\n`);
}

/**
 * Whether there are colours on a stream: not with NO_COLOR, always with FORCE_COLOR, else on a
 * terminal that has them. An empty variable counts as unset.
 */
export function hasColours(
  stream: { readonly isTTY?: boolean | undefined },
  { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv = process.env,
): boolean {
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0";
  return stream.isTTY === true && TERM !== "dumb";
}

/** Writes a line for people to stderr. */
export function narrate(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Reports an error on stderr and answers the exit code that it deserves. */
export function fail(error: unknown, json = false): ExitCode {
  const known = asProteusError(error);
  if (known === undefined) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (json) narrate(JSON.stringify({ schema: 1, error: { code: "BUG", message: stack } }));
    else narrate(`proteus: an error that should not happen; please report it\n${stack}`);
    return exitCodes.failed;
  }
  const { code, exit, message, why, unchanged, hint } = known;
  if (json) narrate(JSON.stringify({ schema: 1, error: { code, exit, message, why, unchanged, hint } }));
  else narrate(errorText(known));
  return exit;
}

/** The lines of an error. */
export function errorText({ message, why, unchanged, hint }: ProteusError): string {
  const lines = [`proteus: ${message}`];
  if (why !== undefined) lines.push(`  why:       ${why}`);
  if (unchanged !== undefined) lines.push(`  unchanged: ${unchanged}`);
  if (hint !== undefined) lines.push(`  next:      ${hint}`);
  return lines.join("\n");
}

/** Exit codes of stable error codes from below the control plane, and of the system's. */
const exitOfCode: Readonly<Record<string, ExitCode>> = {
  ETHERNET_NO_INTERFACE: exitCodes.notFound,
  ETHERNET_NO_PERMISSION: exitCodes.denied,
  ENOENT: exitCodes.notFound,
  EACCES: exitCodes.denied,
  EPERM: exitCodes.denied,
  ETIMEDOUT: exitCodes.unreachable,
  ECONNREFUSED: exitCodes.unreachable,
};

/** An error as people can use it; `undefined` when it is a bug. */
export function asProteusError(error: unknown): ProteusError | undefined {
  if (error instanceof ProteusError) return error;
  if (!(error instanceof Error)) return undefined;
  const { code, hint, syscall } = error as Error & { code?: unknown; hint?: unknown; syscall?: unknown };
  if (typeof code !== "string") return undefined;
  // A driver's own error says what to do; a system call's says what failed.
  if (typeof hint !== "string" && typeof syscall !== "string") return undefined;
  return new ProteusError({
    code,
    exit: exitOfCode[code] ?? exitCodes.failed,
    message: error.message,
    hint: typeof hint === "string" ? hint : undefined,
  });
}

/** Ends the program quietly when nobody reads its output any more. */
export function endWhenUnread(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(process.exitCode ?? exitCodes.ok);
    });
  }
}
