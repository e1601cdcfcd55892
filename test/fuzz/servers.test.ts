// Servers under random requests: whatever header and data somebody sends, with or without a
// genuine capability, the answer is a standard status and the server goes on.
//
// - The requests are those of requests.ts; directory servers have a test of their own.
// - Statuses other than 0, STD_* and those of disks would be a leak of something inside.
// - Seeds are counted from 1; a failure names its seed.

import { describe, expect, it } from "vitest";
import type { Capability } from "../../control/capability/capability.js";
import { bulletTable } from "../../control/interface/bullet.js";
import { diskTable } from "../../control/interface/disk.js";
import { randomTable } from "../../control/interface/random.js";
import { segmentTable } from "../../control/interface/segment.js";
import { storageTable } from "../../control/interface/storage.js";
import { systemTable } from "../../control/interface/system.js";
import type { ServerTable } from "../../control/interface/table.js";
import { timeTable } from "../../control/interface/time.js";
import { trans } from "../../control/kernel/calls.js";
import { SystemServer } from "../../control/server/system/system.js";
import * as statuses from "../../core-wasm/status.js";
import { recordOf } from "../unit/server/disk/member/parts.js";
import { DiskPool } from "../unit/server/disk/remote-pool.js";
import { nameOf, Requests, renewed, statusesOf } from "./requests.js";
import { perTier } from "./tier.js";

const callsWanted = perTier(9_000, 18_000, 90_000);
const callsAtOnce = 20;
/** After so long a source has a guess again. */
const forgottenMs = 100;

const standard = new Set<number>([...statusesOf("STD_"), ...statusesOf("DISK_")]);

/** Operations that a run has had done, by name: what was reached behind all checks. */
const wanted = [
  ...["segment create", "segment grow", "segment read", "segment write", "segment size", "segment copy"],
  ...[
    "segment setparams",
    "segment ntouch",
    "segment getparams",
    "segment age",
    "segment touch",
    "segment restrict",
  ],
  ...["bullet create", "bullet read", "bullet size", "bullet modify"],
  ...["bullet insert", "bullet delete", "bullet sync", "bullet check", "bullet compact", "bullet destroy"],
  ...["segment destroy", "sys kstat", "sys status", "random get", "time get", "time set"],
  ...["segment revoke", "sys revoke"],
  ...["disk look", "disk medium", "disk media", "disk storages", "disk revoke"],
  ...["storage geometry", "storage zero", "storage extents", "storage flush"],
];

describe("servers under random requests", () => {
  it("answer standard statuses only, and serve on", async () => {
    const counted = new Map<number, number>();
    const done = new Set<string>();
    let calls = 0;
    for (let seed = 1; calls < callsWanted; seed++) {
      const pool = new DiskPool();
      pool.isTicking = true; // what is written behind a draft's end waits a moment
      const system = new SystemServer({
        ...{ ...pool.given(), info: "machine", describe: () => ({}), interfaces: () => [] },
      });
      const segments = pool.segments();
      const made = await pool.end(pool.segmentStub(segments.capability()).create({ bytes: 3000 }));
      const { server: bullet } = pool.bullet();
      const [randomServer, timeServer] = [pool.randomServer(), pool.timeServer(() => 0)];
      const disk = await pool.disk(64);
      const adopted = await pool.disk(512);
      await adopted.member.adopt(recordOf(64));
      const storage = pool.storage(8192);
      const create = (flags: number) =>
        pool.end(pool.calls(bullet.capability()).create({ data: new Uint8Array(3000), flags }));
      const targets = new Map<Capability, ServerTable>([
        [segments.capability(), segmentTable],
        [made.segment, segmentTable],
        [bullet.capability(), bulletTable],
        [(await create(1)).file, bulletTable],
        [(await create(0)).file, bulletTable],
        [system.capability(), systemTable],
        [randomServer.capability(), randomTable],
        [timeServer.capability(), timeTable],
        [disk.server.capability(), diskTable],
        [disk.capability, diskTable],
        [adopted.capability, diskTable],
        [storage.capability(), storageTable],
      ]);
      const requests = new Requests(seed, targets);
      for (let round = 0; round < 5; round++) {
        const options = { replyBytesMax: 65536, locateTimeoutMs: 500 };
        const batch = Array.from({ length: callsAtOnce }, () => requests.next());
        const replies = batch.map(({ header, data }) => trans(pool.near, header, data, options));
        for (const [index, reply] of (await pool.end(Promise.all(replies))).entries()) {
          const { status } = reply.header;
          const asked = JSON.stringify(batch[index]?.header);
          expect(standard.has(status), `seed ${seed}: status ${status} to ${asked}`).toBe(true);
          counted.set(status, (counted.get(status) ?? 0) + 1);
          if (status < 0) continue;
          const asker = batch[index]?.header;
          const name = nameOf(targets, asker);
          done.add(name);
          if (name.endsWith(" revoke"))
            renewed(targets.keys(), asker?.port ?? new Uint8Array(6), reply.header.private);
        }
        calls += callsAtOnce;
      }
      expect(pool.failures, `seed ${seed}`).toEqual([]);
      // A request may have revoked what was given out: each is asked with a capability of now, and
      // when more wrong guesses than may come at once (a touch carries many) are forgotten again.
      pool.room.run(forgottenMs);
      for (const server of [segments, system, randomServer, timeServer, bullet, disk.server, storage])
        await pool.end(pool.segmentStub(server.capability()).info());
    }
    console.log(`servers: ${calls} random requests, statuses ${JSON.stringify([...counted])}`);
    expect(wanted.filter((name) => !done.has(name))).toEqual([]);
    for (const status of [0, statuses.STD_CAPBAD, statuses.STD_COMBAD, statuses.STD_ARGBAD])
      expect(counted.get(status)).toBeGreaterThan(0);
  });
});
