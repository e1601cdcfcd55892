// The replication server of a machine: where its root and its Bullet servers are found.
//
// - The root: the files that replication.root names, else this machine's own directory server.
// - Bullet servers: files with their capabilities (@FILE), and paths in the directories: a
//   server, or a directory of some. Both are looked at anew each round.

import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Capability } from "../capability/capability.js";
import type { ServerSecrets } from "../capability/secrets.js";
import { MEMBERS_MAX, setOf } from "../capability/set.js";
import { serversAt } from "../files/servers.js";
import { pause } from "../group/timer.js";
import type { ReplicationReport } from "../interface/replication.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { ReplicationServer } from "../server/replication/server.js";
import { Directories } from "../stub/directories.js";
import { capabilitiesIn } from "./capability-files.js";
import { after } from "./timer.js";

export interface NodeReplicationOptions {
  readonly kernel: Kernel;
  readonly secrets: (server: string) => ServerSecrets;
  readonly failed: (error: unknown) => void;
  readonly told: (report: ReplicationReport) => void;
  /** This machine's own root, when it has a directory server. */
  readonly ownRoot: (() => Capability) | undefined;
  /** Files with the root's capability; none: this machine's own. */
  readonly root: readonly string[];
  /** @FILE, or paths from the root. */
  readonly servers: readonly string[];
  readonly copies: number;
  readonly intervalMs: number;
  readonly graceMs: number;
  readonly verifyMs: number;
  readonly bytesPerSecond: number;
}

const patienceMs = 5000;

/** Begins to serve. Throws REPLICATION_ROOT when no root can ever be found. */
export function startReplication(options: NodeReplicationOptions): ReplicationServer {
  const { kernel, secrets, failed, told, root, ownRoot, servers } = options;
  if (root.length === 0 && ownRoot === undefined) throw noRoot("replication.root is not set");
  let names: Directories | null = null;
  const find = (): Directories => {
    names ??= namesOf(options);
    return names;
  };
  const { copies, intervalMs, graceMs, verifyMs, bytesPerSecond } = options;
  return new ReplicationServer({
    ...{ kernel, ...secrets("replication"), random: randomBytes, after, failed, told },
    ...{ copies, intervalMs, graceMs, verifyMs, bytesPerSecond, now: () => performance.now() },
    names: async () => find(),
    servers: () => serversOf(servers, find()),
  });
}

function namesOf({ kernel, root, ownRoot }: NodeReplicationOptions): Directories {
  const found =
    root.length === 0 && ownRoot !== undefined ? [ownRoot()] : capabilitiesIn(root.map(pathIn), "directory");
  const once = new Map(found.map((each) => [toHex(each.port) + toHex(each.private), each]));
  if (once.size === 0) throw noRoot(`no file of ${root.join(", ")} has one`);
  return new Directories(kernel, setOf(...[...once.values()].slice(0, MEMBERS_MAX)), {
    pause: (milliseconds) => pause(after, milliseconds),
    patienceMs,
  });
}

const isFile = (place: string): boolean => place.startsWith("@");
const pathIn = (place: string): string => (isFile(place) ? place.slice(1) : place);

/** Each Bullet server once. */
async function serversOf(places: readonly string[], names: Directories): Promise<readonly Capability[]> {
  const found = capabilitiesIn(places.filter(isFile).map(pathIn), "bullet");
  for (const path of places.filter((place) => !isFile(place))) found.push(...(await serversAt(path, names)));
  return [...new Map(found.map((each) => [toHex(each.port), each])).values()];
}

function noRoot(why: string): ProteusError {
  return new ProteusError({
    code: "REPLICATION_ROOT",
    exit: exitCodes.usage,
    message: "the replication server does not know where paths begin",
    why: `${why}, and this machine has no directory server`,
    unchanged: "no copy was made",
    hint: "set replication.root to a file with the root's capability: proteus capability give / -o FILE",
  });
}
