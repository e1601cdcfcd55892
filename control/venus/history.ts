// The hidden folder .history of a mount: how the volume was, to read and to copy out of.
//
//   .history/TIME/...           the volume as of a moment (control/interface/file-history.ts)
//   .history/versions/PATH/TIME what could be found under a path, by when it came; PATH may be gone by now
//
// - Nobody is told of it by a listing. Nothing in it can be changed: EROFS. Owners and modes are those of
//   then, and the kernel applies them.
// - Its nodes are numbers that vice gives no object, never used again while the mount lives: names and
//   attributes as of a moment hold for good, those below `versions` are asked for each time.

import {
  type Attributes,
  type Entry,
  errno,
  type FileAnswer,
  type FileRequest,
  fileTypes,
  type GiveAnswer,
  type Listed,
} from "../../drivers/file-system.js";
import { EVER, HISTORY_NAME, momentName, parseMoment, VERSIONS_NAME } from "../interface/file-history.js";
import { type FileStatus, type FileTime, ROOT_ID } from "../interface/file-status.js";
import type { Cache } from "./cache.js";
import { isDirectory, isFile } from "./effect.js";
import type { Link } from "./link.js";
import type { PastContents } from "./past-contents.js";
import { PastTrees } from "./past-trees.js";

/** Vice's own objects have the numbers below, those of venuses the ones from 2^32 on. */
const [nodesFrom, nodesEnd] = [2 ** 31, 2 ** 32 - 1];
/** In a listing: FUSE_UNKNOWN_INO; the kernel asks. */
const unknownNode = 2 ** 32 - 1;
const longSeconds = 86_400;
const [keepCache, noFlush] = [2, 32];
const [O_ACCMODE, O_TRUNC] = [3, 0o1000];

type Place =
  | { readonly kind: "top" }
  /** An object as of a moment; with EVER a directory and all that ever was in it. */
  | { readonly kind: "past"; readonly moment: number; readonly status: FileStatus }
  /** What could be found under a name. */
  | { readonly kind: "name"; readonly directory: number; readonly name: string };

interface Node {
  readonly place: Place;
  readonly key: string;
  lookups: number;
}

const topNode = nodesFrom;
const keyOf = (place: Place): string => {
  if (place.kind === "top") return "";
  if (place.kind === "name") return `name ${place.directory}/${place.name}`;
  const { id, version, changed } = place.status;
  return `${place.moment} ${id} ${place.moment === EVER ? "" : `${version} ${changed}`}`;
};

interface Named {
  readonly name: string;
  readonly place: Place;
}

export class HistoryFolder {
  readonly #link: Link;
  readonly #cache: Cache;
  readonly #since: FileTime;
  readonly #trees: PastTrees;
  readonly #contents: PastContents;
  readonly #nodes = new Map<number, Node>([[topNode, { place: { kind: "top" }, key: "", lookups: 1 }]]);
  readonly #byKey = new Map<string, number>([["", topNode]]);
  readonly #listings = new Map<number, readonly Listed[]>();
  readonly #handles = new Map<number, string>();
  #lastNode = topNode;
  #lastHandle = 0;

  constructor(link: Link, cache: Cache, contents: PastContents, since: FileTime) {
    this.#link = link;
    this.#cache = cache;
    this.#since = since;
    this.#trees = new PastTrees(link);
    this.#contents = contents;
  }

  /** Whether a request is about the folder, or what is in it. */
  takes(request: FileRequest): boolean {
    const { node } = request;
    if (isHistory(node)) return true;
    if (request.kind === "link" && isHistory(request.of)) return true;
    if (request.kind === "rename" && (isHistory(request.to) || isTop(request.to, request.newName)))
      return true;
    const isOfAttributes = /xattr$/.test(request.kind);
    return !isOfAttributes && "name" in request && isTop(node, request.name);
  }

  /** The kernel knows nodes less often; answers those that are not of the folder. */
  forget(nodes: readonly (readonly [node: number, count: number])[]): typeof nodes {
    for (const [number, count] of nodes) {
      const node = this.#nodes.get(number);
      if (node === undefined || number === topNode) continue;
      node.lookups -= count;
      if (node.lookups > 0) continue;
      this.#nodes.delete(number);
      this.#byKey.delete(node.key);
    }
    return nodes.filter(([number]) => !isHistory(number));
  }

  handle(request: FileRequest, answer: GiveAnswer): void {
    if (this.#link.state === "connecting" && request.kind !== "release" && request.kind !== "releasedir") {
      this.#cache.fill({ kind: "state", id: 0 }, () => this.#handle(request, answer));
      return;
    }
    this.#handle(request, answer);
  }

