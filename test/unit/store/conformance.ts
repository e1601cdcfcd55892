// What every store must do, whichever it is: one suite that each of them passes.
//
// - Nothing here knows how a store counts its revisions, only that they grow.
// - `open` makes an empty store; `stir`, if there is one, is called in the middle of the longer
//   tests: a place for a member of a cluster to die.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  batchConditionsMax,
  batchOperationsMax,
  keyBytesMax,
  rangeLimitMax,
  valueBytesMax,
} from "../../../control/store/limits.js";
import {
  type BatchResult,
  type Change,
  type Operation,
  prefixRange,
  type Store,
  type Watch,
} from "../../../control/store/store.js";
import { checkAgainstModel } from "./model.js";

export interface StoreUnderTest {
  open(): Promise<Store>;
  stir?(): Promise<void>;
  /** Runs of the comparison with the model, and steps of each. */
  readonly modelRuns: number;
  readonly modelSteps: number;
}

export const key = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
export const value = key;
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const put = (name: string, content = name): Operation => ({
  kind: "put",
  key: key(name),
  value: value(content),
});
const del = (name: string): Operation => ({ kind: "delete", key: key(name) });

/** The next so many changes. */
export async function take(watch: Watch, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  while (changes.length < count) {
    const { done, value: change } = await watch.next();
    if (done === true) throw new Error(`the watch ended after ${changes.length} changes`);
    changes.push(change);
  }
  return changes;
}

function committed(result: BatchResult): number {
  if (!result.committed) throw new Error(`not committed: ${result.found.join(" ")}`);
  return result.revision;
}

