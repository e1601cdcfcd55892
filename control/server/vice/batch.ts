// A batch of a client's records as one step: what becomes of each, what it changes, where contents go.
//
// - Pure: nothing is changed here; whoever calls commits the step, without a wait since the state was read.
// - A store that makes a content longer finds room in the quota or is not taken: who waits for the answer
//   gets EDQUOT, what was done without asking ends the batch and waits in its log. What grows less is
//   always taken.
// - Throws Lie for what no honest client sends.

import { errno } from "../../../drivers/file-system.js";
import { type FileRecord, type Outcome, RECORDS_MAX, type RecordOf } from "../../interface/file-records.js";
import type { Change } from "../../recoverable/tables.js";
import { Draft } from "./draft.js";
import { pastOf } from "./past.js";
import { replay } from "./replay.js";
import type { Readied } from "./replaying.js";
import type { ObjectRow, OldRow, VenusRow, VolumeState } from "./state.js";

export interface BatchGiven {
  readonly state: VolumeState;
  readonly venus: number;
  readonly row: VenusRow;
  /** What was made ready for records that were to meet another content. */
  readonly ready: ReadonlyMap<number, Readied>;
  /** The time here, seconds since 1970. */
  readonly seconds: number;
  /** The moment of the step (past.ts). */
  readonly at: number;
}

export interface Batch {
  /** Of the records that were taken: the first ones, perhaps none. */
  readonly outcomes: readonly Outcome[];
  readonly changes: readonly Change[];
  /** Objects that are not as before. */
  readonly touched: readonly number[];
  /** Where contents go that lie in incoming, by their names. */
  readonly installs: ReadonlyMap<string, readonly [id: number, version: number]>;
  /** Names of contents in incoming that nobody wants. */
  readonly unused: readonly string[];
}

export function batch(given: BatchGiven, records: readonly FileRecord[]): Batch {
  const { state, venus, row, ready, seconds, at } = given;
  const draft = new Draft(state);
  const installs = new Map<string, readonly [id: number, version: number]>();
  const outlived = (id: number, { version, size }: ObjectRow): void =>
    draft.also(["old", `${id}.${version}`, { id, version, size, at: seconds } satisfies OldRow]);
  const machineOf = (number: number): string => state.venuses.get(number)?.machine ?? "vice";
  const readied = (n: number): Readied | undefined => ready.get(n);
  const common = { draft, venus, machine: row.machine, machineOf, seconds, at, readied, outlived };
  const outcomes: Outcome[] = [];
  for (const record of records) {
    if (record.op === "store" && !hasRoom(draft, record)) {
      if (!record.checked) break; // it waits
      outcomes.push({ n: record.n, became: "refused", errno: errno.EDQUOT });
      continue;
    }
    const install = (id: number, version: number, from = `${venus}.${record.n}`): string => {
      installs.set(from, [id, version]);
      return from;
    };
    outcomes.push(replay({ ...common, install }, record));
  }
  draft.settleAll();
  for (const id of draft.touched) {
    const after = draft.object(id);
    if (after?.gone !== undefined && state.objects.get(id)?.gone === undefined) outlived(id, after);
  }
  const last = row.last + outcomes.length;
  const kept = outcomes.slice(-RECORDS_MAX);
  const own: Change = ["venus", venus, { ...row, last, outcomes: kept } satisfies VenusRow];
  const came = records.slice(0, outcomes.length).filter(({ op }) => op === "store");
  const names = [...came.map(({ n }) => `${venus}.${n}`), ...[...ready.values()].map(({ name }) => name)];
  const unused = names.filter((name) => !installs.has(name));
  const past = pastOf(draft, state, at);
  const changes = [...draft.changes(), own, ...(past === null ? [] : [past])];
  return { outcomes, changes, touched: draft.touched, installs, unused };
}

function hasRoom(draft: Draft, { id, size }: RecordOf<"store">): boolean {
  const { quota } = draft.volume;
  const more = size - (draft.object(draft.resolve(id))?.size ?? 0);
  return quota === undefined || more <= 0 || draft.bytes + more <= quota;
}
