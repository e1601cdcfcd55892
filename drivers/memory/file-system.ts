// A file system in memory: the fake behind FUSE's driver, and a model to compare others with.
//
// - Everything that the contract (drivers/file-system.ts) says, but no backings: the kernel sends every
//   READ and WRITE. Contents grow by doubling, holes are zeros that take memory.
// - The kernel checks permissions (default_permissions); here are only the errors that depend on what
//   is there. Set-id bits go with a WRITE and a change of owner, as on a local disk.
// - The time comes in. Objects that are open or known to the kernel stay until they are forgotten.

import {
  errno,
  type FileAnswer,
  type FileRequest,
  type FileSystem,
  fileTypes,
  type GiveAnswer,
  type Listed,
  type Time,
} from "../file-system.js";
import {
  allocate,
  attributesOf,
  change,
  directory,
  entryOf,
  Failure,
  fail,
  type Inode,
  isDirectory,
  permissions,
  S_ISGID,
  seek,
  setAttribute,
  sized,
  validSeconds,
  write,
} from "./inode.js";

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const O_TRUNC = 0o1000;
const nameBytesMax = 255;

export interface MemoryFileSystemOptions {
  readonly now: () => Time;
}

export class MemoryFileSystem implements FileSystem {
  readonly #now: () => Time;
  readonly #inodes = new Map<number, Inode>();
  readonly #handles = new Map<number, Inode>();
  readonly #listings = new Map<number, readonly Listed[]>();
  #lastNode = 1;
  #lastHandle = 0;

  constructor({ now }: MemoryFileSystemOptions) {
    this.#now = now;
    const root = this.#make(1, { mode: fileTypes.directory | 0o755, uid: 0, gid: 0 });
    root.links = 2;
    root.known = 1;
  }

  handle(request: FileRequest, answer: GiveAnswer): void {
    try {
      answer(this.#handle(request));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      answer({ kind: "error", errno: error.errno });
    }
  }

  #make(
    node: number,
    {
      mode,
      uid,
      gid,
      device = 0,
    }: { readonly mode: number; readonly uid: number; readonly gid: number; readonly device?: number },
  ): Inode {
    const now = this.#now();
    const inode: Inode = {
      ...{ node, mode, uid, gid, device, links: 1, size: 0, atime: now, mtime: now, ctime: now },
      ...{ data: new Uint8Array(0), target: "", names: new Map(), parent: null, known: 0, open: 0 },
      attributes: new Map(),
    };
    this.#inodes.set(node, inode);
    return inode;
  }

