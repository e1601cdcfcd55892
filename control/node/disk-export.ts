// A disk of the pool, exported by NBD from this machine: by a program of its own, which lives until it
// is told to end (control/cli/disk/export.ts starts it), or by a pool machine (disk/exports.ts).
//
// - The disk is asked under its own port, whichever machine serves it: while that changes requests
//   wait and are sent again, so the socket that a client has never drops.
// - A disk that has grown is larger for clients that connect from then on.

import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Capability } from "../capability/capability.js";
import type { Transact } from "../kernel/calls.js";
import type { Kernel } from "../kernel/kernel.js";
import type { Disk } from "../server/disk/disk.js";
import { NearDisk } from "../server/disk/near-disk.js";
import { RemoteDisk } from "../server/disk/remote-disk.js";
import { type NbdListen, type NbdServer, type NbdTls, serveNbd } from "./nbd.js";
import { after } from "./timer.js";

export interface DiskExportOptions {
  readonly via: Kernel | Transact;
  readonly capability: Capability;
  readonly name: string;
  readonly listen: NbdListen;
  readonly isReadOnly: boolean;
  readonly tls?: NbdTls | undefined;
  /** The storage, while this process serves it: then nothing is asked over the network. */
  readonly near?: () => Disk | null;
  readonly failed: (error: unknown) => void;
}

export interface DiskExport {
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  readonly address: string;
  close(): Promise<void>;
}

const refreshMs = 5000;

/** Begins to export; clients can connect when it resolves. Rejects with DiskError, NBD_LISTEN, NBD_TLS. */
export async function exportDisk(options: DiskExportOptions): Promise<DiskExport> {
  const { via, capability, name, listen, isReadOnly, tls, failed } = options;
  const { near } = options;
  const far = await RemoteDisk.open({
    ...{ via, capability, random: randomBytes, after, now: () => performance.now() },
  });
  const disk = near === undefined ? far : new NearDisk(near, far);
  let server: NbdServer;
  try {
    server = await serveNbd({
      ...{ listen, failed, exports: [{ name, disk, isReadOnly, description: `disk ${name} of the pool` }] },
      ...(tls === undefined ? {} : { tls }),
    });
  } catch (error) {
    far.close();
    throw error;
  }
  let forget = (): void => undefined;
  const later = (): void => {
    forget = after(refreshMs, () => {
      far.refresh().then(later, later); // nobody serves it: later, then
    });
  };
  later();
  return {
    address: server.address,
    async close() {
      forget();
      await server.close();
      far.close();
    },
  };
}
