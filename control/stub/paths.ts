// Paths of names, as in Unix: components with / between them, absolute ones from the root.
//
// - `.` and `..` are resolved here, by the text alone: directories have no parent of their own,
//   one may stand in several others. `..` of the root is the root.
// - What is no path throws a usage error NAME_INVALID (exit 2).

import { NAME_BYTES_MAX } from "../interface/directory.js";
import { textBytes } from "../interface/utf8.js";
import { usageError } from "../kernel/errors.js";

/**
 * The components of a path.
 *
 * @param work where relative paths begin; default the root
 * @example components("../c", "/a/b") // ["a", "c"]
 */
export function components(path: string, work = "/"): string[] {
  if (path === "") throw usageError("a path is missing", "the root is /", "NAME_INVALID");
  const from = path.startsWith("/") ? [] : components(work);
  for (const each of path.split("/")) {
    if (each === "" || each === ".") continue;
    if (each === "..") from.pop();
    else from.push(checked(each, path));
  }
  return from;
}

/** A path without `.`, `..` and empty components. */
export const normalPath = (path: string, work = "/"): string => pathOf(components(path, work));

export const pathOf = (names: readonly string[]): string => `/${names.join("/")}`;

function checked(name: string, path: string): string {
  if (name.includes("\0"))
    throw usageError(`${path} is not a path`, "a name holds no NUL character", "NAME_INVALID");
  const length = textBytes(name);
  if (length <= NAME_BYTES_MAX) return name;
  throw usageError(
    `a name of ${length} bytes is too long: ${name.slice(0, 24)}…`,
    `a name has at most ${NAME_BYTES_MAX} bytes`,
    "NAME_INVALID",
  );
}