  #handle(request: FileRequest): FileAnswer {
    if (request.kind === "forget") {
      for (const [node, count] of request.nodes) this.#forget(node, count);
      return { kind: "done" };
    }
    const inode = this.#inodes.get(request.node) ?? fail(errno.ESTALE);
    switch (request.kind) {
      case "lookup": {
        const found = directory(inode).names.get(request.name) ?? fail(errno.ENOENT);
        return this.#entry(found);
      }
      case "getattr":
        return this.#attributes(inode);
      case "setattr":
        change(inode, request.changes, this.#now(), request.dropSetId);
        return this.#attributes(inode);
      case "readlink":
        return { kind: "data", data: Buffer.from(inode.target, "latin1") };
      case "symlink": {
        const made = this.#add(inode, request.name, { ...request, mode: fileTypes.link | 0o777 });
        made.target = request.target;
        made.size = request.target.length;
        return this.#entry(made);
      }
      case "mknod":
        return this.#entry(this.#add(inode, request.name, request));
      case "mkdir":
        return this.#entry(
          this.#add(inode, request.name, { ...request, mode: fileTypes.directory | request.mode }),
        );
      case "unlink":
        return this.#unlink(inode, request.name);
      case "rmdir":
        return this.#rmdir(inode, request.name);
      case "rename":
        return this.#rename(inode, request.name, request);
      case "link": {
        const of = this.#inodes.get(request.of) ?? fail(errno.ESTALE);
        this.#absent(inode, request.name);
        if (isDirectory(of)) fail(errno.EPERM);
        this.#enter(inode, request.name, of);
        of.links++;
        of.ctime = this.#now();
        return this.#entry(of);
      }
      case "open":
        if ((request.flags & O_TRUNC) !== 0) change(inode, { size: 0 }, this.#now(), request.dropSetId);
        return { kind: "opened", ...this.#opened(inode) };
      case "opendir":
        return { kind: "opened", ...this.#opened(directory(inode)) };
      case "create": {
        const made = this.#add(inode, request.name, {
          ...request,
          mode: fileTypes.file | (request.mode & permissions),
        });
        made.known++;
        return { kind: "created", entry: entryOf(made), opened: this.#opened(made) };
      }
      case "read": {
        const end = Math.min(inode.size, request.position + request.bytes);
        return { kind: "data", data: inode.data.subarray(Math.min(request.position, end), end) };
      }
      case "write":
        return write(inode, request, this.#now());
      case "statfs":
        return { kind: "usage", usage: this.#usage() };
      case "release":
      case "releasedir":
        this.#handles.delete(request.handle);
        this.#listings.delete(request.handle);
        inode.open--;
        this.#drop(inode);
        return { kind: "done" };
      case "flush":
      case "fsync":
      case "fsyncdir":
      case "syncfs":
      case "access":
      case "interrupt":
      case "destroy":
        return { kind: "done" };
      case "setxattr":
        return setAttribute(inode, request.name, request.value, request.flags, this.#now());
      case "getxattr": {
        if (!request.name.startsWith("user.")) fail(errno.EOPNOTSUPP);
        const value = inode.attributes.get(request.name) ?? fail(errno.ENODATA);
        return sized(value, request.bytes);
      }
      case "listxattr":
        return sized(
          Buffer.from([...inode.attributes.keys()].map((name) => `${name}\0`).join(""), "latin1"),
          request.bytes,
        );
      case "removexattr":
        if (!request.name.startsWith("user.")) fail(errno.EOPNOTSUPP);
        if (!inode.attributes.delete(request.name)) fail(errno.ENODATA);
        inode.ctime = this.#now();
        return { kind: "done" };
      case "readdir":
        return { kind: "names", names: this.#list(inode, request) };
      case "fallocate":
        return allocate(inode, request, this.#now());
      case "lseek":
        return seek(inode, request);
      case "other":
        return fail(errno.ENOSYS);
    }
  }

  // ---- names -------------------------------------------------------------------------

  #absent(parent: Inode, name: string): void {
    if (directory(parent).names.has(name)) fail(errno.EEXIST);
    if (parent.links === 0) fail(errno.ENOENT);
    if (name.length > nameBytesMax) fail(errno.ENAMETOOLONG);
  }

  #enter(parent: Inode, name: string, child: Inode): void {
    parent.names.set(name, child);
    if (isDirectory(child)) {
      child.parent = parent;
      parent.links++;
    }
    parent.mtime = parent.ctime = this.#now();
  }

  #leave(parent: Inode, name: string, child: Inode): void {
    parent.names.delete(name);
    if (isDirectory(child)) parent.links--;
    parent.mtime = parent.ctime = this.#now();
  }

  #add(
    parent: Inode,
    name: string,
    facts: { readonly mode: number; readonly uid: number; readonly gid: number; readonly device?: number },
  ): Inode {
    this.#absent(parent, name);
    const inherits = (parent.mode & S_ISGID) !== 0;
    const isFolder = (facts.mode & fileTypes.mask) === fileTypes.directory;
    const made = this.#make(++this.#lastNode, {
      ...facts,
      mode: inherits && isFolder ? facts.mode | S_ISGID : facts.mode,
      gid: inherits ? parent.gid : facts.gid,
    });
    if (isFolder) made.links = 2;
    this.#enter(parent, name, made);
    return made;
  }

