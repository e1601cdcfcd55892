// The list of a volume's conflicts, for people: where each is, whose it was, what was kept and why.
//
// - Pure. A path is where the object is now; "" before a name whose directory is gone.
// - Names are bytes, as latin1 (docs/FILES.md).

import type { FileRecord } from "../../interface/file-records.js";
import { ROOT_ID } from "../../interface/file-status.js";
import { CONFLICTS_MAX, type Conflicts } from "../../interface/vice.js";
import type { ConflictRow, VolumeState } from "./state.js";

type Place = readonly [directory: number, name: string];

/** Deeper than any path that a system call takes. */
const depthMax = 4096;

/** One place of each object that has a name. */
function places({ names }: VolumeState): Map<number, Place> {
  const found = new Map<number, Place>();
  for (const [directory, own] of names) for (const [name, id] of own) found.set(id, [directory, name]);
  return found;
}

/** Those behind a number, as many as one answer has. */
export function conflictsOf(state: VolumeState, after: number): Conflicts {
  const known = places(state);
  const pathOf = ([directory, name]: Place): string => {
    const parts = [name];
    for (let at = directory, depth = 0; at !== ROOT_ID && depth < depthMax; depth++) {
      const above = known.get(at);
      if (above === undefined) return name;
      parts.unshift(above[1]);
      at = above[0];
    }
    return `/${parts.join("/")}`;
  };
  const about = ({ record, kept }: ConflictRow): string => {
    if (kept !== undefined) return pathOf(kept.wanted);
    const given = record as FileRecord;
    if ("name" in given) return pathOf([given.directory, given.name]);
    const place = known.get(state.resolve(given.id));
    return place === undefined ? "" : pathOf(place);
  };
  const numbers = [...state.conflicts.keys()].filter((number) => number > after).sort((a, b) => a - b);
  const conflicts = numbers.slice(0, CONFLICTS_MAX).flatMap((number) => {
    const row = state.conflicts.get(number);
    if (row === undefined) return [];
    const machine = state.venuses.get(row.venus)?.machine ?? "";
    const kept = row.kept === undefined ? {} : { kept: pathOf(row.kept.at) };
    const { op } = row.record as FileRecord;
    return [{ number, time: row.time, machine, op, path: about(row), ...kept, why: row.why }];
  });
  return { conflicts, more: numbers.length > CONFLICTS_MAX };
}
