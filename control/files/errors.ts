// What can go wrong with files of a pool, beside what names.ts of the stubs says of names.
//
// - Each names the whole path, and says what stayed as it was.
// - The codes are stable; control/cli/manual/errors.ts explains them.

import { exitCodes, ProteusError } from "../kernel/errors.js";

/** An error of a server with the path that it is about. */
export function about(path: string, error: unknown): unknown {
  if (!(error instanceof ProteusError) || /^(NAME|FILES)_/.test(error.code)) return error;
  const { code, exit, message, why, unchanged, hint } = error;
  return new ProteusError({
    ...{ code, exit, unchanged, hint, cause: error },
    message: `${path} cannot be read`,
    why: why ?? message,
  });
}

const unchanged = "nothing was changed";

export function isDirectory(path: string, why = "it is a directory"): ProteusError {
  return new ProteusError({
    code: "FILES_IS_DIRECTORY",
    exit: exitCodes.failed,
    ...{ message: `${path} is not taken for a file`, why, unchanged },
    hint: "for whole trees there is -r; a path below it names what is in it",
  });
}

export function notDirectory(path: string): ProteusError {
  return new ProteusError({
    code: "FILES_NOT_DIRECTORY",
    exit: exitCodes.failed,
    ...{
      message: `${path} is no directory`,
      why: "several things, or one with a / behind it, need one",
      unchanged,
    },
    hint: `make it first: proteus mkdir -p ${path}`,
  });
}

export function notFile(path: string, cause: unknown): ProteusError {
  return new ProteusError({
    code: "FILES_NOT_FILE",
    exit: exitCodes.failed,
    ...{ message: `${path} is no file`, why: "it stands for an object of another kind", cause },
    hint: "proteus capability show tells which",
  });
}

export function lost(path: string): ProteusError {
  return new ProteusError({
    code: "FILES_LOST",
    exit: exitCodes.unreachable,
    ...{
      message: `${path} cannot be had`,
      why: "the server of what it stands for does not answer",
      unchanged,
    },
    hint: "try again when that server answers",
  });
}

export function same(path: string): ProteusError {
  return new ProteusError({
    code: "FILES_SAME",
    exit: exitCodes.failed,
    ...{ message: `${path} is where it is to go already`, unchanged },
    hint: "give another path",
  });
}

/** A name that no path can have, in a directory. */
export function nameUnsafe(
  directory: string,
  name: string,
  fault: string,
): ProteusError & { readonly path: string } {
  const path = `${directory === "/" ? "" : directory}/${JSON.stringify(name)}`;
  const error = new ProteusError({
    code: "FILES_NAME_UNSAFE",
    exit: exitCodes.failed,
    ...{ message: `${path} is left out`, why: `its name cannot be used: ${fault}` },
    hint: "whoever may change the directory can remove the name",
  });
  return Object.assign(error, { path });
}
