// Compaction of the log: what the entry that came last makes needless of those before it.
//
// - Only among entries that were never offered to vice (`n` 0, applied): the rest stays as it is. Replaying
//   what is left makes the same volume, times too: what goes leaves its directory's time behind, as a
//   SETATTR in the entry's place.
// - Where anything else names what would go, nothing goes. Objects that too many entries name are left
//   alone: each entry costs bounded time.

import type { FileRecord, RecordOf } from "../interface/file-records.js";
import type { Change } from "../recoverable/tables.js";
import type { CacheState, LogRow } from "./state.js";

const entriesMax = 1000;

interface Entry {
  readonly sequence: number;
  readonly record: FileRecord;
}

const isFree = ({ record, applied }: LogRow): boolean => applied && record.n === 0;
const gone = ({ sequence }: Entry): Change => ["log", sequence, null];
const instead = (sequence: number, record: FileRecord): Change => [
  "log",
  sequence,
  { record, applied: true } satisfies LogRow,
];

/** Entries that name an object, up to one of them; null when they are too many, or one was offered. */
function entriesOf({ log, entries }: CacheState, id: number, upTo: number): readonly Entry[] | null {
  const sequences = entries.get(id) ?? new Set();
  if (sequences.size > entriesMax) return null;
  const found: Entry[] = [];
  for (const sequence of [...sequences].sort((one, other) => one - other)) {
    const row = log.get(sequence);
    if (sequence > upTo || row === undefined) continue;
    if (!isFree(row)) return null;
    found.push({ sequence, record: row.record });
  }
  return found;
}

/** The same, those behind the last one that was offered. */
function freeEntriesOf({ log, entries }: CacheState, id: number, upTo: number): readonly Entry[] {
  const sequences = entries.get(id) ?? new Set();
  if (sequences.size > entriesMax) return [];
  return [...sequences]
    .sort((one, other) => one - other)
    .flatMap((sequence) => {
      const row = log.get(sequence);
      return sequence <= upTo && row !== undefined && isFree(row) ? [{ sequence, record: row.record }] : [];
    });
}

/** Stores of one object: the newest is enough, made from what the first was made from. */
function stores(state: CacheState, { sequence, record }: Entry & { record: RecordOf<"store"> }): Change[] {
  const earlier = freeEntriesOf(state, record.id, sequence - 1).filter((each) => each.record.op === "store");
  const first = earlier[0]?.record;
  if (first?.op !== "store") return [];
  const { baseHash: _, ...rest } = record;
  const from = { base: first.base, ...(first.baseHash === undefined ? {} : { baseHash: first.baseHash }) };
  return [...earlier.map(gone), instead(sequence, { ...rest, ...from })];
}

/** What a later SETATTR sets again the earlier ones need not. */
function attributes(
  state: CacheState,
  { sequence, record }: Entry & { record: RecordOf<"setattr"> },
): Change[] {
  return freeEntriesOf(state, record.id, sequence - 1).flatMap((each): Change[] => {
    if (each.record.op !== "setattr") return [];
    const { mode, uid, gid, mtime, atime, ...rest } = each.record;
    const left = {
      ...(mode === undefined || record.mode !== undefined ? {} : { mode }),
      ...(uid === undefined || record.uid !== undefined ? {} : { uid }),
      ...(gid === undefined || record.gid !== undefined ? {} : { gid }),
      ...(mtime === undefined || record.mtime !== undefined ? {} : { mtime }),
      ...(atime === undefined || record.atime !== undefined ? {} : { atime }),
    };
    const count = Object.keys(left).length;
    if (count === 0) return [gone(each)];
    const before = [mode, uid, gid, mtime, atime].filter((value) => value !== undefined).length;
    return count === before ? [] : [instead(each.sequence, { ...rest, ...left })];
  });
}

/** How many names an object has by entries that are all its own, in one directory; null: otherwise. */
function namesIn(own: readonly Entry[], id: number, directory: number): number | null {
  let count = 0;
  for (const { record } of own) {
    if (record.id !== id) return null;
    switch (record.op) {
      case "make":
      case "link":
      case "remove":
        if (record.directory !== directory) return null;
        count += record.op === "remove" ? -1 : 1;
        break;
      case "rename":
        if (record.exchange || record.directory !== directory || record.to !== directory) return null;
        break;
    }
  }
  return count;
}

