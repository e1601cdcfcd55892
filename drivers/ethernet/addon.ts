// Finds and loads the compiled addon, build/native/ethernet.node.
//
// - Never throws: without the addon (no compiler when it was installed) the answer is the
//   reason, and the driver goes on with koffi.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PacketSocket } from "./packet-socket.js";

/** A connected TCP socket of the benchmark's control: native/tcp.c. */
export interface NativeTcp {
  turn(): void;
  close(): void;
}

/** Pages that other processes may map, until withdraw(): native/shared.c. */
export interface NativeShare {
  readonly descriptor: number;
  withdraw(): void;
}

export interface Addon {
  open(interfaceName: string, control: ArrayBuffer): PacketSocket;
  tcp(server: boolean, address: string, port: number, waitMs: number, control: ArrayBuffer): NativeTcp;
  readonly pageBytes: number;
  share(memory: ArrayBuffer, offset: number, length: number, name: string, seal: boolean): NativeShare;
  map(descriptor: number, length: number, write: boolean): ArrayBuffer;
  unmap(buffer: ArrayBuffer): void;
}

const FILE = "build/native/ethernet.node";

function find(): string | null {
  // From the sources it is two folders up, from the compiled tree three.
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let depth = 0; depth < 4; depth++) {
    const path = join(folder, FILE);
    if (existsSync(path)) return path;
    folder = dirname(folder);
  }
  return null;
}

let loaded: Addon | string | undefined;

/** The addon, or the reason why there is none. */
export function loadAddon(): Addon | string {
  if (loaded !== undefined) return loaded;
  const path = find();
  if (path === null) {
    loaded = "the native part was not built";
  } else {
    try {
      loaded = createRequire(import.meta.url)(path) as Addon;
    } catch (error) {
      loaded = `the native part does not load (${error instanceof Error ? error.message : String(error)})`;
    }
  }
  return loaded;
}
