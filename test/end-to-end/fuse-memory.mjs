// Mounts a file system in memory until it gets SIGTERM:
//
//   node test/end-to-end/fuse-memory.mjs FOLDER
//
// - A worker serves it, with the blocking loop; this thread mounts and unmounts. It says "mounted" once
//   somebody can use it, and on its errors what a handler threw.

import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { mountFuse, unmount } from "amoeba-proteus/dist/drivers/fuse/mount.js";
import { serveFuse } from "amoeba-proteus/dist/drivers/fuse/serve.js";
import { MemoryFileSystem } from "amoeba-proteus/dist/drivers/memory/file-system.js";

const now = () => {
  const milliseconds = Date.now();
  return { seconds: Math.floor(milliseconds / 1000), nanoseconds: (milliseconds % 1000) * 1e6 };
};

if (isMainThread) {
  const [target] = process.argv.slice(2);
  const descriptor = await mountFuse({ target, source: "memory", trusted: true });
  const worker = new Worker(new URL(import.meta.url), { workerData: descriptor });
  worker.on("message", (said) => console.log(said));
  worker.on("error", (error) => console.error(error));
  worker.on("exit", () => process.exit());
  process.once("SIGTERM", () => unmount(target));
} else {
  serveFuse({
    descriptor: workerData,
    fileSystem: new MemoryFileSystem({ now }),
    agreed: () => parentPort.postMessage("mounted"),
    failed: (error) => console.error(error),
  });
}
