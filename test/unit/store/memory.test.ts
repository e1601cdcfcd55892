// The store in memory does what a store must do; programs under test rely on it.

import { expect, it } from "vitest";
import { MemoryStore } from "../../../control/store/memory.js";
import { afterPrefix, prefixRange } from "../../../control/store/store.js";
import { describeStore, key, take, value } from "./conformance.js";

describeStore("a store in memory", { open: async () => new MemoryStore(), modelRuns: 100, modelSteps: 60 });

it("knows where the keys with a prefix end, and leaves the prefix alone", () => {
  const prefix = Buffer.from([1, 2, 0xff]);
  expect(prefixRange(prefix).to).toEqual(Uint8Array.of(1, 3));
  expect([...prefix]).toEqual([1, 2, 0xff]);
  expect(afterPrefix(Uint8Array.of(0xff, 0xff))).toBeUndefined();
});

it("forgets old changes by itself, in count and in bytes, and keeps the latest", async () => {
  for (const history of [{ changes: 8 }, { bytes: 8 * 2 }]) {
    const store = new MemoryStore(history);
    let last = 0;
    for (let round = 0; round < 100; round++) last = await store.put(key("k"), value(String(round % 10)));
    await expect((await store.watch({}, last - 9)).next()).rejects.toMatchObject({ code: "STORE_COMPACTED" });
    expect(await take(await store.watch({}, last - 2), 2)).toHaveLength(2);
    expect(await store.get(key("k"))).toMatchObject({ value: value("9") });
    await store.close();
  }
});
