// The disks of others: nbdkit's file plugin, qemu-nbd, and a mirror of qemu's quorum driver over two
// of them, each on a file in the same folder.
//
// - All flush for real: no cache mode that leaves flushes out. Files are sparse and of the same size.
// - One program each, which the folder's end takes with it.

import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { Program } from "../programs.js";
import type { DiskSystem } from "./types.js";

/** A disk that is exported. */
export interface ServedDisk {
  /** As NBD's clients take it. */
  readonly uri: string;
  stop(): Promise<void>;
}

interface Place {
  readonly folder: string;
  readonly bytes: number;
}

function sparse(path: string, bytes: number): string {
  const file = openSync(path, "w");
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

const uriOf = (socket: string, name = ""): string => `nbd+unix:///${name}?socket=${socket}`;

async function started(
  name: string,
  socket: string,
  command: readonly string[],
  before: readonly Program[] = [],
): Promise<ServedDisk> {
  const program = new Program(name, command);
  const all = [program, ...before];
  const stop = async () => {
    for (const each of all) await each.stop();
  };
  try {
    await program.listening({ path: socket });
  } catch (error) {
    await stop();
    throw error;
  }
  return { uri: uriOf(socket), stop };
}

const qemuNbd = (socket: string, format: readonly string[]): readonly string[] => [
  ...["qemu-nbd", "--persistent", "--shared=0", "--cache=writeback", "--socket", socket],
  ...format,
];

type Peer = Exclude<DiskSystem, "mirror">;

const peers: Readonly<Record<Peer, (place: Place) => Promise<ServedDisk>>> = {
  nbdkit: ({ folder, bytes }) => {
    const [socket, file] = [join(folder, "nbdkit"), sparse(join(folder, "disk"), bytes)];
    const command = ["nbdkit", "--foreground", "--unix", socket, "file", `file=${file}`];
    return started("nbdkit", socket, command);
  },
  "qemu-nbd": ({ folder, bytes }) => {
    const [socket, file] = [join(folder, "qemu"), sparse(join(folder, "disk"), bytes)];
    return started("qemu-nbd", socket, qemuNbd(socket, ["--format=raw", file]));
  },
  async quorum({ folder, bytes }) {
    const children: Program[] = [];
    const sockets: string[] = [];
    for (const index of [0, 1]) {
      const [socket, file] = [join(folder, `part${index}`), sparse(join(folder, `disk${index}`), bytes)];
      const child = new Program("qemu-nbd", qemuNbd(socket, ["--format=raw", file]));
      children.push(child);
      await child.listening({ path: socket });
      sockets.push(socket);
    }
    const socket = join(folder, "quorum");
    const options = sockets.flatMap((path, index) => [
      ...[`children.${index}.driver=nbd`, `children.${index}.server.type=unix`],
      `children.${index}.server.path=${path}`,
    ]);
    const driver = ["driver=quorum", "vote-threshold=2", "read-pattern=fifo", ...options].join(",");
    const command = qemuNbd(socket, ["--image-opts", driver]);
    return started("qemu-nbd", socket, command, children);
  },
};

/** Makes a disk of somebody else's and exports it. */
export const servePeer = (system: Peer, place: Place): Promise<ServedDisk> => peers[system](place);
