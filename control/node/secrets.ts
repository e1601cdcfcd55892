// Files with the secrets of servers: one file a server, readable by its owner only.
//
// - `<server>.secret`, mode 0600, in a folder of mode 0700; when others may read or write one of
//   the two, or they belong to somebody else, nothing is read: what is in it is no secret.
// - A file that is missing is made. It is durable before it is used, and there whole or not at
//   all whenever the program ends: by a link from an unfinished name, so that two programs that
//   make one at the same time end up with the same; a new generation comes by rename.
// - A file that cannot be read is never replaced: all capabilities of the server hang on it.

import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { newSecrets, parseSecrets, type SecretBytes, Secrets, secretsText } from "../capability/secrets.js";
import { type ExitCode, exitCodes, ProteusError } from "../kernel/errors.js";
import { replaceDurably, syncFolder, unfinishedMark, writeBeside } from "./durable-file.js";

const othersBits = 0o077;
const fileBytesMax = 4096;

/** The folder of secrets in a machine's state folder. */
export const secretsFolder = (state: string): string => join(state, "secrets");

/** Where a server's secrets lie in a folder. */
export const secretPath = (folder: string, server: string): string => join(folder, `${server}.secret`);

interface Fault {
  readonly why: string;
  readonly hint: string;
  readonly exit?: ExitCode;
  readonly cause?: unknown;
}

function unusable(path: string, { why, hint, exit = exitCodes.denied, cause }: Fault): ProteusError {
  return new ProteusError({
    ...{ code: "SECRET_FILE", exit, why, hint, cause },
    message: `the secrets in ${path} cannot be used`,
    unchanged: "nothing was read, written or started with them",
  });
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function explain(path: string, cause: unknown): ProteusError {
  if (cause instanceof ProteusError) return cause;
  const code = codeOf(cause);
  const why = cause instanceof Error ? cause.message : String(cause);
  if (code === "ENOENT")
    return unusable(path, {
      ...{ why: "there is no such file", exit: exitCodes.notFound, cause },
      hint: "a server makes it when it first starts with that folder",
    });
  return unusable(path, {
    ...{ why, exit: code === "EACCES" || code === "EPERM" ? exitCodes.denied : exitCodes.failed, cause },
    hint: "see to it that the server's user can read and write that folder, and that there is room",
  });
}

/** Throws unless an open file or folder is its owner's alone, and the owner is who runs this, or root does. */
function insistPrivate(descriptor: number, path: string, mode: string): void {
  const { mode: bits, uid } = fstatSync(descriptor);
  const user = process.geteuid?.() ?? 0;
  if (uid !== user && user !== 0)
    throw unusable(path, {
      why: `it belongs to user ${uid}, and this is user ${user}`,
      hint: "run the server as the user to whom its secrets belong",
    });
  if ((bits & othersBits) !== 0)
    throw unusable(path, {
      why: `others than its owner may use it (mode ${(bits & 0o777).toString(8)}), so it is no secret`,
      hint: `when nobody has read it: chmod ${mode} ${path}; else remove it: all the server's capabilities end`,
    });
}

/** The secrets in a file. Throws SECRET_FILE. */
export function readSecrets(path: string): SecretBytes {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    insistPrivate(descriptor, path, "600");
    const { size } = fstatSync(descriptor);
    const bytes = size > fileBytesMax ? undefined : parseSecrets(readFileSync(descriptor, "utf8"));
    if (bytes !== undefined) return bytes;
    throw unusable(path, {
      ...{ why: "it is not what a secret file has to be", exit: exitCodes.failed },
      hint: "bring the file back from a copy; or remove it, and all capabilities of the server end",
    });
  } catch (cause) {
    throw explain(path, cause);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Makes the file unless another program was faster. */
function makeFile(path: string, bytes: SecretBytes): void {
  const unfinished = writeBeside(path, secretsText(bytes));
  try {
    linkSync(unfinished, path);
  } catch (error) {
    if (!isThere(path)) throw error;
  }
  rmSync(unfinished, { force: true });
}

function replaceFile(path: string, bytes: SecretBytes): void {
  try {
    replaceDurably(path, secretsText(bytes));
  } catch (cause) {
    throw explain(path, cause);
  }
}

/** What programs left that were killed. */
function removeUnfinished(folder: string, server: string): void {
  const beginning = `${server}.secret${unfinishedMark}`;
  for (const name of readdirSync(folder))
    if (name.startsWith(beginning)) rmSync(join(folder, name), { force: true });
}

function isThere(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW));
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * The secrets of a server from its file in a folder; both are made when they are missing. Throws
 * SECRET_FILE, and then nothing was changed.
 *
 * @example const { getPort, key } = openSecrets("/var/lib/proteus/secrets", "bullet", randomBytes);
 */
export function openSecrets(folder: string, server: string, random: (bytes: number) => Uint8Array): Secrets {
  const path = secretPath(folder, server);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const opened = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      insistPrivate(opened, folder, "700");
    } finally {
      closeSync(opened);
    }
    if (!isThere(path)) makeFile(path, newSecrets(random));
    removeUnfinished(folder, server);
    syncFolder(folder); // also when it was there: whoever made it may have been killed before that
  } catch (cause) {
    throw explain(path, cause);
  }
  return new Secrets(readSecrets(path), random, (bytes) => replaceFile(path, bytes));
}
