// What a program of one's own begins with: a kernel on this machine's network, a server with
// random ports, its words on stderr.
//
// - The pieces below can be had one by one (index.ts); these put them together as most programs
//   want them. They need the right to open raw sockets, unless the program runs in a lab.

import { randomBytes } from "node:crypto";
import type { CapabilityScheme } from "../capability/scheme.js";
import { kernelBytes } from "../cli/package-files.js";
import type { Operations } from "../interface/operation.js";
import type { ServerTable } from "../interface/table.js";
import type { Kernel } from "../kernel/kernel.js";
import type { Limits } from "../kernel/limits.js";
import { type RunningKernel, startKernel } from "../node/start.js";
import { Objects, type ObjectTable } from "../stub/objects.js";
import { type Handlers, Server } from "../stub/serving.js";
import type { StandardBehaviour } from "../stub/standard.js";

export interface OpenOptions {
  /** Names of interfaces; default PROTEUS_INTERFACE, or the only one that there is. */
  readonly interfaces?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** Told when the kernel is dead. */
  readonly failed?: (error: unknown) => void;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * A kernel of one's own on the network, which takes its turns by itself until `close`.
 *
 * @example const { kernel, close } = await openKernel();
 */
export function openKernel({ interfaces = [], ...options }: OpenOptions = {}): Promise<RunningKernel> {
  return startKernel({ wasm: kernelBytes(), interfaces, say, ...options });
}

export interface ServeOptions<Value> extends Partial<StandardBehaviour<Value>> {
  /** Six bytes, the server's secret; default random ones. */
  readonly getPort?: Uint8Array;
  /** 32 bytes, the key of its capabilities; default random ones. openSecrets keeps both in a file. */
  readonly key?: Uint8Array;
  /** Instead of the keyed scheme. */
  readonly scheme?: CapabilityScheme;
  /** Its objects; default: none besides the server itself. */
  readonly objects?: ObjectTable<Value>;
  readonly threads?: number;
}

/**
 * Serves a table: a function for each of its operations.
 *
 * @example
 * const server = serve(kernel, table, { greet: (asked, { name }) => ({ text: `Hello, ${name}!` }) });
 * console.log(capabilityHex(server.capability()));
 */
export function serve<Ops extends Operations, Value = never>(
  kernel: Kernel,
  table: ServerTable<Ops>,
  handlers: Handlers<Ops, Value>,
  options: ServeOptions<Value> = {},
): Server<Ops, Value> {
  const random = (bytes: number): Uint8Array => randomBytes(bytes);
  return new Server({
    ...{
      kernel,
      table,
      handlers,
      getPort: random(6),
      key: random(32),
      objects: new Objects<Value>({ random }),
    },
    info: () => `${table.name} server`,
    failed: (error) => say(`${table.name} server: ${error instanceof Error ? error.stack : String(error)}`),
    ...options,
  });
}
