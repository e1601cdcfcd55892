// If one of these fails, a decision that was acknowledged is gone after the daemon's restart, or
// an old one in a store takes the place of a newer one.

import { describe, expect, it } from "vitest";
import type { After } from "../../../../control/group/timer.js";
import { Ledger } from "../../../../control/server/pool/ledger.js";
import type { PoolRecord } from "../../../../control/server/pool/records.js";
import { full, unreachable } from "../../../../control/store/errors.js";
import { MemoryStore } from "../../../../control/store/memory.js";
import type { Batch, BatchResult, Store } from "../../../../control/store/store.js";

const after: After = (_milliseconds, action) => {
  let wanted = true;
  setImmediate(() => {
    if (wanted) action();
  });
  return () => {
    wanted = false;
  };
};
/** Patience never runs out. */
const patient: After = (milliseconds, action) =>
  milliseconds >= 10_000 ? () => undefined : after(milliseconds, action);

const drained = (key: string, value: boolean, version: number): PoolRecord => ({
  ...{ kind: "drain", key, value, version },
});

/** A store that does something before or after a batch. */
class Hooked extends MemoryStore {
  before: (batch: Batch) => Promise<void> = async () => undefined;
  after: () => Promise<void> = async () => undefined;
  batches = 0;

  override async batch(batch: Batch): Promise<BatchResult> {
    this.batches++;
    await this.before(batch);
    const result = await super.batch(batch);
    await this.after();
    return result;
  }
}

const failures: unknown[] = [];
const open = (store: Store): Promise<Ledger> =>
  Ledger.open({ store, after: patient, pool: "lab", failed: (error) => failures.push(error) });

describe("what a daemon remembers", () => {
  it("is there again after a restart once it was said to be stored, all of it", async () => {
    const store = new MemoryStore();
    const ledger = await open(store);
    const records = Array.from({ length: 700 }, (_, i) => drained(`n${i}`, i % 2 === 0, i));
    for (const record of records) ledger.put(record);
    await Promise.all(records.map(({ key, version }) => ledger.stored(`drain/${key}`, version)));
    const again = (await open(store)).records();
    expect(new Map(again.map((record) => [record.key, record]))).toEqual(
      new Map(records.map((record) => [record.key, record])),
    );
  });

  it("is never acknowledged before it is durable, whenever the daemon is killed", async () => {
    // Killed before or after any batch: it never goes on from there.
    for (const kill of ["before", "after"] as const)
      for (let at = 1; at <= 3; at++) {
        const store = new Hooked();
        store[kill] = () => (store.batches === at ? new Promise(() => undefined) : Promise.resolve());
        const ledger = await open(store);
        const acknowledged: PoolRecord[] = [];
        for (let version = 1; version <= 3; version++) {
          const record = drained("n1", version % 2 === 1, version);
          ledger.put(record);
          const stored = ledger.stored("drain/n1", version).then(() => acknowledged.push(record));
          const turns = (async () => {
            for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
          })();
          await Promise.race([stored, turns]);
        }
        store.before = store.after = async () => undefined;
        const [found] = (await open(store)).records();
        expect(found?.version ?? 0).toBeGreaterThanOrEqual(acknowledged.at(-1)?.version ?? 0);
      }
  });

  it("gives way to what is newer in a store that daemons share", async () => {
    const store = new MemoryStore();
    const [one, two] = [await open(store), await open(store)];
    one.put(drained("n1", true, 5));
    two.put(drained("n1", false, 7));
    await Promise.all([one.stored("drain/n1", 5), two.stored("drain/n1", 7)]);
    one.put(drained("n2", true, 9));
    two.put(drained("n2", true, 8));
    await Promise.all([one.stored("drain/n2", 9), two.stored("drain/n2", 8)]);
    const records = (await open(store)).records();
    expect(records).toEqual([drained("n1", false, 7), drained("n2", true, 9)]);
  });

  it("waits for a store that cannot be reached, and says at once what time does not mend", async () => {
    const store = new Hooked();
    let tries = 0;
    store.before = async () => {
      if (++tries < 4) throw unreachable("etcd", "nobody answers");
    };
    const ledger = await open(store);
    ledger.put(drained("n1", true, 1));
    await ledger.stored("drain/n1", 1);
    expect(tries).toBe(4);
    store.before = async () => {
      throw full("the disk");
    };
    ledger.put(drained("n1", false, 2));
    await expect(ledger.stored("drain/n1", 2)).rejects.toMatchObject({ code: "STORE_FULL" });
    store.before = async () => undefined;
    await ledger.stored("drain/n1", 2); // it is tried again all the same
    expect(failures.length).toBe(2); // once each time it began to fail
  });

  it("leaves out what was dropped, and does not read what is not its pool's", async () => {
    const store = new MemoryStore();
    const ledger = await open(store);
    ledger.put(drained("n1", false, 1));
    await ledger.stored("drain/n1", 1);
    ledger.drop(drained("n1", false, 1));
    for (let i = 0; !ledger.idle && i < 1000; i++) await new Promise((resolve) => setImmediate(resolve));
    await store.put(new TextEncoder().encode("pool/lab/drain/bad"), new TextEncoder().encode("{"));
    await store.put(new TextEncoder().encode("pool/lab2/drain/n9"), new TextEncoder().encode("{}"));
    expect((await open(store)).records()).toEqual([]);
  });
});
