// A notifying thread of a mount: has the kernel forget things, which may wait for requests that are under
// way; so not in the thread that serves them.
//
// - Ends when the serving thread closes its end.

import { workerData } from "node:worker_threads";
import { FuseDevice } from "../../../drivers/fuse/device.js";
import { Wake } from "../../../drivers/fuse/wake.js";
import type { Notify, NotifyingData } from "./messages.js";

const { descriptor, wake: shared, serving } = workerData as NotifyingData;
const device = new FuseDevice(descriptor);
const wake = new Wake(shared);

serving.on("message", ({ token, what }: Notify) => {
  for (const each of what) if (!device.invalidate(each)) break;
  serving.postMessage(token);
  wake.wake();
});
