// Vice on this machine: its volumes in the folders of a state folder, its secrets beside them.
//
// - STATE/volumes/NUMBER is a volume; docs/FILES.md draws what is in it. One process a volume.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { HostFolder } from "../../../drivers/host-folder/host-folder.js";
import type { Kernel } from "../../kernel/kernel.js";
import type { Merge } from "../../server/vice/readying.js";
import { ViceServer } from "../../server/vice/server.js";
import { openSecrets, secretsFolder } from "../secrets.js";
import { after } from "../timer.js";

export interface NodeViceOptions {
  readonly kernel: Kernel;
  /** The state folder. */
  readonly state: string;
  readonly threads?: number;
  /** Merges contents, for volumes whose policy is `program`. */
  readonly merge?: Merge | undefined;
  readonly failed: (error: unknown) => void;
}

/** Opens the volumes and begins to serve. Throws SECRET_FILE, FolderError, RecoverableError. */
export function startVice({ kernel, state, threads, merge, failed }: NodeViceOptions): ViceServer {
  const { getPort, key, own } = openSecrets(secretsFolder(state), "vice", randomBytes);
  const volumes = join(state, "volumes");
  mkdirSync(volumes, { recursive: true, mode: 0o700 });
  const numbers = readdirSync(volumes).filter((name) => /^[1-9]\d{0,4}$/.test(name));
  const folderFor = (number: number) => HostFolder.open(join(volumes, String(number)));
  return new ViceServer({
    ...{ kernel, getPort, key, own, folderFor, failed, after, merge, random: randomBytes },
    volumes: numbers.map((name) => [Number(name), folderFor(Number(name))] as const),
    newDigest: () => createHash("sha256"),
    time: () => Math.floor(Date.now() / 1000),
    now: () => performance.now(),
    ...(threads === undefined ? {} : { threads }),
  });
}