/** What was made here and has lost its last name: all of it goes, but for its directory's time. */
function removed(state: CacheState, { sequence, record }: Entry & { record: RecordOf<"remove"> }): Change[] {
  const { id, directory, time } = record;
  const own = entriesOf(state, id, sequence);
  if (own?.[0]?.record.op !== "make" || namesIn(own, id, directory) !== 0) return [];
  if (own.some((each) => each.record.op === "rename" && each.record.over !== 0)) return [];
  const base = state.objects.get(directory)?.status.changed ?? 0;
  const touch = { op: "setattr", n: 0, checked: false, time, id: directory, base, mtime: time } as const;
  return [...own.slice(0, -1).map(gone), instead(sequence, touch)];
}

/** A rename over what was made here: that goes; what it had replaced itself is replaced now. */
function replaced(state: CacheState, { sequence, record }: Entry & { record: RecordOf<"rename"> }): Change[] {
  const { over, to, newName } = record;
  const own = entriesOf(state, over, sequence - 1);
  if (own?.[0]?.record.op !== "make" || namesIn(own, over, to) !== 1) return [];
  const before = own.filter((each) => each.record.op === "rename" && each.record.over !== 0);
  const [earlier, another] = before;
  if (earlier === undefined)
    return [...own.map(gone), instead(sequence, { ...record, over: 0, overBase: 0 })];
  const { record: first } = earlier;
  if (another !== undefined || first.op !== "rename" || first.newName !== newName) return [];
  // Its name is that one's still, and nobody else has spoken of what had it first.
  const isLast = own.every(
    (each) => each.sequence <= earlier.sequence || ["store", "setattr"].includes(each.record.op),
  );
  const of = entriesOf(state, first.over, sequence - 1);
  const isNamed = of === null || of.some((each) => each.sequence > earlier.sequence);
  const hasOthers = (state.objects.get(first.over)?.status.links ?? 0) > 0;
  if (!isLast || isNamed || hasOthers) return [];
  const target = { over: first.over, overBase: first.overBase };
  return [...own.map(gone), instead(sequence, { ...record, ...target })];
}

/** a → b, b → c in one directory are a → c, when nothing else has changed a name there between them. */
function chained(state: CacheState, { sequence, record }: Entry & { record: RecordOf<"rename"> }): Change[] {
  const { id, directory, name, to, newName, exchange } = record;
  if (exchange || directory !== to) return [];
  const earlier = freeEntriesOf(state, directory, sequence - 1).at(-1);
  const first = earlier?.record;
  if (earlier === undefined || first?.op !== "rename" || first.id !== id || first.exchange) return [];
  if (first.directory !== to || first.to !== to || first.over !== 0) return [];
  if (first.newName !== name || first.name === newName) return [];
  return [gone(earlier), instead(sequence, { ...record, name: first.name })];
}

/** The changes of the log that an entry allows, now that it is there. */
export function compaction(state: CacheState, sequence: number): Change[] {
  const row = state.log.get(sequence);
  if (row === undefined || !isFree(row)) return [];
  const { record } = row;
  switch (record.op) {
    case "store":
      return stores(state, { sequence, record });
    case "setattr":
      return attributes(state, { sequence, record });
    case "remove":
      return removed(state, { sequence, record });
    case "rename": {
      const changes = record.exchange || record.over === 0 ? [] : replaced(state, { sequence, record });
      return changes.length > 0 ? changes : chained(state, { sequence, record });
    }
    default:
      return [];
  }
}

/** Compacts until nothing more comes of an entry; `commit` makes each step. */
export function compact(
  state: CacheState,
  sequence: number,
  commit: (changes: readonly Change[]) => void,
): void {
  for (let steps = 0; steps < entriesMax; steps++) {
    const changes = compaction(state, sequence);
    if (changes.length === 0) return;
    commit(changes);
  }
}
