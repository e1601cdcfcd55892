// The store in etcd does what the embedded store does, also while members of the cluster die:
// a site that moves its state there must not lose or double a change.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EtcdStore } from "../../control/node/store/etcd/store.js";
import type { Store } from "../../control/store/store.js";
import { describeStore, key, take, value } from "../unit/store/conformance.js";
import { EtcdCluster, hasEtcd } from "./etcd-cluster.js";

const has = hasEtcd();
if (!has && process.env.CI !== "true") console.warn("skipped: the store in etcd needs Debian's etcd-server");

describe.skipIf(!has && process.env.CI !== "true")("the store in etcd", () => {
  let cluster: EtcdCluster;
  let count = 0;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });

  afterAll(async () => {
    await cluster?.close();
  });

  const open = async (patienceMs = 20_000): Promise<Store> =>
    EtcdStore.open({ endpoints: cluster.endpoints, prefix: `test/${count++}/`, patienceMs });

  describeStore("with three members", { open, modelRuns: 5, modelSteps: 30 });

  describeStore("whose leader dies in the middle", {
    open: async () => {
      await cluster.revive();
      return open();
    },
    stir: () => cluster.killLeader(),
    modelRuns: 1,
    modelSteps: 10,
  });

  it("does each change once, whichever members die while it is under way", async () => {
    await cluster.revive();
    const store = await open();
    const watch = await store.watch({});
    const changes = 240;
    const deaths = [() => cluster.killLeader(), () => cluster.kill(0), () => cluster.killLeader()];
    for (const [round, die] of deaths.entries()) {
      const first = (round * changes) / deaths.length;
      const puts = Array.from({ length: changes / deaths.length }, (_, index) =>
        store.put(key(`k${first + index}`), value("x")),
      );
      await die();
      await Promise.all(puts);
      await cluster.revive();
    }
    const names = (await take(watch, changes)).flatMap(({ operations }) =>
      operations.map((o) => String(o.key)),
    );
    expect(new Set(names).size).toBe(changes);
    const end = await store.put(key("end"), value(""));
    expect((await take(watch, 1))[0]?.revision).toBe(end);
    await store.close();
  });

  it("goes on when the leader hangs", async () => {
    await cluster.revive();
    const store = await open();
    await store.put(key("a"), value("1"));
    await cluster.stopLeader();
    const puts = Array.from({ length: 20 }, (_, index) =>
      store.compareAndSwap(key(`k${index}`), 0, value("x")),
    );
    const results = await Promise.all(puts);
    expect(results.every(({ committed }) => committed)).toBe(true);
    await store.close();
  });

  it("says that it cannot be reached when most members are dead, and goes on when they are back", async () => {
    await cluster.revive();
    const store = await open(3000);
    const watch = await store.watch({});
    const first = await store.put(key("a"), value("1"));
    expect((await take(watch, 1))[0]?.revision).toBe(first);
    await cluster.kill(0);
    await cluster.kill(1);
    await expect(store.get(key("a"))).rejects.toMatchObject({ code: "STORE_UNREACHABLE", exit: 5 });
    await expect(store.compareAndSwap(key("a"), first, value("2"))).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_(UNREACHABLE|OUTCOME_UNKNOWN)$/),
    });
    await cluster.kill(2);
    await expect(open(1000)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    const coming = watch.next();
    await cluster.revive();
    const now = (await store.get(key("a")))?.revision ?? 0;
    const last = await store.put(key("a"), value("3"));
    const seen = (await coming).value?.revision;
    expect(seen).toBe(now === first ? last : now); // the swap was done, or was not; the watch knows
    await store.close();
  });

  it("leaves nothing of its own in etcd but its entries", async () => {
    await cluster.revive();
    const prefix = `test/${count}/`;
    const store = await open();
    await Promise.all(["a", "b", "c"].map((name) => store.put(key(name), value("1"))));
    expect(await cluster.count(prefix)).toBeGreaterThan(3);
    await store.close();
    expect(await cluster.count(prefix)).toBe(3);
  });
});
