// `proteus fs conflicts` and `resolve`: what met other changes while a mount was without its server.
//
// - Nothing was lost: the loser is kept beside the winner. An entry goes by itself when what was kept is
//   removed or renamed at a mount; `resolve` takes it off where both are to stay, and changes no file.
// - Names are bytes: shown as UTF-8 where they are.

import type { Capability } from "../../capability/capability.js";
import { type Conflicts, conflictsSchema, viceTable } from "../../interface/vice.js";
import type { Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling, locateTimeout } from "../calling.js";
import { emit } from "../output.js";
import { parseCount } from "../quantity.js";
import { table } from "../table.js";
import { parseTarget } from "../target.js";
import { shownName } from "./names.js";
import { findVolume } from "./volume.js";

export type Conflict = Conflicts["conflicts"][number];

export interface ResolveOptions extends CallingOptions {
  readonly all: boolean;
}

/** More are not listed: somebody has to look at each. */
const listedMax = 100_000;

async function conflictsOf(
  via: Kernel | Transact,
  capability: Capability,
  options: CallingOptions,
): Promise<Conflict[]> {
  const calls = stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });
  const found: Conflict[] = [];
  for (let after = 0; found.length < listedMax; ) {
    const { conflicts, more } = conflictsSchema.parse((await calls.conflicts({ after })).conflicts);
    for (const { kept, path, ...each } of conflicts)
      found.push({
        ...each,
        path: shownName(path),
        ...(kept === undefined ? {} : { kept: shownName(kept) }),
      });
    after = conflicts.at(-1)?.number ?? Number.MAX_SAFE_INTEGER;
    if (!more) break;
  }
  return found;
}

const rowOf = ({ number, time, machine, op, path, kept, why }: Conflict): string[] => [
  `${number}`,
  new Date(time[0] * 1000).toISOString().slice(0, 19).replace("T", " "),
  ...[machine, op, path, kept ?? "-", why],
];

export async function listConflicts(
  vice: string,
  name: string | undefined,
  options: CallingOptions,
): Promise<void> {
  const target = await parseTarget(vice, "vice", options);
  const conflicts = await calling(options, async (via) => {
    const { capability } = await findVolume(via, target, name, options);
    return conflictsOf(via, capability, options);
  });
  emit("fs conflicts", options.json, { conflicts }, () =>
    conflicts.length === 0
      ? "no conflicts"
      : table(["NUMBER", "TIME (UTC)", "MACHINE", "DID", "PATH", "KEPT", "WHY"], conflicts.map(rowOf)),
  );
}

const unknown = (number: number, name: string): ProteusError =>
  new ProteusError({
    code: "FS_CONFLICT_UNKNOWN",
    exit: exitCodes.notFound,
    message: `volume ${name} has no conflict ${number}`,
    why: "it never had, or what was kept of it was removed or renamed",
    hint: "proteus fs conflicts lists those that there are",
  });

/** Takes conflicts off the list. Throws FS_CONFLICT_UNKNOWN. */
export async function resolveConflicts(
  vice: string,
  name: string,
  texts: readonly string[],
  options: ResolveOptions,
): Promise<void> {
  if (texts.length > 0 === options.all)
    throw usageError("it is not clear which conflicts are meant", "give their numbers, or --all");
  const numbers = texts.map((text) => parseCount(text, Number.MAX_SAFE_INTEGER));
  const target = await parseTarget(vice, "vice", options);
  const resolved = await calling(options, async (via) => {
    const { capability, document } = await findVolume(via, target, name, options);
    const known = await conflictsOf(via, capability, options);
    const meant = options.all ? known.map(({ number }) => number) : numbers;
    for (const number of meant)
      if (!known.some((each) => each.number === number)) throw unknown(number, document.name);
    const calls = stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });
    for (const conflict of meant)
      await calls.settle({ conflict }).catch((error: unknown) => {
        const isOver = error instanceof ProteusError && error.code === "STD_NOTFOUND";
        if (!isOver) throw error; // somebody else was quicker: it is off the list
      });
    return meant;
  });
  emit("fs resolve", options.json, { resolved }, () =>
    resolved.length === 0 ? "no conflicts" : `off the list: ${resolved.join(", ")}`,
  );
}
