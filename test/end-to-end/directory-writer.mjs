// Changes and reads a few names of a pool, one operation after the other, and writes what it saw as
// lines of JSON: {object, input, output, begin, end}. Without an output it never learnt it.
//
// Started inside a machine of a lab: node directory-writer.mjs DIST ROOT NAME COUNT.

import { randomBytes } from "node:crypto";
import { pathToFileURL } from "node:url";

const [dist, rootText, caller, count] = process.argv.slice(2);
const from = (path) => import(pathToFileURL(`${dist}/control/${path}.js`).href);
const { startKernel } = await from("node/start");
const { kernelBytes } = await from("cli/package-files");
const { Directories } = await from("stub/directories");
const { setOf } = await from("capability/set");
const { capabilityOf } = await from("capability/capability");

const running = await startKernel({ wasm: kernelBytes(), interfaces: ["eth0"], say: () => undefined });
const root = setOf(capabilityOf(Uint8Array.from(Buffer.from(rootText, "hex"))));
const names = new Directories(running.kernel, root, {
  pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  patienceMs: 60_000,
});
const now = () => Number(process.hrtime.bigint() / 1000n);
const setFor = (value) => {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32LE(value, 4);
  return setOf({ port: Uint8Array.of(1, 2, 3, 4, 5, 6), private: new Uint8Array(bytes) });
};
const numberIn = (set) => Buffer.from(set.members[0].capability.private).readUInt32LE(4);
const absent = ["NAME_NOT_FOUND"];

async function perform(path, { do: kind, expected, value }) {
  try {
    if (kind === "read") return numberIn(await names.lookup(path));
    if (expected === 0) await names.append(path, setFor(value));
    else await names.replace(path, setFor(value), setFor(expected));
    return true;
  } catch (error) {
    if (kind === "read" && absent.includes(error.code)) return 0;
    if (kind === "swap" && ["NAME_EXISTS", "NAME_CHANGED", ...absent].includes(error.code)) return false;
    throw error;
  }
}

let known = 0;
for (let round = 0; round < Number(count); round++) {
  const object = `r${Math.floor(round / 20)}`;
  if (round % 20 === 0) known = 0;
  const value = randomBytes(4).readUInt32LE(0) || 1;
  const input = round % 2 === 0 ? { do: "read" } : { do: "swap", expected: known, value };
  const seen = { object, input, begin: now() };
  try {
    const output = await perform(`/${object}`, input);
    Object.assign(seen, { output, end: now() });
    if (input.do === "read") known = output;
  } catch (error) {
    Object.assign(seen, { code: error.code ?? String(error) });
  }
  process.stdout.write(`${JSON.stringify({ caller, ...seen })}\n`);
}
await running.finish();
