// A mount of a volume on this machine: starts its threads, makes their calls, hears of breaks.
//
// - This thread has the Proteus kernel; it never touches the mount, which waits for it.
// - Calls are bounded by RPC's own patience: without vice the mount goes on by itself.

import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { mountFuse, unmount } from "../../../drivers/fuse/mount.js";
import { Wake } from "../../../drivers/fuse/wake.js";
import type { Capability } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import { passingSecrets } from "../../capability/secrets.js";
import type { Check } from "../../interface/file-check.js";
import { rightsMask } from "../../interface/table.js";
import { venusTable } from "../../interface/venus.js";
import { idsSchema, viceTable } from "../../interface/vice.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { callOperation } from "../../stub/client.js";
import { Objects } from "../../stub/objects.js";
import { Server } from "../../stub/serving.js";
import type { Came, Values } from "../../venus/link.js";
import type { PermitMode } from "../../venus/permit.js";
import type { PinEntry, Pinned } from "../../venus/pins.js";
import type { LogEntry, MountMode, VenusStatus } from "../../venus/venus.js";
import type { FromServing, NotifyingData, ServingData, ToServing } from "./messages.js";

export interface MountVolumeOptions {
  readonly kernel: Kernel;
  /** The volume's. */
  readonly capability: Capability;
  /** What `mount` shows. */
  readonly source: string;
  readonly target: string;
  /** The cache's folder. */
  readonly cache: string;
  /** How many bytes of contents it keeps, about. */
  readonly cacheBytes: number;
  /** Without one: as the cache was mounted before. */
  readonly mode?: MountMode | undefined;
  /** Whether it asks for the volume's permit. */
  readonly permit: PermitMode;
  readonly machine: string;
  readonly failed: (error: unknown) => void;
}

export interface MountedVolume {
  /** Files are handed to the kernel. */
  readonly passthrough: boolean;
  /** Resolves when the mount has ended, however. */
  readonly ended: Promise<void>;
  status(): Promise<VenusStatus>;
  /** Records that vice has not taken, the first of them. */
  log(): Promise<readonly LogEntry[]>;
  /** Has a path of the volume kept, or not any more; a character a byte. */
  pin(path: string, isWanted: boolean): Promise<Pinned>;
  pins(): Promise<readonly PinEntry[]>;
  /** Begins a verification of the cache, or says how far it is. */
  verify(asked: { readonly isBegin: boolean; readonly isRepair: boolean }): Promise<Check>;
  /** As if there were no network, until `connect`. */
  disconnect(): void;
  connect(): void;
  /** Takes it off; resolves when it has ended. Copies of it in other mount namespaces end too. */
  unmount(): Promise<void>;
}

const callOptions = { locateTimeoutMs: 1500, pollMs: 250, deadMs: 1500 };
const breakThreads = 4;
/** How long a mount that was taken off waits for its last user. */
const lingerMs = 1000;

/** Main's end of a mount. */
class Mounted {
  readonly #options: MountVolumeOptions;
  readonly #port: MessagePort;
  readonly #wake: Wake;
  readonly #tokens = new Map<number, (value: unknown) => void>();
  #last = 0;

  constructor(options: MountVolumeOptions, port: MessagePort, wake: Wake) {
    this.#options = options;
    this.#port = port;
    this.#wake = wake;
  }

  tell(message: ToServing): void {
    this.#port.postMessage(message);
    this.#wake.wake();
  }

  /** Asks the serving thread; resolves with what it says. */
  ask<Value>(make: (token: number) => ToServing): Promise<Value> {
    const token = ++this.#last;
    return new Promise((resolve) => {
      this.#tokens.set(token, resolve as (value: unknown) => void);
      this.tell(make(token));
    });
  }

  answered(token: number, value: unknown): void {
    this.#tokens.get(token)?.(value);
    this.#tokens.delete(token);
  }

  call(id: number, operation: string, given: Values): void {
    const { kernel, capability, failed } = this.#options;
    const done = (came: Came): void => this.tell({ kind: "came", id, came });
    callOperation(kernel, viceTable, operation, capability, given, callOptions).then(
      (reply) => done({ reply }),
      (error: unknown) => {
        if (!(error instanceof ProteusError)) failed(error);
        done({ code: error instanceof ProteusError ? error.code : "STD_SYSERR" });
      },
    );
  }
}

