// One record of a client's log applied to a volume: by the table of conflicts in docs/FILES.md, whose
// numbers stand here.
//
// - What a record believes is compared with what is so, by object and by name. A checked record that does
//   not fit is refused with what a local file system would say; ESTALE: its maker looked at something
//   that is not so any more, and should look again. A record of disconnected work is never refused for
//   a conflict: it is done another way, kept under another name, or listed.
// - Pure: a draft in, a draft out.
// - Throws Lie for what no honest client sends.

import { errno } from "../../../drivers/file-system.js";
import type { FileRecord, Outcome, RecordOf } from "../../interface/file-records.js";
import { EMPTY_HASH, type FileTime, makerOf, ROOT_ID } from "../../interface/file-status.js";
import type { Draft } from "./draft.js";
import { type ConflictRow, isDirectoryMode, isFileMode, isLinkMode, type ObjectRow } from "./state.js";

/** A record that no honest client sends. */
export class Lie extends Error {
  override readonly name = "Lie";
}

export interface ReplayGiven {
  readonly draft: Draft;
  readonly venus: number;
  /** Of the client's machine, for the names of conflict copies. */
  readonly machine: string;
  /** The time here, seconds since 1970. */
  readonly seconds: number;
  /** Has the content that a store names installed for an object and version. */
  readonly install: (id: number, version: number) => string;
  /** A content that is not the newest any more. */
  readonly outlived: (id: number, version: number) => void;
}

type Became = Omit<Outcome, "n">;

const attributeNames = ["mode", "uid", "gid", "mtime"] as const;
type AttributeName = (typeof attributeNames)[number];

const done: Became = { became: "done" };
const same: Became = { became: "same" };
const nameBytesMax = 255;
const depthMax = 4096;
const samplesMax = 1000;

const refused = (number: number): Became => ({ became: "refused", errno: number });

class Replay {
  constructor(readonly given: ReplayGiven) {}

  apply(record: FileRecord): Became {
    switch (record.op) {
      case "make":
        return this.#make(record);
      case "link":
        return this.#link(record);
      case "remove":
        return this.#remove(record);
      case "rename":
        return this.#rename(record);
      case "store":
        return this.#store(record);
      case "setattr":
        return this.#setattr(record);
    }
  }

