// What each request of the kernel comes to: reads from the cache's rows, changes as records.
//
// - Reading handlers answer, or throw Lacking: then they run again when that is there. They change
//   nothing before they have all that they need.
// - Changing handlers build one record from what is so here, and answer when the shipper says so; ESTALE
//   of vice means that it was not so: asked again, twice at most.
// - Permissions are the kernel's matter (default_permissions).

import {
  errno,
  type FileAnswer,
  type FileRequest,
  fileTypes,
  type GiveAnswer,
  withoutSetId,
} from "../../drivers/file-system.js";
import { idOf, ROOT_ID } from "../interface/file-status.js";
import { Attributes, ended } from "./attributes.js";
import { isDirectory } from "./effect.js";
import { isProved } from "./proof.js";
import { fail, nameBytesMax, type RequestOf } from "./reading.js";
import type { FreshRecord } from "./shipping.js";
import type { CachedObject } from "./state.js";

const [NOREPLACE, EXCHANGE] = [1, 2];
const S_ISGID = 0o2000;
const depthMax = 4096;

export class Operations extends Attributes {
  /** Throws Lacking and Failure; `again` runs the request anew. */
  run(request: FileRequest, answer: GiveAnswer, again: () => void): void {
    const now = this.answerNow(request);
    if (now !== null) answer(now);
    else this.#change(request, answer, again);
  }

  /** What is answered at once; null: it changes something. */
  protected answerNow(request: FileRequest): FileAnswer | null {
    const { cache, files } = this.options;
    switch (request.kind) {
      case "lookup":
        return this.lookup(request);
      case "getattr":
        return this.attributes(request.node);
      case "readlink":
        return { kind: "data", data: Buffer.from(this.need(request.node).status.target ?? "", "latin1") };
      case "open":
        return this.dropsSetId(request) ? null : this.open(request);
      case "opendir":
        this.directory(request.node);
        return { kind: "opened", handle: ++this.lastListing, flags: 0 };
      case "releasedir":
        this.listings.delete(request.handle);
        return { kind: "done" };
      case "readdir":
        return { kind: "names", names: this.list(request) };
      case "read": {
        const { id } = files.handle(request.handle) ?? fail(errno.EBADF);
        return { kind: "data", data: cache.contents.read(id, request.position, request.bytes) };
      }
      case "write": {
        if (this.dropsSetId(request)) return null;
        const { id } = files.handle(request.handle) ?? fail(errno.EBADF);
        cache.contents.with(id, (file) => file.write(request.position, request.data));
        return { kind: "written", bytes: request.data.length };
      }
      case "release":
        files.release(request.handle, this.time());
        return { kind: "done" };
      case "fsync": {
        const { id } = files.handle(request.handle) ?? fail(errno.EBADF);
        cache.contents.sync(id);
        cache.tables.syncNow();
        return { kind: "done" };
      }
      case "fsyncdir":
      case "syncfs":
        cache.tables.syncNow();
        return { kind: "done" };
      case "statfs":
        return { kind: "usage", usage: this.usage() };
      case "access":
      case "interrupt":
      case "destroy":
      case "forget":
        return { kind: "done" };
      case "fallocate":
        return this.dropsSetId(request) ? null : this.allocate(request);
      case "getxattr":
        return this.getAttribute(request);
      case "listxattr":
        return this.listAttributes(request);
      case "lseek":
        return this.seek(request);
      case "other":
        return fail(errno.ENOSYS);
      default:
        return null;
    }
  }

