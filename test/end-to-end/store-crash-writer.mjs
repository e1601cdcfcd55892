// A program that writes to a store in a folder and says on stdout what was acknowledged, one
// line each, at once: for a test that kills it. Arguments: the built module of EmbeddedStore,
// the folder, how many rounds.
//
// - Round N is a put of `single`, and a batch that puts `a`, `b` and `c` and deletes or puts `d`
//   in turn; the value is N. It goes on from what it finds.
// - When a round fails it says so, deletes `a`, opens the store again, and says what `b` is.

import { writeSync } from "node:fs";

const [modulePath, folder, rounds] = process.argv.slice(2);
const { EmbeddedStore } = await import(modulePath);
const bytes = (text) => Uint8Array.from(Buffer.from(text));

let store = await EmbeddedStore.open(folder, { changes: 5 });
const numberOf = (entry) => Number(entry === null ? 0 : Buffer.from(entry.value).toString().trim());
const first = 1 + numberOf(await store.get(bytes("a")));

async function run(round) {
  // Long enough that one write takes more than one block of the log.
  const value = bytes(String(round).padStart(40_000));
  await store.put(bytes("single"), value);
  writeSync(1, `single ${round}\n`);
  const operations = ["a", "b", "c"].map((name) => ({ kind: "put", key: bytes(name), value }));
  operations.push({ kind: round % 2 === 0 ? "delete" : "put", key: bytes("d"), value });
  await store.batch({ operations });
  writeSync(1, `batch ${round}\n`);
}

try {
  for (let round = first; round < first + Number(rounds); round++) await run(round);
} catch (error) {
  writeSync(1, `failed ${error.code}\n`);
  await store.delete(bytes("a"));
  await store.close();
  store = await EmbeddedStore.open(folder, { changes: 5 });
  writeSync(1, `a ${numberOf(await store.get(bytes("a")))} b ${numberOf(await store.get(bytes("b")))}\n`);
}
await store.close();