  #handle(request: FileRequest, answer: GiveAnswer): void {
    const fail = (number: number): void => answer({ kind: "error", errno: number });
    const place = isHistory(request.node) ? this.#nodes.get(request.node)?.place : undefined;
    if (place === undefined) {
      // At the root: the name is there, and cannot be changed.
      if (request.kind === "lookup") answer({ kind: "entry", ...this.#entry({ kind: "top" }) });
      else fail(isHistory(request.node) ? errno.ESTALE : errno.EROFS);
      return;
    }
    switch (request.kind) {
      case "lookup":
        this.#find(place, request.name, (found) => {
          if (typeof found === "number") fail(found);
          else answer({ kind: "entry", ...this.#entry(found) });
        });
        return;
      case "getattr":
        answer({ kind: "attributes", ...this.#shown(request.node, place) });
        return;
      case "readlink":
        if (place.kind !== "past") fail(errno.EINVAL);
        else answer({ kind: "data", data: Buffer.from(place.status.target ?? "", "latin1") });
        return;
      case "opendir":
        this.#list(request.node, place, (found) => {
          if (typeof found === "number") fail(found);
          else {
            this.#listings.set(++this.#lastHandle, found);
            answer({ kind: "opened", handle: this.#lastHandle, flags: 0 });
          }
        });
        return;
      case "readdir": {
        const all = this.#listings.get(request.handle) ?? [];
        answer({ kind: "names", names: all.slice(request.position) });
        return;
      }
      case "open":
        this.#open(request, place, answer);
        return;
      case "read":
      case "lseek":
        answer(this.#read(request));
        return;
      case "getxattr":
      case "listxattr":
        answer(this.#attribute(request, place));
        return;
      case "statfs":
        answer({ kind: "usage", usage });
        return;
      case "release":
        this.#contents.release(this.#handles.get(request.handle) ?? "");
        this.#handles.delete(request.handle);
        answer({ kind: "done" });
        return;
      case "releasedir":
        this.#listings.delete(request.handle);
        answer({ kind: "done" });
        return;
      case "flush":
      case "fsync":
      case "fsyncdir":
      case "access":
        answer({ kind: "done" });
        return;
      case "other":
        fail(errno.ENOSYS); // it holds for the whole mount: the kernel does without
        return;
      default:
        fail(errno.EROFS);
    }
  }

  // ---- names -----------------------------------------------------------------------------

  #find(place: Place, name: string, done: (found: Place | number) => void): void {
    if (place.kind === "top") {
      const moment = name === VERSIONS_NAME ? EVER : parseMoment(name);
      if (moment === null) done(errno.ENOENT);
      else
        this.#trees.tree(moment, ROOT_ID, (tree) =>
          done(typeof tree === "number" ? tree : { kind: "past", moment, status: tree.status }),
        );
    } else if (place.kind === "name") {
      const wanted = parseMoment(name);
      this.#versions(place, (found) => {
        if (typeof found === "number") done(found);
        else done(found.find((each) => parseMoment(each.name) === wanted)?.place ?? errno.ENOENT);
      });
    } else if (!isDirectory(place.status)) done(errno.ENOTDIR);
    else
      this.#trees.tree(place.moment, place.status.id, (tree) => {
        const status = typeof tree === "number" ? undefined : tree.names.get(name);
        if (status !== undefined) done(below(place, name, status));
        else done(typeof tree === "number" ? tree : errno.ENOENT);
      });
  }

  #versions({ directory, name }: Extract<Place, { kind: "name" }>, done: (found: Named[] | number) => void) {
    this.#trees.versions(directory, name, (versions) => {
      if (typeof versions === "number") done(versions);
      else
        done(
          versions
            .filter(({ status }) => !isDirectory(status))
            .map(({ from, status }) => ({
              name: momentName(from),
              place: { kind: "past", moment: from, status },
            })),
        );
    });
  }

  #list(node: number, place: Place, done: (found: readonly Listed[] | number) => void): void {
    const listed = (names: readonly (readonly [name: string, mode: number])[]): void => {
      const every = [[".", fileTypes.directory], ["..", fileTypes.directory], ...names] as const;
      const nodeOf = (name: string): number => (name === "." ? node : unknownNode);
      done(every.map(([name, mode], index) => ({ name, node: nodeOf(name), mode, position: index + 1 })));
    };
    if (place.kind === "top") listed([[VERSIONS_NAME, fileTypes.directory]]);
    else if (place.kind === "name")
      this.#versions(place, (found) => {
        if (typeof found === "number") done(found);
        else listed(found.map((each) => [each.name, modeOf(each.place)]));
      });
    else if (!isDirectory(place.status)) done(errno.ENOTDIR);
    else
      this.#trees.tree(place.moment, place.status.id, (tree) => {
        if (typeof tree === "number") done(tree);
        else listed([...tree.names].map(([name, status]) => [name, modeOf(below(place, name, status))]));
      });
  }

  // ---- nodes -----------------------------------------------------------------------------

  #entry(place: Place): Entry {
    const key = keyOf(place);
    let number = this.#byKey.get(key);
    if (number === undefined) {
      number = ++this.#lastNode;
      if (number >= nodesEnd) throw new Error("the mount has had too many nodes of .history");
      this.#byKey.set(key, number);
    }
    const lookups = (this.#nodes.get(number)?.lookups ?? 0) + 1;
    this.#nodes.set(number, { place, key, lookups });
    const shown = this.#shown(number, place);
    // A name of a moment is there for good; one of what ever was may be another thing next time.
    const entrySeconds = place.kind === "past" ? shown.attributeSeconds : 0;
    return { ...shown, generation: 0, entrySeconds };
  }

  #shown(node: number, place: Place): { readonly attributes: Attributes; readonly attributeSeconds: number } {
    const time = ([seconds, nanoseconds]: FileTime) => ({ seconds, nanoseconds });
    const isPast = place.kind === "past";
    const since = isPast ? place.status.mtime : this.#since;
    const [uid, gid, links] = isPast ? [place.status.uid, place.status.gid, place.status.links] : [0, 0, 2];
    const size = isPast && !isDirectory(place.status) ? place.status.size : 4096;
    return {
      attributes: {
        ...{ node, size, blocks: Math.ceil(size / 512), mode: modeOf(place), links, uid, gid },
        device: isPast ? (place.status.device ?? 0) : 0,
        ...{ atime: time(since), mtime: time(since), ctime: time(isPast ? place.status.ctime : since) },
      },
      attributeSeconds: isPast && place.moment !== EVER ? longSeconds : 0,
    };
  }

  // ---- contents --------------------------------------------------------------------------

  #open({ flags }: Extract<FileRequest, { kind: "open" }>, place: Place, answer: GiveAnswer): void {
    const fail = (number: number): void => answer({ kind: "error", errno: number });
    if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) fail(errno.EROFS);
    else if (place.kind !== "past" || isDirectory(place.status)) fail(errno.EISDIR);
    else if (!isFile(place.status)) fail(errno.ENXIO);
    else
      this.#contents.open(this.#link, place.status, (key) => {
        if (typeof key === "number") fail(key);
        else {
          this.#handles.set(++this.#lastHandle, key);
          answer({ kind: "opened", handle: this.#lastHandle, flags: keepCache | noFlush });
        }
      });
  }

  #read(request: Extract<FileRequest, { kind: "read" | "lseek" }>): FileAnswer {
    const file = this.#contents.file(this.#handles.get(request.handle) ?? "");
    if (file === undefined) return { kind: "error", errno: errno.EBADF };
    if (request.kind === "read") {
      const into = new Uint8Array(request.bytes);
      return { kind: "data", data: into.subarray(0, file.read(request.position, into)) };
    }
    const what = { 3: "data", 4: "hole" } as const;
    const whence = what[request.whence as 3 | 4] as "data" | "hole" | undefined;
    if (whence === undefined) return { kind: "error", errno: errno.EINVAL };
    const position = file.seek(request.position, whence);
    return position === null ? { kind: "error", errno: errno.ENXIO } : { kind: "position", position };
  }

  #attribute(request: Extract<FileRequest, { kind: "getxattr" | "listxattr" }>, place: Place): FileAnswer {
    const own = place.kind === "past" ? (place.status.attributes ?? {}) : {};
    const value =
      request.kind === "getxattr"
        ? own[request.name]
        : Buffer.from(
            Object.keys(own)
              .map((name) => `${name}\0`)
              .join(""),
            "latin1",
          ).toString("base64");
    if (value === undefined) return { kind: "error", errno: errno.ENODATA };
    const data = Buffer.from(value, "base64");
    if (request.bytes === 0) return { kind: "size", bytes: data.length };
    return data.length > request.bytes ? { kind: "error", errno: errno.ERANGE } : { kind: "data", data };
  }
}

const isHistory = (node: number): boolean => node >= nodesFrom && node < nodesEnd;
const isTop = (node: number, name: string): boolean => node === ROOT_ID && name === HISTORY_NAME;

/** What a name in a directory leads to: below `versions` all that is no directory is one of versions. */
function below(place: Extract<Place, { kind: "past" }>, name: string, status: FileStatus): Place {
  const { moment, status: above } = place;
  if (moment !== EVER || isDirectory(status)) return { kind: "past", moment, status };
  return { kind: "name", directory: above.id, name };
}

const modeOf = (place: Place): number =>
  place.kind === "past" ? place.status.mode : fileTypes.directory | 0o555;

const usage = {
  ...{ blocks: 2 ** 28, blocksFree: 0, files: 2 ** 30, filesFree: 0 },
  ...{ blockBytes: 4096, nameBytesMax: 255 },
};