export function describeStore(name: string, under: StoreUnderTest): void {
  describe(name, () => {
    let store: Store;

    beforeEach(async () => {
      store = await under.open();
    });

    afterEach(async () => {
      await store.close();
    });

    describe("entries", () => {
      it("are absent until they are put, then there with their revision, then gone", async () => {
        expect(await store.get(key("a"))).toBeNull();
        const first = await store.put(key("a"), value("1"));
        expect(await store.get(key("a"))).toEqual({ key: key("a"), value: value("1"), revision: first });
        const second = await store.put(key("a"), value("1"));
        expect(second).toBeGreaterThan(first);
        expect((await store.get(key("a")))?.revision).toBe(second);
        expect(await store.delete(key("a"))).toBeGreaterThan(second);
        expect(await store.get(key("a"))).toBeNull();
      });

      it("may be any bytes, also none as a value", async () => {
        const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        for (const bytes of [Uint8Array.of(0), Uint8Array.of(255, 255), every, every.toReversed()]) {
          await store.put(bytes, bytes);
          expect((await store.get(bytes))?.value).toEqual(bytes);
        }
        await store.put(Uint8Array.of(0, 0), new Uint8Array(0));
        expect((await store.get(Uint8Array.of(0, 0)))?.value).toEqual(new Uint8Array(0));
        const { entries } = await store.range({});
        expect(entries.map((entry) => entry.key[0])).toEqual([0, 0, 0, 255, 255]);
        expect(entries.map((entry) => entry.key.length)).toEqual([1, 2, 256, 256, 2]);
      });

      it("do not change with the bytes that were handed in or out", async () => {
        const [itsKey, itsValue] = [key("k"), value("v")];
        const putting = store.put(itsKey, itsValue);
        itsKey.fill(0);
        itsValue.fill(0);
        await putting;
        (await store.get(key("k")))?.value.fill(1);
        (await store.range({})).entries[0]?.value.fill(2);
        expect(text((await store.get(key("k")))?.value)).toBe("v");
      });
    });

    describe("compare-and-swap", () => {
      it("of an absent key writes it only while it is absent", async () => {
        const revision = committed(await store.compareAndSwap(key("a"), 0, value("1")));
        expect(await store.compareAndSwap(key("a"), 0, value("2"))).toEqual({
          ...{ committed: false, found: [revision] },
        });
        await store.delete(key("a"));
        committed(await store.compareAndSwap(key("a"), 0, value("3")));
        expect(text((await store.get(key("a")))?.value)).toBe("3");
      });

      it("writes and deletes only what was not changed since", async () => {
        const first = await store.put(key("a"), value("1"));
        const second = committed(await store.compareAndSwap(key("a"), first, value("2")));
        expect(await store.compareAndSwap(key("a"), first, value("x"))).toMatchObject({ found: [second] });
        expect(await store.compareAndSwap(key("a"), first, null)).toMatchObject({ found: [second] });
        expect(text((await store.get(key("a")))?.value)).toBe("2");
        committed(await store.compareAndSwap(key("a"), second, null));
        expect(await store.compareAndSwap(key("a"), second, value("y"))).toMatchObject({ found: [0] });
        expect(await store.get(key("a"))).toBeNull();
      });

      it("counts right when many do it at once", async () => {
        const rounds = 5;
        const increment = async (): Promise<void> => {
          for (let attempt = 0; attempt < 500; attempt++) {
            const entry = await store.get(key("counter"));
            const next = value(String(Number(text(entry?.value)) + 1));
            if ((await store.compareAndSwap(key("counter"), entry?.revision ?? 0, next)).committed) return;
          }
          throw new Error("never got its turn");
        };
        for (let round = 0; round < rounds; round++) {
          const working = Array.from({ length: 8 }, increment);
          if (round === 2) await under.stir?.();
          await Promise.all(working);
        }
        expect(text((await store.get(key("counter")))?.value)).toBe(String(8 * rounds));
      });
    });

    describe("a batch", () => {
      it("does all of its operations at one revision", async () => {
        await store.put(key("old"), value("x"));
        const revision = committed(await store.batch({ operations: [put("a"), del("old"), put("b")] }));
        const { entries } = await store.range({});
        expect(entries.map((entry) => [text(entry.key), entry.revision])).toEqual([
          ["a", revision],
          ["b", revision],
        ]);
      });

      it("does nothing when one of its conditions does not hold, and says what is there instead", async () => {
        const [a, b] = [await store.put(key("a"), value("1")), await store.put(key("b"), value("1"))];
        const conditions = [
          { key: key("a"), revision: a },
          { key: key("b"), revision: a },
          { key: key("c"), revision: a },
        ];
        const operations = [put("a", "2"), del("b"), put("new")];
        expect(await store.batch({ conditions, operations })).toEqual({ committed: false, found: [a, b, 0] });
        const { entries } = await store.range({});
        expect(entries.map((entry) => text(entry.value))).toEqual(["1", "1"]);
      });

      it("may ask only, or delete what is not there: no watch hears of it", async () => {
        const watch = await store.watch({});
        const first = await store.put(key("a"), value("1"));
        committed(
          await store.batch({
            conditions: [
              { key: key("a"), revision: first },
              { key: key("b"), revision: 0 },
            ],
            operations: [],
          }),
        );
        expect(await store.delete(key("absent"))).toBeGreaterThanOrEqual(first);
        const last = await store.put(key("b"), value("2"));
        expect((await take(watch, 2)).map(({ revision }) => revision)).toEqual([first, last]);
      });

      it("is seen whole or not at all", async () => {
        const rounds = 20;
        const names = ["x", "y", "z"];
        let isDone = false;
        const writing = (async () => {
          for (let round = 0; round < rounds; round++) {
            const operations = names.map((name) => put(name, String(round)));
            await store.batch({ operations });
            if (round === rounds / 2) await under.stir?.();
          }
          isDone = true;
        })();
        for (let looks = 0; !isDone && looks < 10_000; looks++) {
          const { entries, revision } = await store.range({});
          expect(
            new Set(entries.map((entry) => `${text(entry.value)} at ${entry.revision}`)).size,
          ).toBeLessThan(2);
          for (const entry of entries) expect(entry.revision).toBeLessThanOrEqual(revision);
        }
        await writing;
      });

      it("may have as many operations and conditions as the limits say", async () => {
        const names = Array.from({ length: batchOperationsMax }, (_, index) => `k${index}`);
        const conditions = names
          .slice(0, batchConditionsMax)
          .map((name) => ({ key: key(name), revision: 0 }));
        const operations = names.map((name) => put(name));
        committed(await store.batch({ conditions, operations }));
        const refused = await store.batch({ conditions, operations: names.map(del) });
        expect(refused).toMatchObject({ committed: false });
        committed(await store.batch({ operations: names.map(del) }));
        expect((await store.range({})).entries).toEqual([]);
      });
    });

    describe("a range", () => {
      beforeEach(async () => {
        await store.batch({ operations: ["a", "a/1", "a/2", "a0", "b", "c"].map((name) => put(name)) });
      });

      const names = async (...args: Parameters<Store["range"]>): Promise<string> => {
        const { entries, more } = await store.range(...args);
        return entries.map((entry) => text(entry.key)).join(" ") + (more ? " ..." : "");
      };

      it("is in the order of bytes, with its first key and without its last", async () => {
        expect(await names({})).toBe("a a/1 a/2 a0 b c");
        expect(await names({ from: key("a/1"), to: key("b") })).toBe("a/1 a/2 a0");
        expect(await names({ from: key("a/11") })).toBe("a/2 a0 b c");
        expect(await names({ to: key("a/2") })).toBe("a a/1");
        expect(await names({ from: key("d") })).toBe("");
        expect(await names(prefixRange(key("a/")))).toBe("a/1 a/2");
      });

      it("ends at its limit and says whether there is more", async () => {
        expect(await names({}, { limit: 2 })).toBe("a a/1 ...");
        expect(await names({}, { limit: 6 })).toBe("a a/1 a/2 a0 b c");
        expect(await names({ from: key("b") }, { limit: 1 })).toBe("b ...");
      });

      it("goes from the last key down when it is told", async () => {
        expect(await names({}, { reverse: true })).toBe("c b a0 a/2 a/1 a");
        expect(await names({}, { reverse: true, limit: 2 })).toBe("c b ...");
        expect(await names({ to: key("b") }, { reverse: true, limit: 2 })).toBe("a0 a/2 ...");
        expect(await names(prefixRange(key("a/")), { reverse: true, limit: 2 })).toBe("a/2 a/1");
      });

      it("has the store's revision: a watch after it misses nothing", async () => {
        const { revision } = await store.range({});
        const next = await store.put(key("d"), value("d"));
        expect(next).toBeGreaterThan(revision);
        expect(await take(await store.watch({}, revision), 1)).toEqual([
          { revision: next, operations: [put("d")] },
        ]);
      });
    });

    describe("a watch", () => {
      it("reports each change once, in order, a batch as one", async () => {
        const watch = await store.watch({});
        const first = await store.put(key("a"), value("1"));
        const second = committed(await store.batch({ operations: [put("b"), del("a"), put("c")] }));
        expect(await take(watch, 2)).toEqual([
          { revision: first, operations: [put("a", "1")] },
          { revision: second, operations: [put("b"), del("a"), put("c")] },
        ]);
      });

      it("waits for what is to come", async () => {
        const watch = await store.watch({});
        const coming = watch.next();
        const revision = await store.put(key("a"), value("1"));
        expect(await coming).toEqual({ done: false, value: { revision, operations: [put("a", "1")] } });
      });

      it("reports only its keys, of a batch too", async () => {
        const watch = await store.watch(prefixRange(key("in/")));
        await store.put(key("out"), value("1"));
        const revision = committed(
          await store.batch({ operations: [put("in"), put("in/1"), put("in0"), put("in/2")] }),
        );
        expect(await take(watch, 1)).toEqual([{ revision, operations: [put("in/1"), put("in/2")] }]);
      });

      it("replays from a revision on what has been overwritten since", async () => {
        const first = await store.put(key("a"), value("1"));
        const second = await store.put(key("a"), value("2"));
        const third = await store.delete(key("a"));
        expect(await take(await store.watch({}, first), 2)).toEqual([
          { revision: second, operations: [put("a", "2")] },
          { revision: third, operations: [del("a")] },
        ]);
        const all = await take(await store.watch({}, first - 1), 3);
        expect(all.map(({ revision }) => revision)).toEqual([first, second, third]);
      });

      it("is refused exactly when changes after its revision are compacted", async () => {
        const first = await store.put(key("a"), value("1"));
        const second = await store.put(key("a"), value("2"));
        const third = await store.put(key("b"), value("3"));
        await store.compact(second);
        await store.compact(second); // as often as one likes
        await expect((await store.watch({}, first)).next()).rejects.toMatchObject({
          code: "STORE_COMPACTED",
        });
        const kept = await take(await store.watch({}, second), 1);
        expect(kept.map(({ revision }) => revision)).toEqual([third]);
        expect((await store.range({})).entries.map((entry) => text(entry.value))).toEqual(["2", "3"]);
        await expect(store.compact(third + 1_000_000)).rejects.toMatchObject({ code: "STORE_ARGUMENT" });
      });

      it("that is slow misses nothing", async () => {
        const count = 300;
        const watch = await store.watch(prefixRange(key("w")));
        const revisions: number[] = [];
        for (let at = 0; at < count; at += 50) {
          const puts = Array.from({ length: 50 }, (_, index) => store.put(key(`w${at + index}`), value("x")));
          if (at === 100) await under.stir?.();
          revisions.push(...(await Promise.all(puts)));
        }
        const seen = (await take(watch, count)).map(({ revision }) => revision);
        expect(seen).toEqual(revisions.sort((a, b) => a - b));
      });

      it("ends when it is closed, when its loop is left, and with the store", async () => {
        const [closing, left, last] = [await store.watch({}), await store.watch({}), await store.watch({})];
        const waiting = closing.next();
        closing.close();
        expect(await waiting).toMatchObject({ done: true });
        await store.put(key("a"), value("1"));
        for await (const change of left) {
          expect(change.operations).toHaveLength(1);
          break;
        }
        expect(await left.next()).toMatchObject({ done: true });
        await take(last, 1);
        const end = last.next();
        await store.close();
        expect(await end).toMatchObject({ done: true });
      });

      it("has one next at a time", async () => {
        const watch = await store.watch({});
        const first = watch.next();
        await expect(watch.next()).rejects.toThrow("one next at a time");
        const revision = await store.put(key("a"), value("1"));
        expect(await first).toMatchObject({ value: { revision } });
      });
    });

    describe("the door", () => {
      const large = new Uint8Array(valueBytesMax).fill(7);

      it("lets the largest key, value and batch in", async () => {
        const longest = new Uint8Array(keyBytesMax).fill(255);
        const operations = ["a", "b"].map((name): Operation => {
          return { kind: "put", key: key(name), value: large.subarray(0, valueBytesMax - 1) };
        });
        await store.batch({ operations });
        await store.put(longest, large);
        expect(Buffer.compare((await store.get(longest))?.value ?? key(""), large)).toBe(0);
        const [change] = await take(
          await store.watch({ from: longest }, (await store.get(key("a")))?.revision),
          1,
        );
        const operation = change?.operations[0];
        expect(operation?.kind === "put" && Buffer.compare(operation.value, large)).toBe(0);
      });

      it.each([
        ["an empty key", "STORE_ARGUMENT", (s: Store) => s.put(new Uint8Array(0), large)],
        ["a long key", "STORE_TOO_LARGE", (s: Store) => s.get(new Uint8Array(keyBytesMax + 1))],
        [
          "a large value",
          "STORE_TOO_LARGE",
          (s: Store) => s.put(key("a"), new Uint8Array(valueBytesMax + 1)),
        ],
        [
          "a large batch",
          "STORE_TOO_LARGE",
          (s: Store) =>
            s.batch({
              operations: ["a", "b"].map((name) => ({ kind: "put", key: key(name), value: large })),
            }),
        ],
        [
          "a long batch",
          "STORE_TOO_LARGE",
          (s: Store) =>
            s.batch({ operations: Array.from({ length: batchOperationsMax + 1 }, (_, i) => put(`${i}`)) }),
        ],
        [
          "too many conditions",
          "STORE_TOO_LARGE",
          (s: Store) =>
            s.batch({
              conditions: Array.from({ length: batchConditionsMax + 1 }, () => ({
                key: key("a"),
                revision: 0,
              })),
              operations: [],
            }),
        ],
        [
          "a key twice in a batch",
          "STORE_ARGUMENT",
          (s: Store) => s.batch({ operations: [put("a"), del("a")] }),
        ],
        ["a limit of none", "STORE_ARGUMENT", (s: Store) => s.range({}, { limit: 0 })],
        ["a limit of too many", "STORE_ARGUMENT", (s: Store) => s.range({}, { limit: rangeLimitMax + 1 })],
        ["a range without keys", "STORE_ARGUMENT", (s: Store) => s.range({ from: key("b"), to: key("b") })],
        ["half a revision", "STORE_ARGUMENT", (s: Store) => s.compareAndSwap(key("a"), 0.5, value("x"))],
        ["a negative revision", "STORE_ARGUMENT", (s: Store) => s.watch({}, -1)],
      ])("keeps %s out", async (_, code, request) => {
        await expect(request(store)).rejects.toMatchObject({ name: "ProteusError", code });
        expect((await store.range({})).entries).toEqual([]);
      });

      it("is shut after close", async () => {
        const busy = store.put(key("a"), value("1"));
        await store.close();
        expect(await busy).toBeGreaterThan(0); // what was taken is still done
        const late = [store.get(key("a")), store.put(key("a"), value("2")), store.range({}), store.watch({})];
        for (const request of [...late, store.compact(0)])
          await expect(request).rejects.toMatchObject({ code: "STORE_CLOSED" });
        await store.close();
      });
    });

    it("does what a model of it does, whatever it is asked", async () => {
      await checkAgainstModel(under.open, { runs: under.modelRuns, steps: under.modelSteps });
    });
  });
}