  get #draft(): Draft {
    return this.given.draft;
  }

  // ---- making ------------------------------------------------------------------------

  #make(record: RecordOf<"make">): Became {
    const { id, name, mode, uid, gid, target, device, time, checked } = record;
    if (makerOf(id) !== this.given.venus) throw new Lie(`object ${id} is not of venus ${this.given.venus}`);
    if (this.#draft.object(id) !== undefined || this.#draft.resolve(id) !== id)
      throw new Lie(`object ${id} was made already`);
    const directory = this.#directory(record.directory, record);
    if (typeof directory === "object") return directory;
    const other = this.#draft.name(directory, name);
    if (other !== 0) {
      if (checked) return refused(errno.EEXIST);
      if (this.#isSame(other, record)) {
        this.#draft.alias(id, other); // 33, 36, 39
        return { became: "same", id: other };
      }
    }
    const isFolder = isDirectoryMode(mode);
    const row: ObjectRow = {
      ...{ mode, uid, gid, links: 0, size: target?.length ?? 0 },
      ...{ version: this.#draft.stamp(), changed: 0, mtime: time, ctime: time },
      ...{ home: [directory, name] as const, by: [this.given.venus, record.n] as const },
      ...(isFolder ? { parent: directory, entries: 0 } : {}),
      ...(target === undefined ? {} : { target }),
      ...(device === undefined ? {} : { device }),
    };
    this.#draft.put(id, other === 0 ? row : { ...row, rival: [directory, name] }); // 31, 32
    return this.#enter(directory, name, id, record);
  }

  #isSame(other: number, { mode, target, device = 0 }: RecordOf<"make">): boolean {
    const row = this.#draft.object(other);
    if (row === undefined || (row.mode & 0o170000) !== (mode & 0o170000)) return false;
    if (isDirectoryMode(mode)) return true;
    if (isLinkMode(mode)) return row.target === target;
    return !isFileMode(mode) && (row.device ?? 0) === device;
  }

  #link(record: RecordOf<"link">): Became {
    const { name, checked } = record;
    const id = this.#draft.resolve(record.id);
    const row = this.#draft.object(id);
    if (row === undefined) return this.#unknown(record);
    if (isDirectoryMode(row.mode)) throw new Lie("a directory has one name");
    if (row.gone !== undefined)
      return checked ? refused(errno.ENOENT) : this.#list(record, "what it links is gone");
    const directory = this.#directory(record.directory, record);
    if (typeof directory === "object") return directory;
    const other = this.#draft.name(directory, name);
    if (other === id && !checked) return same; // 41
    if (other !== 0 && checked) return refused(errno.EEXIST);
    return this.#enter(directory, name, id, record); // 42
  }

  /** Gives a name, or when another one has it a name beside it. */
  #enter(directory: number, name: string, id: number, record: FileRecord): Became {
    if (this.#draft.name(directory, name) === 0) {
      this.#draft.enter(directory, name, id, record.time);
      return done;
    }
    const free = this.#freeName(directory, name, record.n);
    this.#draft.enter(directory, free, id, record.time);
    this.#note(record, "another object has the name", free);
    return { became: "kept", name: free };
  }

  #freeName(directory: number, name: string, record: number): string {
    for (let count = 1; count <= samplesMax; count++) {
      const more = count === 1 ? "" : `-${count}`;
      const behind = `.conflict-${this.given.machine}-${record}${more}`;
      const free = name.slice(0, nameBytesMax - behind.length) + behind;
      if (this.#draft.name(directory, free) === 0) return free;
    }
    throw new Error("there is no free name");
  }

  /** The directory that is meant, brought back when that is the rule; or what becomes of the record. */
  #directory(wanted: number, record: FileRecord): number | Became {
    const id = this.#draft.resolve(wanted);
    const row = this.#draft.object(id);
    if (row === undefined) return this.#unknown(record);
    if (!isDirectoryMode(row.mode)) throw new Lie(`object ${id} is no directory`);
    if (row.gone === undefined) return id;
    if (record.checked) return refused(errno.ENOENT);
    this.#bringBack(id, record); // 45, 53, 65
    return id;
  }

  /** Gives an object that is gone its last name again, or one beside it; those above it too. */
  #bringBack(id: number, record: FileRecord, depth = 0): void {
    const row = this.#draft.object(id);
    if (row?.gone === undefined || depth > depthMax) return;
    let [directory, name] = row.home;
    const above = this.#draft.object(directory);
    if (above === undefined || !isDirectoryMode(above.mode)) directory = ROOT_ID;
    else this.#bringBack(directory, record, depth + 1);
    if (name === "") name = `object-${id}`;
    const isTaken = this.#draft.name(directory, name) !== 0; // 26, 52
    const free = isTaken ? this.#freeName(directory, name, record.n) : name;
    if (isDirectoryMode(row.mode)) this.#draft.put(id, { ...row, entries: 0, links: 2 });
    this.#draft.enter(directory, free, id, record.time);
    this.#note(record, "it was removed meanwhile and is back", free);
  }

  // ---- removing and renaming -----------------------------------------------------------

  #remove(record: RecordOf<"remove">): Became {
    const { name, time, checked } = record;
    const directory = this.#draft.resolve(record.directory);
    const id = this.#draft.resolve(record.id);
    const row = this.#draft.object(id);
    if (row === undefined || this.#draft.object(directory) === undefined) return this.#unknown(record);
    if (this.#draft.name(directory, name) !== id) {
      if (checked) return refused(errno.ESTALE);
      return row.gone === undefined ? this.#list(record, "it has another name now") : same; // 57; 23, 46
    }
    if ((row.entries ?? 0) > 0)
      return checked ? refused(errno.ENOTEMPTY) : this.#list(record, "the directory is not empty"); // 47
    const isNewer = isFileMode(row.mode) && this.#isOthers(row, record.base) && row.links === 1;
    if (isNewer && !checked) return this.#list(record, "it was changed meanwhile, and stays"); // 24
    this.#draft.leave(directory, name, time, this.given.seconds);
    return done;
  }

  #rename(record: RecordOf<"rename">): Became {
    const { name, newName, time, checked, exchange } = record;
    const from = this.#draft.resolve(record.directory);
    const id = this.#draft.resolve(record.id);
    const over = this.#draft.resolve(record.over);
    const row = this.#draft.object(id);
    if (row === undefined || this.#draft.object(from) === undefined) return this.#unknown(record);
    const atNew = this.#draft.name(this.#draft.resolve(record.to), newName);
    if (this.#draft.name(from, name) !== id) {
      if (checked) return refused(errno.ESTALE);
      if (row.gone !== undefined) return this.#list(record, "what was renamed is gone"); // 59
      return atNew === id ? same : this.#list(record, "it was renamed meanwhile"); // 54, 69; 55, 68
    }
    const to = this.#directory(record.to, record);
    if (typeof to === "object") return to;
    if (isDirectoryMode(row.mode) && this.#isBelow(to, id))
      return checked ? refused(errno.EINVAL) : this.#list(record, "a directory would be below itself"); // 63
    if (exchange) return this.#exchange(record, from, to, id, over);
    if (atNew === id) return from === to && name === newName ? done : this.#dropName(from, name, time);
    if (atNew !== 0) {
      const why = this.#replace(record, to, atNew, over, isDirectoryMode(row.mode));
      if (why !== undefined && checked) return refused(why);
    }
    this.#draft.leave(from, name, time, this.given.seconds);
    return this.#enter(to, newName, id, record); // 60, 72: a name beside it
  }

  /** Two names of one object: one of them goes. */
  #dropName(directory: number, name: string, time: FileTime): Became {
    this.#draft.leave(directory, name, time, this.given.seconds);
    return done;
  }

  /** Takes what has the new name out of the way; an errno when it stays. */
  #replace(
    { newName, time, checked, overBase }: RecordOf<"rename">,
    to: number,
    target: number,
    over: number,
    isFolder: boolean,
  ): number | undefined {
    if (target !== over) return errno.ESTALE; // 60
    const row = this.#draft.object(target);
    if (row === undefined) return errno.ESTALE;
    if (isDirectoryMode(row.mode) !== isFolder) return isFolder ? errno.ENOTDIR : errno.EISDIR;
    if ((row.entries ?? 0) > 0) return errno.ENOTEMPTY; // 72
    this.#draft.leave(to, newName, time, this.given.seconds); // 71
    if (!checked && isFileMode(row.mode) && this.#isOthers(row, overBase) && row.links === 1) {
      const free = this.#freeName(to, newName, this.#draft.volume.conflicts + 1); // 61
      this.#draft.enter(to, free, target, time);
      this.#listed({ time, why: "it was changed before it was replaced", name: free, record: {} });
    }
    return undefined;
  }

  #exchange(record: RecordOf<"rename">, from: number, to: number, id: number, over: number): Became {
    const { name, newName, time, checked } = record;
    const other = this.#draft.object(over);
    if (over === 0 || other === undefined || this.#draft.name(to, newName) !== over)
      return checked ? refused(errno.ESTALE) : this.#list(record, "the other one was renamed meanwhile"); // 68
    if (isDirectoryMode(other.mode) && this.#isBelow(from, over))
      return checked ? refused(errno.EINVAL) : this.#list(record, "a directory would be below itself");
    const { seconds } = this.given;
    this.#draft.leave(from, name, time, seconds);
    this.#draft.leave(to, newName, time, seconds);
    this.#draft.enter(from, name, over, time);
    this.#draft.enter(to, newName, id, time);
    return done;
  }

  /** Whether a directory is another one, or below it. */
  #isBelow(directory: number, above: number): boolean {
    let here = directory;
    for (let depth = 0; depth < depthMax; depth++) {
      if (here === above) return true;
      if (here === ROOT_ID) return false;
      here = this.#draft.object(here)?.parent ?? ROOT_ID;
    }
    return true;
  }

  // ---- contents and attributes -----------------------------------------------------------

  #store(record: RecordOf<"store">): Became {
    const { base, baseHash, hash, checked, n } = record;
    const id = this.#draft.resolve(record.id);
    const row = this.#draft.object(id);
    if (row === undefined) return this.#unknown(record);
    if (!isFileMode(row.mode)) throw new Lie(`object ${id} is no file`);
    const there = row.hash ?? EMPTY_HASH;
    if (row.gone !== undefined)
      this.#bringBack(id, record); // 21, 26, 29
    else if (there === hash) return this.#merge(id, hash) ?? this.#touch(id, record); // 2
    const now = this.#draft.object(id) ?? row;
    const follows = !this.#isOthers(row, base); // 1, 17
    if (follows || checked || there === baseHash) {
      const merged = this.#merge(id, hash); // 31
      if (merged !== undefined) return merged;
      this.#put(id, now, record); // 16
      return done;
    }
    if (baseHash === hash) return same; // 20
    const copy = this.#draft.ownId(); // 3, 18, 19
    const [directory, name] = now.home;
    const free = this.#freeName(directory, name, n);
    const { by: _, set: __, rival: ___, content: ____, ...attributes } = now;
    this.#draft.put(copy, {
      ...attributes,
      links: 0,
      size: 0,
      hash: EMPTY_HASH,
      version: this.#draft.stamp(),
    });
    this.#draft.enter(directory, free, copy, record.time);
    this.#put(copy, this.#draft.object(copy) ?? now, record);
    this.#note(record, "somebody else changed it too", free);
    return { became: "kept", name: free, id: copy };
  }

  /**
   * Whether a content is somebody else's, newer than what a record was made from: what its maker stored
   * before, in the same log, it knew.
   */
  #isOthers({ version, by }: ObjectRow, base: number): boolean {
    return version > base && by?.[0] !== this.given.venus;
  }

  #put(id: number, row: ObjectRow, { size, hash, mtime, time, n }: RecordOf<"store">): void {
    const version = this.#draft.stamp();
    if (row.size > 0) this.given.outlived(id, row.version);
    const content = size === 0 ? undefined : this.given.install(id, version);
    const { content: _, ...rest } = row;
    this.#draft.put(id, {
      ...{ ...rest, size, hash, mtime, ctime: time, version, changed: version, by: [this.given.venus, n] },
      ...(content === undefined ? {} : { content }),
    });
  }

  /** The same content came again: only its times count, the later ones. */
  #touch(id: number, { mtime, time }: RecordOf<"store">): Became {
    const row = this.#draft.object(id);
    if (row !== undefined && isLater(mtime, row.mtime))
      this.#draft.put(id, { ...row, mtime, ctime: time, changed: this.#draft.stamp() });
    return same;
  }

  /** A copy whose content is now that of the object whose name it wanted: they are one (31). */
  #merge(id: number, hash: string): Became | undefined {
    const row = this.#draft.object(id);
    if (row?.rival === undefined) return undefined;
    const winner = this.#draft.name(...row.rival);
    const other = this.#draft.object(winner);
    if (winner === id || other === undefined || !isFileMode(other.mode)) return undefined;
    if ((other.hash ?? EMPTY_HASH) !== hash || row.links !== 1) return undefined;
    const [directory, name] = row.home;
    if (this.#draft.name(directory, name) !== id) return undefined;
    this.#draft.leave(directory, name, row.ctime, this.given.seconds);
    this.#draft.alias(id, winner);
    return { became: "same", id: winner };
  }

  #setattr(record: RecordOf<"setattr">): Became {
    const { mode, uid, gid, mtime, time, checked, base } = record;
    const id = this.#draft.resolve(record.id);
    const row = this.#draft.object(id);
    if (row === undefined) return this.#unknown(record);
    if (row.gone !== undefined) return checked ? refused(errno.ENOENT) : this.#list(record, "it is gone"); // 22, 48
    const given = { mode, uid, gid, mtime };
    const names = attributeNames.filter((name) => given[name] !== undefined);
    const isLate = (name: AttributeName): boolean =>
      !checked && row.changed > base && isLater(row.set?.[name] ?? time, time); // 9
    const fields = names.filter((name) => !isLate(name)); // 10
    const set = { ...row.set, ...Object.fromEntries(fields.map((name) => [name, time])) };
    const has = (name: AttributeName): boolean => fields.includes(name);
    if (fields.length > 0)
      this.#draft.put(id, {
        ...row,
        ...(mode !== undefined && has("mode") ? { mode: (row.mode & 0o170000) | (mode & 0o7777) } : {}),
        ...(uid !== undefined && has("uid") ? { uid } : {}),
        ...(gid !== undefined && has("gid") ? { gid } : {}),
        ...(mtime !== undefined && has("mtime") ? { mtime } : {}),
        ...{ ctime: time, set, changed: this.#draft.stamp() },
      });
    return fields.length === names.length ? done : this.#list(record, "somebody set it later");
  }

  // ---- what is kept of what lost ---------------------------------------------------------

  /** It names what this volume never had: with a backup restored that may be. */
  #unknown(record: FileRecord): Became {
    return record.checked ? refused(errno.ESTALE) : this.#list(record, "the volume does not know the object");
  }

  #list(record: FileRecord, why: string): Became {
    this.#note(record, why);
    return { became: "listed", why };
  }

  #note(record: FileRecord, why: string, name?: string): void {
    this.#listed({ time: record.time, record, why, ...(name === undefined ? {} : { name }) });
  }

  #listed(row: Omit<ConflictRow, "venus">): void {
    this.#draft.also(["conflict", this.#draft.conflict(), { ...row, venus: this.given.venus }]);
  }
}

const isLater = (one: FileTime, other: FileTime): boolean =>
  one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);

/** Applies a record to a draft; answers what became of it. Throws Lie. */
export function replay(given: ReplayGiven, record: FileRecord): Outcome {
  return { n: record.n, ...new Replay(given).apply(record) };
}
