// The root of mounted cells: folders of cells and of volumes that nobody changes, in memory. Volumes are
// mounted over their folders by programs of their own.
//
// - Names come and never go, and keep their nodes: a name that the kernel asks again for and gets another
//   node of would take the mount on it off.
// - A volume's folder that nothing is mounted on (yet, or any more) answers ENOTCONN: nobody takes a volume
//   that is not there for one that is empty.

import {
  type Attributes,
  errno,
  type FileAnswer,
  type FileRequest,
  type FileSystem,
  fileTypes,
  type GiveAnswer,
  type Listed,
  type Time,
} from "../../../drivers/file-system.js";

/** A path of folders, from the root on. */
export interface TreePath {
  readonly path: readonly string[];
  /** Something is to be mounted there. */
  readonly isVolume: boolean;
}

interface Folder {
  readonly node: number;
  readonly parent: number;
  readonly isVolume: boolean;
  readonly names: Map<string, Folder>;
}

export interface CellTreeOptions {
  readonly time: Time;
  /** Told of a name that somebody looked for in the root, or in a cell, and that is not there. */
  readonly missed: (name: string) => void;
}

const ROOT = 1;
const validSeconds = 60;

export class CellTree implements FileSystem {
  readonly #options: CellTreeOptions;
  readonly #folders = new Map<number, Folder>();

  constructor(options: CellTreeOptions) {
    this.#options = options;
    this.#folders.set(ROOT, { node: ROOT, parent: ROOT, isVolume: false, names: new Map() });
  }

  /** Has folders there from now on. */
  show(paths: readonly TreePath[]): void {
    for (const { path, isVolume } of paths) {
      let at = this.#folders.get(ROOT) as Folder;
      for (const [index, name] of path.entries()) {
        const child = at.names.get(name) ?? this.#make(at, isVolume && index === path.length - 1);
        at.names.set(name, child);
        at = child;
      }
    }
  }

  #make(parent: Folder, isVolume: boolean): Folder {
    const node = this.#folders.size + 1;
    const made: Folder = { node, parent: parent.node, isVolume, names: new Map() };
    this.#folders.set(node, made);
    return made;
  }

  handle(request: FileRequest, answer: GiveAnswer): void {
    const folder = this.#folders.get(request.node);
    answer(folder === undefined ? { kind: "error", errno: errno.ESTALE } : this.#answer(request, folder));
  }

  #answer(request: FileRequest, folder: Folder): FileAnswer {
    switch (request.kind) {
      case "lookup": {
        if (folder.isVolume) return { kind: "error", errno: errno.ENOTCONN };
        const child = folder.names.get(request.name);
        if (child !== undefined)
          return {
            ...{ kind: "entry", attributes: this.#attributes(child), generation: 0 },
            ...{ entrySeconds: validSeconds, attributeSeconds: validSeconds },
          };
        this.#options.missed(request.name);
        return { kind: "error", errno: errno.ENOENT };
      }
      case "getattr":
        return { kind: "attributes", attributes: this.#attributes(folder), attributeSeconds: 0 };
      case "opendir":
        if (folder.isVolume) return { kind: "error", errno: errno.ENOTCONN };
        return { kind: "opened", handle: 0, flags: 0 };
      case "readdir":
        return { kind: "names", names: listed(folder).slice(request.position) };
      case "statfs":
        return {
          kind: "usage",
          usage: {
            ...{ blocks: 0, blocksFree: 0, files: this.#folders.size, filesFree: 0 },
            ...{ blockBytes: 4096, nameBytesMax: 255 },
          },
        };
      case "access":
      case "forget":
      case "releasedir":
      case "fsyncdir":
      case "syncfs":
      case "interrupt":
      case "destroy":
        return { kind: "done" };
      case "getxattr":
      case "listxattr":
        return { kind: "error", errno: errno.EOPNOTSUPP };
      case "other":
        return { kind: "error", errno: errno.ENOSYS };
      default:
        return { kind: "error", errno: errno.EROFS };
    }
  }

  #attributes({ node, names }: Folder): Attributes {
    const { time } = this.#options;
    return {
      ...{ node, size: 0, blocks: 0, mode: fileTypes.directory | 0o555, links: 2 + names.size },
      ...{ uid: 0, gid: 0, device: 0, atime: time, mtime: time, ctime: time },
    };
  }
}

/** All names of a folder; a position is how many names are before. */
function listed({ node, parent, names }: Folder): readonly Listed[] {
  const all: [string, number][] = [
    [".", node],
    ["..", parent],
    ...[...names].map(([name, child]): [string, number] => [name, child.node]),
  ];
  return all.map(([name, of], index) => ({
    ...{ name, node: of, mode: fileTypes.directory, position: index + 1 },
  }));
}
