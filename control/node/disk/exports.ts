// The NBD exports that a pool machine has itself: no program of their own, no network between the client
// and a storage that the machine serves.
//
// - They end with the machine's process; one of a program of its own (control/cli/disk/export.ts) goes
//   on while machines come and go.
// - One of a storage each. What its address may be is the machine's matter: a path or port of its own.

import { readFileSync } from "node:fs";
import { STD_ARGBAD, STD_DENIED, STD_EXISTS, STD_NOTFOUND } from "../../../core-wasm/status.js";
import type { ExportDocument, WantedExport } from "../../interface/disk.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Refused, refuse } from "../../stub/refused.js";
import { type DiskExport, exportDisk } from "../disk-export.js";
import type { NbdTls } from "../nbd.js";
import { parseNbdAddress } from "../nbd-address.js";
import type { Host } from "./hosting.js";

export interface MachineExportsOptions {
  readonly kernel: Kernel;
  /** The storage of a name, when a medium of it is here. */
  readonly host: (name: string) => Host | undefined;
  readonly failed: (error: unknown) => void;
}

interface Running {
  readonly wanted: WantedExport;
  readonly served: DiskExport;
}

export class MachineExports {
  readonly #options: MachineExportsOptions;
  readonly #running = new Map<string, Running>();
  /** Names of those that are being opened. */
  readonly #opening = new Set<string>();

  constructor(options: MachineExportsOptions) {
    this.#options = options;
  }

  /** Clients can connect when it resolves; answers where. Rejects with Refused or DiskError. */
  async add(wanted: WantedExport): Promise<string> {
    const { kernel, host: hostOf, failed } = this.#options;
    const { name, readOnly } = wanted;
    if (this.#running.has(name) || this.#opening.has(name)) refuse(STD_EXISTS);
    const host = hostOf(name) ?? refuse(STD_NOTFOUND);
    const capability = host.capability(0xff);
    this.#opening.add(name);
    try {
      const served = await exportDisk({
        ...{ via: kernel, capability, name, isReadOnly: readOnly, listen: addressOf(wanted), failed },
        near: () => hostOf(name)?.serving ?? null,
        tls: tlsOf(wanted),
      });
      this.#running.set(name, { wanted, served });
      return served.address;
    } catch (error) {
      throw refusedFor(error, failed);
    } finally {
      this.#opening.delete(name);
    }
  }

  /** Clients are disconnected when what they asked for is answered; answers where it was. */
  async remove(name: string): Promise<string> {
    const { served } = this.#running.get(name) ?? refuse(STD_NOTFOUND);
    this.#running.delete(name);
    await served.close();
    return served.address;
  }

  list(): readonly ExportDocument[] {
    return [...this.#running.values()].map(({ wanted: { name, readOnly }, served: { address } }) => ({
      ...{ name, readOnly, address },
    }));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.remove(name)));
  }
}

function addressOf({ nbd }: WantedExport) {
  try {
    return parseNbdAddress(nbd);
  } catch {
    return refuse(STD_ARGBAD);
  }
}

function tlsOf({ tls }: WantedExport): NbdTls | undefined {
  if (tls === undefined) return undefined;
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return refuse(STD_NOTFOUND);
    }
  };
  const { cert, key, authority } = tls;
  const asked = authority === undefined ? {} : { clientAuthority: read(authority) };
  return { cert: read(cert), key: read(key), required: true, ...asked };
}

/** An address that cannot be had, or a certificate that is none; the machine's log says it in full. */
function refusedFor(error: unknown, failed: (error: unknown) => void): unknown {
  if (!(error instanceof ProteusError)) return error;
  failed(error);
  return error.code === "NBD_LISTEN" || error.code === "NBD_TLS" ? new Refused(STD_DENIED) : error;
}
