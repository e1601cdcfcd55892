// Which cases there are: each system does what it is made for, with the sizes, clients and
// members that the goals and their neighbours need. Pure.

import type { FileCase, FileSystem, FileTest } from "./types.js";

export interface FilesWanted {
  readonly tests: readonly FileTest[];
  readonly systems: readonly FileSystem[];
  readonly sizes: readonly number[];
  readonly clients: readonly number[];
  readonly members: readonly number[];
}

export const goalBytes = 4096;
export const goalBytesLarge = 1024 * 1024;
/** Values larger than this are nothing for Redis, and calls of the echo service. */
const valueBytesMost = 1024 * 1024;
/** Of files that large one client at a time is enough, and fills the time. */
const manyClientsBytesMost = 1024 * 1024;
/** Bytes of a value that stands for a capability in a directory. */
export const rowBytes = 32;
const writers = [1, 32] as const;

const one = { clients: 1, members: 1 } as const;

function reading(test: "read" | "read-cold", wanted: FilesWanted): FileCase[] {
  const systems: readonly FileSystem[] =
    test === "read" ? ["echo", "bullet", "nginx", "nginx-socket", "redis"] : ["bullet"];
  const sizes = test === "read" ? wanted.sizes : wanted.sizes.filter((bytes) => bytes > 0);
  return sizes.flatMap((bytes) =>
    systems
      .filter((system) => bytes <= valueBytesMost || system === "bullet" || system.startsWith("nginx"))
      .flatMap((system) =>
        wanted.clients
          .filter((clients) => clients === 1 || bytes <= manyClientsBytesMost)
          .map((clients): FileCase => ({ test, system, bytes, clients, members: 1 })),
      ),
  );
}

function creating(wanted: FilesWanted): FileCase[] {
  const disk: FileCase = { ...one, test: "create", system: "disk", bytes: goalBytes };
  const files = wanted.sizes.flatMap((bytes) =>
    (["bullet", "redis"] as const)
      .filter((system) => bytes <= valueBytesMost || system === "bullet")
      .flatMap((system) =>
        wanted.clients
          .filter((clients) => clients === 1 || bytes <= manyClientsBytesMost)
          .map((clients): FileCase => ({ test: "create", system, bytes, clients, members: 1 })),
      ),
  );
  return [disk, ...files];
}

function naming(wanted: FilesWanted): FileCase[] {
  const echo: FileCase = { ...one, test: "lookup", system: "echo", bytes: 0 };
  const systems = ["directory", "etcd"] as const;
  const lookups = wanted.members.flatMap((members) =>
    systems.map((system): FileCase => ({ test: "lookup", system, bytes: rowBytes, clients: 1, members })),
  );
  const updates = wanted.members.flatMap((members) =>
    writers.flatMap((clients) =>
      systems.map((system): FileCase => ({ test: "update", system, bytes: rowBytes, clients, members })),
    ),
  );
  return [echo, ...lookups, ...updates];
}

/** The cases of one round, in order. */
export function planFileCases(wanted: FilesWanted): FileCase[] {
  return [
    ...reading("read", wanted),
    ...reading("read-cold", wanted),
    ...creating(wanted),
    ...naming(wanted),
  ].filter(({ test, system }) => wanted.tests.includes(test) && wanted.systems.includes(system));
}