  #unlink(parent: Inode, name: string): FileAnswer {
    const child = directory(parent).names.get(name) ?? fail(errno.ENOENT);
    if (isDirectory(child)) fail(errno.EISDIR);
    this.#leave(parent, name, child);
    this.#lose(child);
    return { kind: "done" };
  }

  #lose(child: Inode): void {
    child.links -= isDirectory(child) ? 2 : 1;
    child.ctime = this.#now();
    this.#drop(child);
  }

  #rmdir(parent: Inode, name: string): FileAnswer {
    const child = directory(parent).names.get(name) ?? fail(errno.ENOENT);
    if (!isDirectory(child)) fail(errno.ENOTDIR);
    if (child.names.size > 0) fail(errno.ENOTEMPTY);
    this.#leave(parent, name, child);
    this.#lose(child);
    return { kind: "done" };
  }

  #rename(
    from: Inode,
    name: string,
    { to: toNode, newName, flags }: { readonly to: number; readonly newName: string; readonly flags: number },
  ): FileAnswer {
    const to = directory(this.#inodes.get(toNode) ?? fail(errno.ESTALE));
    const moved = directory(from).names.get(name) ?? fail(errno.ENOENT);
    const target = to.names.get(newName);
    if (newName.length > nameBytesMax) fail(errno.ENAMETOOLONG);
    if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0) fail(errno.EINVAL);
    for (let above: Inode | null = to; above !== null; above = above.parent)
      if (above === moved) fail(errno.EINVAL);
    if ((flags & RENAME_EXCHANGE) !== 0) {
      const other = target ?? fail(errno.ENOENT);
      for (let above: Inode | null = from; above !== null; above = above.parent)
        if (above === other) fail(errno.EINVAL);
      this.#leave(from, name, moved);
      this.#leave(to, newName, other);
      this.#enter(from, name, other);
      this.#enter(to, newName, moved);
      other.ctime = moved.ctime = this.#now();
      return { kind: "done" };
    }
    if (target !== undefined) {
      if ((flags & RENAME_NOREPLACE) !== 0) fail(errno.EEXIST);
      if (target === moved) return { kind: "done" };
      if (isDirectory(moved) && !isDirectory(target)) fail(errno.ENOTDIR);
      if (!isDirectory(moved) && isDirectory(target)) fail(errno.EISDIR);
      if (target.names.size > 0) fail(errno.ENOTEMPTY);
      this.#leave(to, newName, target);
      this.#lose(target);
    }
    this.#leave(from, name, moved);
    this.#enter(to, newName, moved);
    moved.ctime = this.#now();
    return { kind: "done" };
  }

  #list(
    inode: Inode,
    {
      handle,
      position,
      plus,
    }: { readonly handle: number; readonly position: number; readonly plus: boolean },
  ): Iterable<Listed> {
    // What is listed is what was there at the beginning: positions stay good while names come and go.
    let all = this.#listings.get(handle);
    if (all === undefined || position === 0) {
      const names: [string, Inode][] = [
        [".", inode],
        ["..", inode.parent ?? inode],
        ...directory(inode).names,
      ];
      all = names.map(([name, { node, mode }], index) => ({ name, node, mode, position: index + 1 }));
      this.#listings.set(handle, all);
    }
    return this.#told(inode, all, position, plus);
  }

  /** Lazily, since each entry that is told counts as known. */
  *#told(inode: Inode, all: readonly Listed[], position: number, plus: boolean): Generator<Listed> {
    for (const listed of all.slice(position)) {
      const child = inode.names.get(listed.name);
      if (!plus || child === undefined) yield listed;
      else {
        child.known++;
        let told = false;
        try {
          yield { ...listed, node: child.node, entry: entryOf(child) };
          told = true;
        } finally {
          if (!told) child.known--; // it did not fit
        }
      }
    }
  }

  // ---- what the kernel holds ---------------------------------------------------------

  #opened(inode: Inode): { readonly handle: number; readonly flags: number } {
    this.#handles.set(++this.#lastHandle, inode);
    inode.open++;
    return { handle: this.#lastHandle, flags: 0 };
  }

  #entry(inode: Inode): FileAnswer {
    inode.known++;
    return { kind: "entry", ...entryOf(inode) };
  }

  #attributes(inode: Inode): FileAnswer {
    return { kind: "attributes", attributes: attributesOf(inode), attributeSeconds: validSeconds };
  }

  #forget(node: number, count: number): void {
    const inode = this.#inodes.get(node);
    if (inode === undefined) return;
    inode.known -= count;
    this.#drop(inode);
  }

  #drop(inode: Inode): void {
    if (inode.links <= 0 && inode.known <= 0 && inode.open <= 0) this.#inodes.delete(inode.node);
  }

  #usage() {
    let used = 0;
    for (const { size } of this.#inodes.values()) used += Math.ceil(size / 4096);
    const blocks = 1024 * 1024;
    return {
      ...{ blocks, blocksFree: blocks - used, files: 1_000_000, filesFree: 1_000_000 - this.#inodes.size },
      ...{ blockBytes: 4096, nameBytesMax },
    };
  }
}
