// `proteus fs history` and `fs volume history`: earlier versions at a mount, and how long they are kept.
//
// - Reads the hidden folder .history of the mount that a path is on, as programs do: what is named here
//   can be copied from there. A path that is gone by now is known too.
// - There is no command that brings a version back: cp does.

import { lstatSync, readdirSync, type Stats } from "node:fs";
import { basename, join } from "node:path";
import { HISTORY_NAME, VERSIONS_NAME } from "../../interface/file-history.js";
import { viceTable } from "../../interface/vice.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling, locateTimeout } from "../calling.js";
import { emit } from "../output.js";
import { table } from "../table.js";
import { parseTarget } from "../target.js";
import { requireMountOf, targetOf } from "./mounts.js";
import { findVolume, historySeconds } from "./volume.js";

/** Of more names than this the versions are not counted. */
const countedMax = 1000;

interface Found {
  readonly file: string;
  readonly stats: Stats | null;
}

const unknown = (path: string): ProteusError =>
  new ProteusError({
    code: "FS_HISTORY_UNKNOWN",
    exit: exitCodes.notFound,
    message: `nothing is known to have been at ${path}`,
    why: "it never was there, or longer ago than the volume's history time",
    hint: "proteus fs volume show says how long that is",
  });

const away = (path: string, why: string): ProteusError =>
  new ProteusError({
    code: "FS_HISTORY_AWAY",
    exit: exitCodes.unreachable,
    message: `the history of ${path} cannot be had now`,
    why: `the server has it, and the mount cannot ask (${why})`,
    hint: "proteus fs status says how the mount fares",
  });

/** What is in a folder of .history. Throws FS_HISTORY_UNKNOWN and FS_HISTORY_AWAY. */
function read(folder: string, path: string): readonly Found[] {
  try {
    return readdirSync(folder).map((name) => {
      const file = join(folder, name);
      return { file, stats: lstatSync(file, { throwIfNoEntry: false }) ?? null };
    });
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") throw unknown(path);
    throw away(path, code === "" ? message : code);
  }
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Versions of a file, or the names that a folder has and had. */
export function history(given: string | undefined, { json }: { readonly json: boolean }): void {
  const path = targetOf(given ?? ".");
  const { mount, below } = requireMountOf(path);
  const found = read(join(mount.target, HISTORY_NAME, VERSIONS_NAME, below), path);
  // Names are folders there, of names or of versions; versions are none.
  const isFolder = found.length === 0 || found[0]?.stats?.isDirectory() === true;
  if (!isFolder) {
    const versions = found.map(({ file, stats }) => ({
      ...{ time: basename(file), bytes: stats?.size ?? 0, file },
    }));
    emit("fs history", json, { path, versions }, () =>
      table(
        ["CAME (UTC)", "BYTES", "FILE"],
        versions.map(({ time, bytes, file }) => [time, `${bytes}`, file]),
      ),
    );
    return;
  }
  const names = found.map(({ file }, index) => {
    const name = basename(file);
    const inside = index < countedMax ? read(file, join(path, name)) : [];
    const isOfNames = inside.length === 0 || inside[0]?.stats?.isDirectory() === true;
    const versions = isOfNames ? {} : { versions: inside.length };
    return { name, there: isThere(join(path, name)), ...versions };
  });
  emit("fs history", json, { path, names }, () =>
    table(
      ["NAME", "NOW", "VERSIONS"],
      names.map(({ name, there, versions }) => [name, there ? "there" : "removed", `${versions ?? "-"}`]),
    ),
  );
}

/** A number of seconds as parseDuration takes it, in the largest unit that it is whole in. */
export function durationText(seconds: number): string {
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const)
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}

/** Shows how long a volume keeps what it was, or sets it. */
export async function historyOf(
  vice: string,
  name: string,
  text: string | undefined,
  options: CallingOptions,
): Promise<void> {
  const wanted = text === undefined ? undefined : historySeconds(text);
  const target = await parseTarget(vice, "vice", options);
  const shown = await calling(options, async (via) => {
    const { capability, document } = await findVolume(via, target, name, options);
    const calls = stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });
    if (wanted !== undefined) await calls.remember({ seconds: wanted });
    return { name: document.name, history: wanted ?? document.history, historyBytes: document.historyBytes };
  });
  emit("fs volume history", options.json, shown, () => {
    const { history: seconds, historyBytes } = shown;
    return `${shown.name}: ${durationText(seconds)}, ${historyBytes} bytes of earlier contents`;
  });
}
