// What a volume was: a row for each step that changed objects or names, with how these were before it.
//
// - Put in the step itself: whatever ends when, a change and what it replaced are there both or neither.
//   Going through the rows from a moment on says how anything was then; what no row has since is as now.
// - A moment is whole milliseconds since 1970; each step's is later than the one before, so that it names
//   the step. Rows go from the oldest on; row 0 says from when on everything is known.
// - Pure.

import type { Change } from "../../recoverable/tables.js";
import type { Draft } from "./draft.js";
import { firstBehind } from "./sorted.js";
import type { ObjectRow, VolumeState } from "./state.js";

export interface PastRow {
  /** The moment of the step. */
  readonly at: number;
  /** How objects were; null: they were not there. */
  readonly objects: readonly (readonly [id: number, before: ObjectRow | null])[];
  /** What had names; 0: nothing. */
  readonly names: readonly (readonly [directory: number, name: string, before: number])[];
}

/** Row 0. */
export interface PastFrom {
  readonly at: number;
}

/** A value until a step: how it was before that. */
interface Until<Value> {
  /** The last stamp of the step. */
  readonly stamp: number;
  readonly at: number;
  readonly before: Value;
}

const none: readonly never[] = [];

const stampOf = ({ stamp }: { readonly stamp: number }): number => stamp;

export class PastRows {
  readonly rows = new Map<number, PastRow>();
  /** From this moment on everything is known. */
  from = 0;
  /** Changes in all rows. */
  count = 0;
  readonly #moments: { readonly at: number; readonly stamp: number }[] = [];
  readonly #objects = new Map<number, Until<ObjectRow | null>[]>();
  readonly #names = new Map<number, Map<string, Until<number>[]>>();

