// Failures of the host's files, as people hear of them.
//
// - Only what the system said, in the words and exit codes that all commands share. Files are
//   read elsewhere.

import { type ErrorFacts, type ExitCode, exitCodes, ProteusError } from "./errors.js";

/** What is known of a failure: Node's errors carry a code. */
interface SystemError {
  readonly code?: string;
  readonly message: string;
}

/** The exit code of a failure of the file system. */
export function exitOf(cause: unknown): ExitCode {
  const { code } = cause as SystemError;
  if (code === "ENOENT") return exitCodes.notFound;
  return code === "EACCES" || code === "EPERM" ? exitCodes.denied : exitCodes.failed;
}

/**
 * A file that cannot be read.
 *
 * @param what the file with its role: `the config file /etc/p.toml`
 * @param cause what reading it threw
 */
export function unreadable(
  what: string,
  cause: unknown,
  facts: Pick<ErrorFacts, "code" | "unchanged" | "hint">,
): ProteusError {
  const { code, message } = cause as SystemError;
  return new ProteusError({
    ...facts,
    exit: exitOf(cause),
    message: `${what} cannot be read`,
    why: code === "ENOENT" ? "there is no such file" : message,
    cause,
  });
}