/** Mounts a volume. Rejects with FuseError, FolderError. */
export async function mountVolume(options: MountVolumeOptions): Promise<MountedVolume> {
  const { kernel, target, source, cache, machine, failed } = options;
  const { rights } = claims(options.capability.private);
  const readOnly = (rights & rightsMask(viceTable, ["write"])) === 0;
  const descriptor = await mountFuse({ target, source, readOnly });
  const wake = new Wake();
  const [main, nodes, names] = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const mounted = new Mounted(options, main.port1, wake);
  const secrets = passingSecrets(randomBytes);
  const server = new Server({
    ...{
      kernel,
      getPort: secrets.getPort,
      key: secrets.key,
      failed,
      table: venusTable,
      threads: breakThreads,
    },
    objects: new Objects<never>({ random: randomBytes, own: secrets.own }),
    info: () => `venus at ${target}`,
    handlers: {
      break: async (_asked, given) => {
        const { ids } = idsSchema.parse(given.ids);
        await mounted.ask((token) => ({ kind: "break", token, ids }));
        return {};
      },
      probe: () => ({}),
      hurry: async (_asked, { fence }) => {
        await mounted.ask((token) => ({ kind: "hurry", token, fence }));
        return {};
      },
    },
  });
  const notifying = (serving: MessagePort): Worker => {
    const data: NotifyingData = { descriptor, wake: wake.share(), serving };
    const url = new URL("./notifying-worker.js", import.meta.url);
    return new Worker(url, { workerData: data, transferList: [serving] });
  };
  const data: ServingData = {
    ...{
      descriptor,
      folder: cache,
      bytesMax: options.cacheBytes,
      permit: options.permit,
      port: server.putPort,
      machine,
      wake: wake.share(),
    },
    ...(options.mode === undefined ? {} : { mode: options.mode }),
    ...{ main: main.port2, nodes: nodes.port2, names: names.port2 },
  };
  const workers = [notifying(nodes.port1), notifying(names.port1)];
  const serving = new Worker(new URL("./serving-worker.js", import.meta.url), {
    workerData: data,
    transferList: [main.port2, nodes.port2, names.port2],
  });
  for (const worker of workers) worker.on("error", failed);
  const ended = new Promise<void>((resolve, reject) => {
    serving.once("error", (error) => {
      void unmount(target); // or everybody who looks there would wait
      reject(error);
    });
    serving.once("exit", () => resolve());
  }).finally(async () => {
    server.close();
    main.port1.close();
    await Promise.all(workers.map((worker) => worker.terminate()));
    closeSync(descriptor);
    wake.close();
  });
  ended.catch(() => undefined);
  const begun = new Promise<boolean>((resolve) => {
    main.port1.on("message", (said: FromServing) => {
      switch (said.kind) {
        case "mounted":
          resolve(said.passthrough);
          break;
        case "call":
          mounted.call(said.id, said.operation, said.given);
          break;
        case "broken":
          mounted.answered(said.token, undefined);
          break;
        case "status":
          mounted.answered(said.token, said.status);
          break;
        case "log":
          mounted.answered(said.token, said.records);
          break;
        case "pinned":
          mounted.answered(said.token, said.pinned);
          break;
        case "pins":
          mounted.answered(said.token, said.pins);
          break;
        case "verify":
          mounted.answered(said.token, said.check);
          break;
        case "failed":
          failed(new Error(said.message));
          break;
        case "ended":
          break;
      }
    });
  });
  const passthrough = await Promise.race([begun, ended.then(() => false)]);
  return {
    passthrough,
    ended,
    status: () => mounted.ask((token) => ({ kind: "status", token })),
    log: () => mounted.ask((token) => ({ kind: "log", token })),
    pin: (path, isWanted) => mounted.ask((token) => ({ kind: "pin", token, path, isWanted })),
    pins: () => mounted.ask((token) => ({ kind: "pins", token })),
    verify: (asked) => mounted.ask((token) => ({ kind: "verify", token, ...asked })),
    disconnect: () => mounted.tell({ kind: "hold" }),
    connect: () => mounted.tell({ kind: "connect" }),
    async unmount() {
      await unmount(target);
      const timer = setTimeout(() => mounted.tell({ kind: "end" }), lingerMs);
      await ended.finally(() => clearTimeout(timer));
    },
  };
}
