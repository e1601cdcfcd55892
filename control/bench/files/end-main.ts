// The program of a machine in a benchmark of files: serves, or calls and measures, as it is told
// over its channel. It ends when the channel does.

import { obeyOrders } from "../channel.js";
import { timeClients } from "../clock.js";
import type { Answer } from "./ends.js";
import type { FileJob, FileSystemUnderTest, Order, Serving } from "./system.js";
import { bullet } from "./systems/bullet.js";
import { directory } from "./systems/directory.js";
import { disk } from "./systems/disk.js";
import { echo } from "./systems/echo.js";
import { etcd } from "./systems/etcd.js";
import { nginx, nginxSocket } from "./systems/nginx.js";
import { redis } from "./systems/redis.js";
import type { FileSystem } from "./types.js";

const systems: Readonly<Record<FileSystem, FileSystemUnderTest>> = {
  ...{ bullet, directory, disk, echo, etcd, nginx, redis, "nginx-socket": nginxSocket },
};

/** A call goes through more code here than a bare one: its compilers need longer. */
const warmupMs = 2000;
/** Updates are a hundred times as seldom, and servers that write them run for days. */
const warmupUpdatesMs = 10_000;

const warmupOf = ({ test }: FileJob): number => (test === "update" ? warmupUpdatesMs : warmupMs);

let serving: Serving | null = null;

async function run(job: FileJob, order: Extract<Order, { run: FileJob }>): Promise<Answer> {
  const { milliseconds, callsMin, bytes } = job;
  const client = await systems[job.system].connect(job, order.facts);
  try {
    return {
      run: (await timeClients(client.begins, { milliseconds, callsMin, bytes, warmupMs: warmupOf(job) })).run,
    };
  } finally {
    await client.close();
  }
}

obeyOrders<Order, Answer>(async (order, say) => {
  if ("serve" in order) {
    serving = (await systems[order.serve.system].serve?.(order.serve)) ?? null;
    await say({ ready: serving?.facts ?? {} });
  } else if ("run" in order) await say(await run(order.run, order));
  else {
    await serving?.stop();
    serving = null;
    await say({ stopped: true });
  }
});
