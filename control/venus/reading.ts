// Requests of the kernel that change nothing: answered from the cache's rows.
//
// - Handlers answer, or throw Lacking: then they run again when that is there. They change nothing before
//   they have all that they need.
// - Permissions are the kernel's matter (default_permissions).

import {
  type Attributes,
  type Entry,
  errno,
  type FileAnswer,
  type FileRequest,
  type Listed,
} from "../../drivers/file-system.js";
import { type FileTime, ROOT_ID } from "../interface/file-status.js";
import { type Cache, Lacking } from "./cache.js";
import { isDirectory, isFile } from "./effect.js";
import { laterOf, type OpenFiles } from "./files.js";
import { isProved } from "./proof.js";
import type { Shipper } from "./shipping.js";
import type { CachedObject } from "./state.js";

/** A request ends with this errno. */
export class Failure extends Error {
  constructor(readonly errno: number) {
    super(`errno ${errno}`);
  }
}

export const fail = (number: number): never => {
  throw new Failure(number);
};

export type RequestOf<Kind extends FileRequest["kind"]> = Extract<FileRequest, { readonly kind: Kind }>;

const [O_ACCMODE, O_TRUNC] = [3, 0o1000];
const [keepCache, noFlush, passthrough] = [2, 32, 128];
const [SEEK_DATA, SEEK_HOLE] = [3, 4];
const longSeconds = 86_400;
const shortSeconds = 1;
export const nameBytesMax = 255;

/** Attributes of others (security.*, system.*, trusted.*) are not kept. */
export function mustBeUsers(name: string): void {
  if (!name.startsWith("user.")) fail(errno.EOPNOTSUPP);
  if (name.length === "user.".length) fail(errno.EINVAL);
}

/** A value for one who has room for so many bytes; 0: asks how many there are. */
function sized(value: Uint8Array, room: number): FileAnswer {
  if (room === 0) return { kind: "size", bytes: value.length };
  return value.length > room ? fail(errno.ERANGE) : { kind: "data", data: value };
}

export interface OperationsOptions {
  readonly cache: Cache;
  readonly files: OpenFiles;
  readonly shipper: Shipper;
  /** The calendar's time. */
  readonly time: () => FileTime;
  /** The kernel knows a node once more. */
  readonly known: (node: number) => void;
}

export class Reading {
  protected readonly options: OperationsOptions;
  protected readonly listings = new Map<number, readonly Listed[]>();
  protected lastListing = 0;

  constructor(options: OperationsOptions) {
    this.options = options;
  }

  protected get cache(): Cache {
    return this.options.cache;
  }

  protected time(): FileTime {
    return this.options.time();
  }

  // ---- what is here --------------------------------------------------------------------

  protected get isConnected(): boolean {
    return this.cache.link?.isConnected === true;
  }

  protected need(id: number): CachedObject {
    return this.cache.object(id) ?? fail(this.isConnected ? errno.ESTALE : errno.ETIMEDOUT);
  }

  protected directory(id: number): CachedObject {
    const row = this.need(id);
    return isDirectory(row.status) ? row : fail(errno.ENOTDIR);
  }

  /** What has a name; 0: nothing; undefined: nobody here can say. */
  protected find(directory: number, name: string): number | undefined {
    this.directory(directory);
    const names = this.cache.names(directory);
    if (names !== null) return names.get(name) ?? 0;
    return this.cache.state.names.get(directory)?.get(name);
  }

  protected lookup({ node, name }: RequestOf<"lookup">): FileAnswer {
    if (name.length > nameBytesMax) fail(errno.ENAMETOOLONG);
    const id = this.find(node, name);
    if (id === undefined) return fail(errno.ETIMEDOUT);
    if (id === 0) return fail(errno.ENOENT);
    const row = this.need(id);
    this.options.known(id);
    return { kind: "entry", ...this.entry(id, row) };
  }

  protected entry(id: number, row: CachedObject): Entry {
    const seconds = this.isConnected ? longSeconds : shortSeconds;
    const isStrict = this.cache.link?.hello?.semantics === "strict";
    const attributes = this.attributesOf(id, row);
    return { attributes, generation: 0, entrySeconds: isStrict ? 0 : seconds, attributeSeconds: seconds };
  }

  protected attributesOf(id: number, { status }: CachedObject): Attributes {
    const { mode, links, uid, gid, device = 0 } = status;
    const open = this.options.files.facts(id);
    const { size, mtime } = open ?? status;
    const ctime = laterOf(status.ctime, open?.written);
    const time = ([seconds, nanoseconds]: FileTime) => ({ seconds, nanoseconds });
    const shown = isDirectory(status) ? 4096 : size;
    return {
      ...{ node: id, mode, links, uid, gid, device, size: shown, blocks: Math.ceil(shown / 512) },
      ...{ atime: time(status.atime ?? mtime), mtime: time(mtime), ctime: time(ctime) },
    };
  }

