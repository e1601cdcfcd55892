// The thread that serves the root of mounted cells: FUSE's loop, with the tree of cell-tree.ts behind it.
//
// - Blocks until the mount ends. What is to be shown comes as messages of the main thread, between two
//   requests; which names somebody missed goes back.

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { serveFuse } from "../../../drivers/fuse/serve.js";
import { Wake } from "../../../drivers/fuse/wake.js";
import { CellTree, type TreePath } from "./cell-tree.js";

/** What the thread is started with. */
export interface CellsData {
  readonly descriptor: number;
  readonly wake: { readonly descriptor: number; readonly word: SharedArrayBuffer };
  readonly main: MessagePort;
}

export type ToCells =
  | { readonly kind: "show"; readonly token: number; readonly paths: readonly TreePath[] }
  | { readonly kind: "end" };

export type FromCells =
  | { readonly kind: "mounted" }
  | { readonly kind: "shown"; readonly token: number }
  | { readonly kind: "missed"; readonly name: string }
  | { readonly kind: "failed"; readonly message: string };

const { descriptor, wake: shared, main } = workerData as CellsData;
const wake = new Wake(shared);
const say = (message: FromCells): void => main.postMessage(message);
const milliseconds = Date.now();
const tree = new CellTree({
  time: { seconds: Math.floor(milliseconds / 1000), nanoseconds: (milliseconds % 1000) * 1e6 },
  missed: (name) => say({ kind: "missed", name }),
});
let isEnding = false;

serveFuse({
  ...{ descriptor, fileSystem: tree, wake, passthrough: false },
  failed: (error) => say({ kind: "failed", message: String(error) }),
  agreed: () => say({ kind: "mounted" }),
  woken() {
    for (;;) {
      const found = receiveMessageOnPort(main) as { readonly message: ToCells } | undefined;
      if (found === undefined) return !isEnding;
      if (found.message.kind === "end") isEnding = true;
      else {
        tree.show(found.message.paths);
        say({ kind: "shown", token: found.message.token });
      }
    }
  },
});
main.close();
