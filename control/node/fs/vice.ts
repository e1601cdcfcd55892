// Vice on this machine: its volumes in the folders of a state folder, its secrets beside them.
//
// - STATE/volumes/NUMBER is a volume; docs/FILES.md draws what is in it. One process a volume.
// - One that is deleted is renamed to NUMBER.deleted first; what a crash leaves of it goes at the next start.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
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
  /** The cell that it belongs to. */
  readonly cell?: string | undefined;
  readonly failed: (error: unknown) => void;
}

/** Opens the volumes and begins to serve. Throws SECRET_FILE, FolderError, RecoverableError. */
export function startVice({ kernel, state, threads, merge, cell, failed }: NodeViceOptions): ViceServer {
  const { getPort, key, own } = openSecrets(secretsFolder(state), "vice", randomBytes);
  const volumes = join(state, "volumes");
  mkdirSync(volumes, { recursive: true, mode: 0o700 });
  const all = readdirSync(volumes);
  for (const name of all.filter((each) => /^[1-9]\d{0,4}\.deleted$/.test(each)))
    rmSync(join(volumes, name), { recursive: true, force: true });
  const numbers = all.filter((name) => /^[1-9]\d{0,4}$/.test(name));
  const folders = new Map<number, HostFolder>();
  const folderFor = (number: number): HostFolder => {
    const folder = HostFolder.open(join(volumes, String(number)));
    folders.set(number, folder);
    return folder;
  };
  const discard = (number: number): (() => Promise<void>) => {
    const path = join(volumes, String(number));
    renameSync(path, `${path}.deleted`);
    return async () => {
      folders.get(number)?.close();
      folders.delete(number);
      await rm(`${path}.deleted`, { recursive: true, force: true });
    };
  };
  return new ViceServer({
    ...{ kernel, getPort, key, own, folderFor, discard, failed, after, merge, cell, random: randomBytes },
    volumes: numbers.map((name) => [Number(name), folderFor(Number(name))] as const),
    newDigest: () => createHash("sha256"),
    time: () => Date.now() / 1000,
    now: () => performance.now(),
    ...(threads === undefined ? {} : { threads }),
  });
}