  put(stamp: number, row: PastRow | PastFrom | null): void {
    if (stamp === 0) {
      this.from = row?.at ?? 0;
      return;
    }
    this.#remove(stamp); // a step may be replayed
    if (row === null || !("objects" in row)) return;
    const { at, objects, names } = row;
    this.rows.set(stamp, row);
    this.count += objects.length + names.length;
    this.#moments.push({ at, stamp });
    for (const [id, before] of objects) listOf(this.#objects, id).push({ stamp, at, before });
    for (const [directory, name, before] of names) {
      const own = this.#names.get(directory) ?? new Map<string, Until<number>[]>();
      this.#names.set(directory, own);
      listOf(own, name).push({ stamp, at, before });
    }
  }

  #remove(stamp: number): void {
    const row = this.rows.get(stamp);
    if (row === undefined) return;
    this.rows.delete(stamp);
    this.count -= row.objects.length + row.names.length;
    drop(this.#moments, stamp);
    for (const [id] of row.objects) dropFrom(this.#objects, id, stamp);
    for (const [directory, name] of row.names) {
      const own = this.#names.get(directory);
      if (own === undefined) continue;
      dropFrom(own, name, stamp);
      if (own.size === 0) this.#names.delete(directory);
    }
  }

  *all(): Generator<Change> {
    yield ["past", 0, { at: this.from } satisfies PastFrom];
    for (const [stamp, row] of this.rows) yield ["past", stamp, row];
  }

  /** The moment of the last step that there is a row of; 0: none. */
  get last(): number {
    return this.#moments.at(-1)?.at ?? 0;
  }

  /** The last stamp as of a moment; 0: before all that there are rows of. */
  stampAt(at: number): number {
    return this.#moments[firstBehind(this.#moments, at, (moment) => moment.at) - 1]?.stamp ?? 0;
  }

  ofObject(id: number): readonly Until<ObjectRow | null>[] {
    return this.#objects.get(id) ?? none;
  }

  ofName(directory: number, name: string): readonly Until<number>[] {
    return this.#names.get(directory)?.get(name) ?? none;
  }

  /** Names of a directory that had or lost something. */
  namesOf(directory: number): readonly string[] {
    return [...(this.#names.get(directory)?.keys() ?? none)];
  }
}

function listOf<Key, Item>(map: Map<Key, Item[]>, key: Key): Item[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

/** Takes out what a step has: the first one, mostly. */
function drop(items: { readonly stamp: number }[], stamp: number): void {
  if (items[0]?.stamp === stamp) items.shift();
  else {
    const index = firstBehind(items, stamp, stampOf) - 1;
    if (items[index]?.stamp === stamp) items.splice(index, 1);
  }
}

function dropFrom<Key>(map: Map<Key, { readonly stamp: number }[]>, key: Key, stamp: number): void {
  const list = map.get(key);
  if (list === undefined) return;
  drop(list, stamp);
  if (list.length === 0) map.delete(key);
}

/** The row of a step: what a draft changes, as it is now. Null: it changes nothing of the volume's tree. */
export function pastOf(draft: Draft, state: VolumeState, at: number): Change | null {
  const objects = draft.touched.map((id) => [id, state.objects.get(id) ?? null] as const);
  const names = [...draft.renamed].flatMap(([directory, name, id]) => {
    const before = state.names.get(directory)?.get(name) ?? 0;
    return before === id ? [] : [[directory, name, before] as const];
  });
  if (objects.length === 0 && names.length === 0) return null;
  return ["past", draft.volume.stamp, { at, objects, names } satisfies PastRow];
}

// ---- how it was --------------------------------------------------------------------------

/** An object as of a stamp; undefined: it was not there, or had no name. */
export function objectAt(state: VolumeState, id: number, stamp: number): ObjectRow | undefined {
  const changes = state.past.ofObject(id);
  const change = changes[firstBehind(changes, stamp, stampOf)];
  const row = change === undefined ? state.objects.get(id) : change.before;
  return row === null || row?.gone !== undefined ? undefined : row;
}

/** What had a name as of a stamp; 0: nothing. */
export function nameAt(state: VolumeState, directory: number, name: string, stamp: number): number {
  const changes = state.past.ofName(directory, name);
  const change = changes[firstBehind(changes, stamp, stampOf)];
  return change === undefined ? (state.names.get(directory)?.get(name) ?? 0) : change.before;
}

/** Names of a directory as of a stamp, sorted. */
export function namesAt(state: VolumeState, directory: number, stamp: number): readonly string[] {
  const all = everNames(state, directory);
  return all.filter((name) => nameAt(state, directory, name, stamp) !== 0);
}

/** Names that a directory has or had, sorted. */
export function everNames(state: VolumeState, directory: number): readonly string[] {
  const now = state.names.get(directory)?.keys() ?? none;
  return [...new Set([...now, ...state.past.namesOf(directory)])].sort();
}

/** The object that has a name, or the last one that had; 0: none. */
export function lastWith(state: VolumeState, directory: number, name: string): number {
  const id = state.names.get(directory)?.get(name) ?? 0;
  if (id !== 0) return id;
  return state.past.ofName(directory, name).findLast(({ before }) => before !== 0)?.before ?? 0;
}

/** An object as it is, or as it was when it last had a name. */
export function lastSeen(state: VolumeState, id: number): ObjectRow | undefined {
  const row = state.objects.get(id);
  if (row !== undefined && row.gone === undefined) return row;
  const isSeen = (before: ObjectRow | null): boolean => before !== null && before.gone === undefined;
  return state.past.ofObject(id).findLast(({ before }) => isSeen(before))?.before ?? undefined;
}

/** What could be found under a name, from a moment until another one. */
export interface NameVersion {
  /** 0: from before everything that is known. */
  readonly from: number;
  /** 0: it is there now. */
  readonly until: number;
  readonly id: number;
  readonly row: ObjectRow;
}

/** What could be found under a name, one after the other: contents, not attributes. */
export function versionsOf(state: VolumeState, directory: number, name: string): readonly NameVersion[] {
  const found: NameVersion[] = [];
  const end = Number.MAX_SAFE_INTEGER;
  const holders = [
    ...state.past.ofName(directory, name),
    { stamp: end, at: 0, before: state.names.get(directory)?.get(name) ?? 0 },
  ];
  let [begin, from] = [0, 0];
  for (const { stamp: left, at: leftAt, before: id } of holders) {
    for (let [stamp, at] = [begin, from]; id !== 0 && stamp < left; ) {
      const changes = state.past.ofObject(id);
      const change = changes[firstBehind(changes, stamp, stampOf)];
      const row = objectAt(state, id, stamp);
      const next = Math.min(change?.stamp ?? end, left);
      const until = next === left ? leftAt : (change?.at ?? 0);
      if (row !== undefined) {
        const last = found.at(-1);
        const isSame = last?.id === id && last.row.version === row.version && last.until === at;
        if (isSame) found.pop();
        found.push({ from: isSame ? last.from : at, until, id, row });
      }
      [stamp, at] = [next, until];
    }
    [begin, from] = [left, leftAt];
  }
  return found;
}