  protected attributes(id: number): FileAnswer {
    const row = this.held(id) ?? this.need(id);
    const attributeSeconds = this.isConnected ? longSeconds : shortSeconds;
    return { kind: "attributes", attributes: this.attributesOf(id, row), attributeSeconds };
  }

  /** An object without a name that is still open: vice does not know it any more. */
  protected held(id: number): CachedObject | undefined {
    const row = this.cache.state.objects.get(id);
    return row?.status.links === 0 ? row : undefined;
  }

  protected list({ node, handle, position, plus }: RequestOf<"readdir">): Iterable<Listed> {
    let all = this.listings.get(handle);
    if (all === undefined || position === 0) {
      const row = this.directory(node);
      const names = this.cache.names(node);
      if (names === null && this.isConnected) fail(errno.EIO);
      const here = names ?? this.cache.state.names.get(node) ?? new Map<string, number>();
      const every: [string, number][] = [[".", node], ["..", row.status.parent ?? ROOT_ID], ...here];
      all = every.map(([name, id], index) => {
        const mode = this.cache.state.objects.get(id)?.status.mode ?? 0;
        return { name, node: id, mode, position: index + 1 };
      });
      this.listings.set(handle, all);
    }
    return plus ? this.withEntries(all.slice(position)) : all.slice(position);
  }

  protected *withEntries(all: readonly Listed[]): Generator<Listed> {
    for (const listed of all) {
      const { name, node } = listed;
      const row = name === "." || name === ".." ? undefined : this.cache.state.objects.get(node);
      const isGood = row !== undefined && (!this.isConnected || this.cache.link?.isPromised(node) === true);
      if (!isGood) yield listed;
      else {
        yield { ...listed, entry: this.entry(node, row) };
        this.options.known(node); // the next one was asked for: this one fitted
      }
    }
  }

  protected usage() {
    const blocks = 2 ** 28;
    return {
      ...{ blocks, blocksFree: blocks, files: 2 ** 30, filesFree: 2 ** 30 },
      blockBytes: 4096,
      nameBytesMax,
    };
  }

  // ---- opening -------------------------------------------------------------------------

  protected open({ node, flags }: RequestOf<"open">): FileAnswer {
    const row = this.held(node) ?? this.need(node);
    if (isDirectory(row.status)) fail(errno.EISDIR);
    if (!isFile(row.status)) fail(errno.ENXIO);
    const truncates = (flags & O_TRUNC) !== 0;
    if (!truncates && !isProved(this.cache, node, row)) this.lackContent(node);
    return { kind: "opened", ...this.opened(node, (flags & O_ACCMODE) !== 0 || truncates, truncates) };
  }

  // ---- attributes and holes --------------------------------------------------------------

  protected getAttribute({ node, name, bytes }: RequestOf<"getxattr">): FileAnswer {
    mustBeUsers(name);
    const { status } = this.held(node) ?? this.need(node);
    const value = status.attributes?.[name] ?? fail(errno.ENODATA);
    return sized(Buffer.from(value, "base64"), bytes);
  }

  protected listAttributes({ node, bytes }: RequestOf<"listxattr">): FileAnswer {
    const { status } = this.held(node) ?? this.need(node);
    const names = Object.keys(status.attributes ?? {}).map((name) => `${name}\0`);
    return sized(Buffer.from(names.join(""), "latin1"), bytes);
  }

  /** Where data or a hole begins, in the cached file. */
  protected seek({ handle, position, whence }: RequestOf<"lseek">): FileAnswer {
    const { id } = this.options.files.handle(handle) ?? fail(errno.EBADF);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) fail(errno.EINVAL);
    const what = whence === SEEK_DATA ? "data" : "hole";
    const found = this.cache.contents.with(id, (file) => file.seek(position, what));
    return { kind: "position", position: found ?? fail(errno.ENXIO) };
  }

  protected allocate({ handle, position, length, mode }: RequestOf<"fallocate">): FileAnswer {
    const { id, forWriting } = this.options.files.handle(handle) ?? fail(errno.EBADF);
    if (!forWriting) fail(errno.EBADF);
    const number = this.cache.contents.with(id, (file) => file.allocate(position, length, mode));
    return number === 0 ? { kind: "done" } : fail(number);
  }

  protected lackContent(id: number): never {
    if (this.isConnected) throw new Lacking({ kind: "content", id });
    return fail(errno.ETIMEDOUT);
  }

  protected opened(id: number, forWriting: boolean, truncates: boolean) {
    const { handle, backing } = this.options.files.open(id, forWriting, truncates);
    const flags = (forWriting ? 0 : noFlush) | (backing > 0 ? passthrough : truncates ? 0 : keepCache);
    return backing > 0 ? { handle, flags, backing } : { handle, flags };
  }
}
