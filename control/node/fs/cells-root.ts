// The root of mounted cells on this machine: mounts it, starts its thread, tells it what to show.
//
// - This thread never touches the mount, which may wait for it.
// - It can be shown nothing less than before: see cell-tree.ts.

import { closeSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import { mountFuse, unmount } from "../../../drivers/fuse/mount.js";
import { Wake } from "../../../drivers/fuse/wake.js";
import type { TreePath } from "./cell-tree.js";
import type { CellsData, FromCells, ToCells } from "./cells-worker.js";

export interface CellsRootOptions {
  readonly target: string;
  /** What `mount` shows. */
  readonly source: string;
  /** Somebody looked for a name that is not there. */
  readonly missed: (name: string) => void;
  readonly failed: (error: unknown) => void;
}

export interface CellsRoot {
  /** Resolves when the mount has ended, however. */
  readonly ended: Promise<void>;
  /** Resolves when the folders are there. */
  show(paths: readonly TreePath[]): Promise<void>;
  /** Takes it off, with all that is mounted on it; resolves when it has ended. */
  unmount(): Promise<void>;
}

/** How long a mount that was taken off waits for its last user. */
const lingerMs = 1000;

/** Mounts the root. Rejects with FuseError. */
export async function mountCellsRoot({
  target,
  source,
  missed,
  failed,
}: CellsRootOptions): Promise<CellsRoot> {
  const descriptor = await mountFuse({ target, source });
  const wake = new Wake();
  const { port1: port, port2: main } = new MessageChannel();
  const data: CellsData = { descriptor, wake: wake.share(), main };
  const worker = new Worker(new URL("./cells-worker.js", import.meta.url), {
    ...{ workerData: data, transferList: [main] },
  });
  const tokens = new Map<number, () => void>();
  let last = 0;
  const tell = (message: ToCells): void => {
    port.postMessage(message);
    wake.wake();
  };
  const ended = new Promise<void>((resolve, reject) => {
    worker.once("error", (error) => {
      void unmount(target); // or everybody who looks there would wait
      reject(error);
    });
    worker.once("exit", () => resolve());
  }).finally(() => {
    port.close();
    closeSync(descriptor);
    wake.close();
    for (const done of tokens.values()) done();
  });
  ended.catch(() => undefined);
  const begun = new Promise<void>((resolve) => {
    port.on("message", (said: FromCells) => {
      if (said.kind === "mounted") resolve();
      else if (said.kind === "missed") missed(said.name);
      else if (said.kind === "failed") failed(new Error(said.message));
      else {
        tokens.get(said.token)?.();
        tokens.delete(said.token);
      }
    });
  });
  await Promise.race([begun, ended]);
  return {
    ended,
    show: (paths) =>
      new Promise((resolve) => {
        tokens.set(++last, resolve);
        tell({ kind: "show", token: last, paths });
      }),
    async unmount() {
      await unmount(target);
      const timer = setTimeout(() => tell({ kind: "end" }), lingerMs);
      await ended.finally(() => clearTimeout(timer));
    },
  };
}
