// A step that is being made: reads a volume as it will be, and collects what it will change.
//
// - Nothing of the volume changes before the step is committed; a draft that is thrown away has done
//   nothing. Records of one batch see what those before them did.
// - What was touched is known afterwards: whose promises break, and what the client is told.

import type { FileTime } from "../../interface/file-status.js";
import { nameOfKey } from "../../recoverable/rows.js";
import type { Change } from "../../recoverable/tables.js";
import {
  type ConflictRow,
  isDirectoryMode,
  type ObjectRow,
  type VolumeRow,
  type VolumeState,
} from "./state.js";

export class Draft {
  readonly #state: VolumeState;
  readonly #objects = new Map<number, ObjectRow>();
  readonly #names = new Map<string, number>();
  readonly #aliases = new Map<number, number>();
  readonly #others: Change[] = [];
  readonly #conflicts = new Map<number, ConflictRow | null>();
  #volume: VolumeRow;

  constructor(state: VolumeState) {
    if (state.volume === null) throw new Error("there is no volume");
    this.#state = state;
    this.#volume = state.volume;
  }

  get volume(): VolumeRow {
    return this.#volume;
  }

  /** The next stamp. */
  stamp(): number {
    const stamp = this.#volume.stamp + 1;
    this.#volume = { ...this.#volume, stamp };
    return stamp;
  }

  /** An id of vice's own. */
  ownId(): number {
    const counter = this.#volume.counter + 1;
    this.#volume = { ...this.#volume, counter };
    return counter;
  }

  /** Lists a conflict. */
  list(row: ConflictRow): void {
    const conflicts = this.#volume.conflicts + 1;
    this.#volume = { ...this.#volume, conflicts };
    this.#conflicts.set(conflicts, row);
  }

  /** Takes a conflict off the list. */
  settle(number: number): void {
    this.#conflicts.set(number, null);
  }

  /** Takes those off whose kept objects are gone, or have other names now. */
  settleAll(): void {
    const isOver = ({ kept }: ConflictRow): boolean =>
      kept !== undefined && this.name(...kept.at) !== kept.id;
    for (const id of this.#objects.keys())
      for (const number of this.#state.ofKept.get(id) ?? []) {
        const row = this.#state.conflicts.get(number);
        if (row !== undefined && isOver(row)) this.settle(number);
      }
    for (const [number, row] of this.#conflicts) if (row !== null && isOver(row)) this.settle(number);
  }

  resolve(id: number): number {
    return this.#aliases.get(id) ?? this.#state.resolve(id);
  }

  alias(id: number, to: number): void {
    this.#aliases.set(id, to);
  }

  object(id: number): ObjectRow | undefined {
    return this.#objects.get(id) ?? this.#state.objects.get(id);
  }

  put(id: number, row: ObjectRow): void {
    this.#objects.set(id, row);
  }

  /** What has a name; 0: nothing. */
  name(directory: number, name: string): number {
    return this.#names.get(`${directory}/${name}`) ?? this.#state.names.get(directory)?.get(name) ?? 0;
  }

  /** Gives an object a name: of its links too, and of a directory's. */
  enter(directory: number, name: string, id: number, time: FileTime): void {
    const stamp = this.stamp();
    this.#names.set(`${directory}/${name}`, id);
    const row = this.#must(id);
    const isFolder = isDirectoryMode(row.mode);
    const { gone: _, ...back } = row;
    this.put(id, {
      ...{ ...back, changed: stamp, ctime: time, home: [directory, name] },
      ...(isFolder ? { parent: directory, links: Math.max(2, row.links) } : { links: row.links + 1 }),
    });
    this.#count(directory, 1, isFolder, stamp, time);
  }

  /** Takes a name away; the object's last one takes the object. `seconds`: the time here. */
  leave(directory: number, name: string, time: FileTime, seconds: number): void {
    const id = this.name(directory, name);
    const stamp = this.stamp();
    this.#names.set(`${directory}/${name}`, 0);
    const row = this.#must(id);
    const isFolder = isDirectoryMode(row.mode);
    const links = isFolder ? row.links : row.links - 1;
    const isGone = isFolder || links === 0;
    this.put(id, {
      ...{ ...row, links, changed: stamp, ctime: time },
      ...(isGone ? { gone: seconds, home: [directory, name] as const } : {}),
    });
    this.#count(directory, -1, isFolder, stamp, time);
  }

  #count(directory: number, more: number, isFolder: boolean, stamp: number, time: FileTime): void {
    const row = this.#must(directory);
    this.put(directory, {
      ...{ ...row, version: stamp, changed: stamp, mtime: time, ctime: time },
      ...{ entries: (row.entries ?? 0) + more, links: row.links + (isFolder ? more : 0) },
    });
  }

  #must(id: number): ObjectRow {
    const row = this.object(id);
    if (row === undefined) throw new Error(`there is no object ${id}`);
    return row;
  }

  /** A row of another table. */
  also(change: Change): void {
    this.#others.push(change);
  }

  /** Bytes of the newest contents of all that has a name, as it will be. */
  get bytes(): number {
    const of = (row: ObjectRow | undefined): number => (row?.gone === undefined ? (row?.size ?? 0) : 0);
    let bytes = this.#state.bytes;
    for (const [id, row] of this.#objects) bytes += of(row) - of(this.#state.objects.get(id));
    return bytes;
  }

  /** Objects that are not as before. */
  get touched(): readonly number[] {
    return [...this.#objects.keys()];
  }

  /** Names that it gives or takes, with what will have them; 0: nothing. */
  get renamed(): readonly (readonly [directory: number, name: string, id: number])[] {
    return [...this.#names].map(([key, id]) => [...nameOfKey(key), id] as const);
  }

  /** The step. */
  changes(): Change[] {
    return [
      ["volume", 0, this.#volume],
      ...[...this.#objects].map(([id, row]): Change => ["object", id, row]),
      ...[...this.#names].map(([key, id]): Change => ["name", key, id === 0 ? null : { id }]),
      ...[...this.#aliases].map(([id, to]): Change => ["alias", id, { to }]),
      ...[...this.#conflicts].map(([number, row]): Change => ["conflict", number, row]),
      ...this.#others,
    ];
  }
}
