// Contents of earlier versions while somebody has them open: each a file of the cache's folder.
//
// - history/ID.VERSION; they never change. The last close removes one, and the next start what a crash has
//   left: how much there is follows from what is open, and the cache's bound does not count it.
// - Fetched by version, in pieces, and compared with its hash before anybody reads it.

import { errno } from "../../drivers/file-system.js";
import { type Folder, FolderError, type FolderFile } from "../../drivers/folder.js";
import { EMPTY_HASH, type FileStatus } from "../interface/file-status.js";
import { VICE_PIECE_BYTES } from "../interface/vice.js";
import { Incoming, type NewDigest } from "./contents.js";
import type { Link } from "./link.js";

const folderName = "history";

const errnoOf = (error: unknown): number =>
  error instanceof FolderError && error.code === "FOLDER_FULL" ? errno.ENOSPC : errno.EIO;

interface OpenPast {
  readonly file: FolderFile;
  opens: number;
}

export class PastContents {
  readonly #folder: Folder;
  readonly #newDigest: NewDigest;
  readonly #open = new Map<string, OpenPast>();
  readonly #fetching = new Map<string, ((errno: number) => void)[]>();

  constructor(folder: Folder, newDigest: NewDigest) {
    this.#folder = folder;
    this.#newDigest = newDigest;
    folder.make(folderName);
    for (const name of folder.names(folderName)) folder.remove(`${folderName}/${name}`);
  }

  #path = (key: string): string => `${folderName}/${key}`;

  /** Opens a version; `done` gets what `read` and `release` are told, or an errno. */
  open(link: Link, status: FileStatus, done: (key: string | number) => void): void {
    const key = `${status.id}.${status.version}`;
    if (this.#open.has(key)) {
      done(this.#opened(key));
      return;
    }
    const opened = (number: number): void => done(number === 0 ? this.#opened(key) : number);
    const waiting = this.#fetching.get(key);
    if (waiting !== undefined) {
      waiting.push(opened);
      return;
    }
    this.#fetching.set(key, [opened]);
    this.#fetch(link, status, this.#path(key), (number) => {
      const all = this.#fetching.get(key) ?? [];
      this.#fetching.delete(key);
      for (const each of all) each(number);
    });
  }

  #opened(key: string): string | number {
    try {
      const open = this.#open.get(key) ?? { file: this.#folder.open(this.#path(key), "write"), opens: 0 };
      open.opens++;
      this.#open.set(key, open);
      return key;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** `ended` gets an errno; 0: it is there. */
  #fetch(
    link: Link,
    { id, version, size, hash = EMPTY_HASH }: FileStatus,
    path: string,
    ended: (errno: number) => void,
  ): void {
    let incoming: Incoming | null = null;
    let isOver = false;
    const end = (number: number): void => {
      if (isOver) return;
      isOver = true;
      const isIt = incoming?.end() === hash;
      if (number === 0 && isIt) ended(0);
      else {
        this.#folder.remove(path);
        ended(number === 0 ? errno.EIO : number);
      }
    };
    /** Without room, say, it ends; nobody waits for ever. */
    const guarded = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        end(errnoOf(error));
      }
    };
    const next = (to: Incoming): void => {
      if (to.bytes >= size) {
        end(0);
        return;
      }
      const given = { object: id, version, position: to.bytes, length: VICE_PIECE_BYTES };
      link.call("fetch", given, (came) => {
        const data = came !== null && "reply" in came ? came.reply.data : null;
        if (data instanceof Uint8Array && data.length > 0)
          guarded(() => {
            to.add(data);
            next(to);
          });
        else end(came === null ? errno.ETIMEDOUT : errno.ESTALE);
      });
    };
    guarded(() => {
      incoming = new Incoming(this.#folder, path, this.#newDigest());
      next(incoming);
    });
  }

  file(key: string): FolderFile | undefined {
    return this.#open.get(key)?.file;
  }

  release(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined || --open.opens > 0) return;
    open.file.close();
    this.#open.delete(key);
    this.#folder.remove(this.#path(key));
  }
}