  #change(request: FileRequest, answer: GiveAnswer, again: () => void): void {
    switch (request.kind) {
      case "setattr":
        this.#setattr(request, answer, again);
        break;
      case "open":
      case "write":
      case "fallocate":
        this.dropSetId(request, answer, again);
        break;
      case "setxattr":
      case "removexattr":
        this.setAttribute(request, answer, again);
        break;
      case "symlink":
        this.#make(request, fileTypes.link | 0o777, { target: request.target }, answer, again);
        break;
      case "mknod":
        this.#make(request, request.mode, { device: request.device }, answer, again);
        break;
      case "mkdir":
        this.#make(request, fileTypes.directory | request.mode, {}, answer, again);
        break;
      case "create":
        this.#create(request, answer, again);
        break;
      case "unlink":
      case "rmdir":
        this.#remove(request, answer, again);
        break;
      case "rename":
        this.#rename(request, answer, again);
        break;
      case "link":
        this.#link(request, answer, again);
        break;
      case "flush": {
        const { id, forWriting } = this.options.files.handle(request.handle) ?? fail(errno.EBADF);
        if (!forWriting) answer({ kind: "done" });
        else this.options.files.flush(id, this.time(), (number) => answer(ended(number)));
        break;
      }
      default:
        fail(errno.ENOSYS);
    }
  }

  // ---- changing ------------------------------------------------------------------------

  #absent(directory: number, name: string): CachedObject {
    if (name.length > nameBytesMax) fail(errno.ENAMETOOLONG);
    if ((this.find(directory, name) ?? 0) !== 0) fail(errno.EEXIST);
    return this.directory(directory);
  }

  #newId(): number {
    const { cache } = this.options;
    const { row } = cache;
    if (row.venus === 0) return fail(errno.ETIMEDOUT);
    const counter = row.counter + 1;
    cache.tables.commit([["cache", 0, { ...row, counter }]]);
    return idOf(row.venus, counter);
  }

  #record(
    {
      node,
      name,
      uid,
      gid,
    }: { readonly node: number; readonly name: string; readonly uid: number; readonly gid: number },
    mode: number,
    more: { readonly target?: string; readonly device?: number },
  ): FreshRecord {
    const { status } = this.#absent(node, name);
    const inherits = (status.mode & S_ISGID) !== 0;
    const isFolder = (mode & fileTypes.mask) === fileTypes.directory;
    return {
      ...{ op: "make", time: this.time(), id: this.#newId(), directory: node, name, uid, ...more },
      ...{ mode: inherits && isFolder ? mode | S_ISGID : mode, gid: inherits ? status.gid : gid },
    };
  }

  #made(id: number): FileAnswer {
    const row = this.cache.state.objects.get(id);
    if (row === undefined) return ended(errno.EIO);
    this.options.known(id);
    return { kind: "entry", ...this.entry(id, row) };
  }

  #make(
    request: RequestOf<"mkdir" | "mknod" | "symlink">,
    mode: number,
    more: { readonly target?: string; readonly device?: number },
    answer: GiveAnswer,
    again: () => void,
  ): void {
    this.append(this.#record(request, mode, more), answer, again, (id) => this.#made(id));
  }

  #create(request: RequestOf<"create">, answer: GiveAnswer, again: () => void): void {
    const record = this.#record(request, fileTypes.file | (request.mode & 0o7777), {});
    this.append(record, answer, again, (id) => {
      const entry = this.#made(id);
      if (entry.kind !== "entry") return entry;
      return { kind: "created", entry, opened: this.opened(id, true, false) };
    });
  }

  #remove(request: RequestOf<"unlink" | "rmdir">, answer: GiveAnswer, again: () => void): void {
    const { node, name, kind } = request;
    const id = this.find(node, name) ?? fail(errno.ETIMEDOUT);
    if (id === 0) fail(errno.ENOENT);
    const { status } = this.need(id);
    if (kind === "rmdir" && !isDirectory(status)) fail(errno.ENOTDIR);
    if (kind === "unlink" && isDirectory(status)) fail(errno.EISDIR);
    this.#empty(id, status);
    const record = {
      op: "remove",
      time: this.time(),
      id,
      directory: node,
      name,
      base: status.version,
    } as const;
    this.append(record, answer, again, () => ({ kind: "done" }));
  }

  /** It has to be known here that a directory is empty: vice may be gone before it says so. */
  #empty(id: number, status: CachedObject["status"]): void {
    if (!isDirectory(status)) return;
    const names = this.cache.names(id);
    if (names === null || names.size > 0) fail(errno.ENOTEMPTY);
  }

  #rename(request: RequestOf<"rename">, answer: GiveAnswer, again: () => void): void {
    const { node, name, to, newName, flags } = request;
    if ((flags & ~(NOREPLACE | EXCHANGE)) !== 0) fail(errno.EINVAL);
    if (newName.length > nameBytesMax) fail(errno.ENAMETOOLONG);
    this.directory(to);
    const id = this.find(node, name) ?? fail(errno.ETIMEDOUT);
    if (id === 0) fail(errno.ENOENT);
    const over = this.find(to, newName) ?? 0;
    const exchange = (flags & EXCHANGE) !== 0;
    const moved = this.need(id);
    if (isDirectory(moved.status) && this.#isBelow(to, id)) fail(errno.EINVAL);
    let overBase = 0;
    if (over !== 0) {
      const target = this.need(over);
      if ((flags & NOREPLACE) !== 0) fail(errno.EEXIST);
      if (over === id) {
        answer({ kind: "done" });
        return;
      }
      if (!exchange) {
        if (isDirectory(moved.status) && !isDirectory(target.status)) fail(errno.ENOTDIR);
        if (!isDirectory(moved.status) && isDirectory(target.status)) fail(errno.EISDIR);
        this.#empty(over, target.status);
      }
      overBase = target.status.version;
    } else if (exchange) fail(errno.ENOENT);
    const record = { op: "rename", time: this.time(), id, directory: node, name, to, newName } as const;
    this.append({ ...record, over, overBase, exchange }, answer, again, () => ({ kind: "done" }));
  }

  /** Whether a directory is another one or below it, as far as that is known here. */
  #isBelow(directory: number, above: number): boolean {
    let here = directory;
    for (let depth = 0; here !== ROOT_ID && depth < depthMax; depth++) {
      if (here === above) return true;
      here = this.cache.state.objects.get(here)?.status.parent ?? ROOT_ID;
    }
    return here === above;
  }

  #link(request: RequestOf<"link">, answer: GiveAnswer, again: () => void): void {
    const { node, name, of } = request;
    this.#absent(node, name);
    if (isDirectory(this.need(of).status)) fail(errno.EPERM);
    const record = { op: "link", time: this.time(), id: of, directory: node, name } as const;
    this.append(record, answer, again, (id) => this.#made(id));
  }

  #setattr(request: RequestOf<"setattr">, answer: GiveAnswer, again: () => void): void {
    const { node, changes } = request;
    const row = this.held(node) ?? this.need(node);
    const { size } = changes;
    if (size !== undefined) {
      if (isDirectory(row.status)) fail(errno.EISDIR);
      if (size > 0 && !isProved(this.cache, node, row)) this.lackContent(node);
    }
    const { files } = this.options;
    const time = this.time();
    const set =
      changes.mtime === "now"
        ? time
        : changes.mtime && ([changes.mtime.seconds, changes.mtime.nanoseconds] as const);
    const { atime } = changes;
    const seen = atime === "now" ? time : atime && ([atime.seconds, atime.nanoseconds] as const);
    const isOwners = changes.uid !== undefined || changes.gid !== undefined;
    const drops =
      (isOwners && !isDirectory(row.status)) || (size !== undefined && request.dropSetId === true);
    const bits = drops ? withoutSetId(row.status.mode) : row.status.mode;
    const mode = changes.mode ?? (bits === row.status.mode ? undefined : bits);
    const rest = (): void => {
      if (set !== undefined) files.touch(node, set);
      const record = {
        ...(mode === undefined ? {} : { mode: mode & 0o7777 }),
        ...(seen === undefined ? {} : { atime: seen }),
        ...(changes.uid === undefined ? {} : { uid: changes.uid }),
        ...(changes.gid === undefined ? {} : { gid: changes.gid }),
        ...(set === undefined ? {} : { mtime: set }),
      };
      if (Object.keys(record).length === 0 || row.status.links === 0) answer(this.attributes(node));
      else {
        const base = this.cache.state.objects.get(node)?.status.changed ?? 0;
        this.append({ op: "setattr", time, id: node, base, ...record }, answer, again, () =>
          this.attributes(node),
        );
      }
    };
    if (size === undefined) {
      rest();
      return;
    }
    if (row.status.size === 0 && row.own === 0 && !files.isOpen(node))
      this.cache.contents.with(node, (file) => file.truncate(0));
    files.watch(node);
    this.cache.contents.with(node, (file) => file.truncate(size));
    if (request.handle !== undefined || (this.cache.contents.get(node)?.writers ?? 0) > 0) {
      rest(); // its close has it stored
      return;
    }
    files.flush(node, time, (number) => {
      if (number !== 0) answer(ended(number));
      else rest();
    });
  }
}
