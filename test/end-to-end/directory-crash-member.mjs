// A directory server in a program of its own, for a test that kills it. Arguments: the folder of the
// built modules, the folder with its store, and what it is to do:
//
// - `change`: makes, changes and removes names, and says so in lines of JSON, at once: {id, set} before
//   an update, {id} when it was acknowledged. `set` is what somebody who looks sees afterwards, and
//   before does not: all of it or nothing. null: it is not there.
// - `look`: says in one line what is there, as `set` does, and what is wrong with it.
// - `member NAME NAMES`: one of several, on the interface eth0, until SIGTERM; says its {pid, root}.
// - `stored`: says in one line what the store has, as `look` does, and the version: without serving it.

import { writeSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist, folder, what, name = "n1", names = name] = process.argv.slice(2);
const from = (path) => import(pathToFileURL(join(dist, `${path}.js`)).href);
const { startKernel } = await from("control/node/start");
const { Loop, microseconds } = await from("control/node/loop");
const { Kernel } = await from("control/kernel/kernel");
const { kernelBytes } = await from("control/cli/package-files");
const { startDirectory } = await from("control/node/directory");
const { openDirectoryStore } = await from("control/node/directory-store");
const { Journal } = await from("control/server/directory/journal");
const { capabilityBytes } = await from("control/capability/capability");
const { setOf } = await from("control/capability/set");
const { directoryTable } = await from("control/interface/directory");
const { stub } = await from("control/stub/client");
const { listAll } = await from("control/stub/listing");
const { MemoryLan } = await from("drivers/memory/lan");

const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const failed = (error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
};
const secrets = () => ({ getPort: new Uint8Array(6).fill(3), key: new Uint8Array(32).fill(9) });
const limits = { memoryBytes: 48 * 1024 * 1024, threads: 128, ports: 128 };
const given = { name, members: names.split(","), state: folder, secrets, failed };

const thing = (value) => {
  const bytes = new Uint8Array(10);
  new DataView(bytes.buffer).setUint32(4, value);
  return setOf({ port: Uint8Array.of(1, 2, 3, 4, 5, 6), private: bytes });
};
const numberIn = (capability) => Buffer.from(capability.private).readUInt32BE(4);
const samePort = (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)) === 0;

/** A machine that has nobody beside it. */
function lone() {
  const schedule = (delay, action) => setTimeout(action, delay / 1000);
  const kernel = new Kernel({
    module: new WebAssembly.Module(kernelBytes()),
    clock: microseconds,
    random: (bytes) => crypto.getRandomValues(bytes),
    limits,
  });
  kernel.attach(new MemoryLan({ schedule }).port("lan"));
  return { kernel, loop: new Loop(kernel, failed) };
}

async function change(kernel, root) {
  let ids = 0;
  const at = (capability) => stub(kernel, directoryTable, capability);
  const identity = () => ({ request: ++ids + 1_000_000, requestMore: 7 });
  const update = async (set, run) => {
    const id = ++ids;
    say({ id, set });
    const answer = await run();
    say({ id });
    return answer;
  };
  const masks = [0xff, 0x02];
  const top = at(root);
  const make = async (path, count) => {
    const { directory } = await update({ "#": count }, () =>
      top.create({ columns: ["owner", "reader"], ...identity() }),
    );
    await update({ [path]: "directory 255,2", [`${path}/`]: "owner,reader" }, () =>
      top.append({ name: path.slice(1), set: setOf(directory), masks, ...identity() }),
    );
    return directory;
  };
  const d = await make("/d", 2);
  await update({ "/a": "1 255,2" }, () => top.append({ name: "a", set: thing(1), masks, ...identity() }));
  // Many at once: the store writes them together.
  await Promise.all(
    [2, 3, 4, 5].map((value) =>
      update({ [`/d/${value}`]: `${value} 255,6` }, () =>
        at(d).append({ name: String(value), set: thing(value), masks: [255, 6], ...identity() }),
      ),
    ),
  );
  await update({ "/a": "6 255,2" }, () => top.replace({ name: "a", set: thing(6), ...identity() }));
  const row = { directory: setOf(d), name: "2", set: thing(8), expected: thing(2).members[0].capability };
  await update({ "/a": "7 255,2", "/d/2": "8 255,6" }, () =>
    top.install({ rows: [{ directory: setOf(root), name: "a", set: thing(7) }, row], ...identity() }),
  );
  await update({ "/d/3": "3 1,0" }, () => at(d).chmod({ name: "3", masks: [1, 0], ...identity() }));
  await update({ "/d/4": null, "/b": "4 255,6" }, () =>
    at(d).rename({ name: "4", directory: root, to: "b", ...identity() }),
  );
  await update({ "/d/": "owner,reader,guest" }, () =>
    at(d).setcol({ columns: ["owner", "reader", "guest"], ...identity() }),
  );
  await update({ "/d/5": null }, () => at(d).delete({ name: "5", ...identity() }));
  const e = await make("/e", 3);
  await update({ "/e": "gone 255,2", "/e/": null, "#": 2 }, () => at(e).discard(identity()));
  await update({ "/e": null }, () => top.delete({ name: "e", ...identity() }));
}

/** All names, and columns of directories. */
async function tree(kernel, root) {
  const seen = {};
  const walk = async (path, directory) => {
    const { columns } = (await stub(kernel, directoryTable, directory).list()).listing;
    if (path !== "") seen[`${path}/`] = columns.join();
    const { rows } = await listAll(stub(kernel, directoryTable, directory));
    for (const { name: each, masks } of rows) {
      const asked = { names: [{ directory: setOf(directory), name: each }] };
      const { found } = await stub(kernel, directoryTable, directory).setlookup(asked);
      const [{ capability }] = found[0].row.set.members;
      let is = numberIn(capability);
      if (samePort(capability.port, root.port)) {
        is = "directory";
        await walk(`${path}/${each}`, capability).catch((error) => {
          if (error.code !== "STD_CAPBAD") throw error;
          is = "gone";
        });
      }
      seen[`${path}/${each}`] = `${is} ${masks.slice(0, 2).join()}`;
    }
  };
  await walk("", root);
  const status = (await stub(kernel, directoryTable, root).status()).text;
  seen["#"] = Number(/directories (\d+)/.exec(status)[1]);
  return { seen, names: Number(/names (\d+)/.exec(status)[1]) };
}

/** What is wrong with a store, opened by itself. */
async function wrongs() {
  const { store, close } = await openDirectoryStore(join(folder, "directory.store"));
  const wrong = [];
  const stored = {};
  const { loaded } = await Journal.open(store, failed);
  const { standing = { version: 0 }, heads, rows } = loaded ?? {};
  if (loaded !== null) {
    const version = Math.max(0, ...[...heads.values()].flatMap(({ birth, changed }) => [birth, changed]));
    if (version > standing.version) wrong.push(`${standing.version} is before ${version}`);
    for (const { object, row } of rows)
      if (row.masks.length > heads.get(object).columns.length) wrong.push(`too many masks: ${row.name}`);
    for (const { row } of rows) stored[row.name] = numberIn(row.set.members[0].capability);
  }
  // What the journal has tidied stays so: the half that is not in use is empty, and no row is nobody's.
  const half = (await store.get(Buffer.from("dh")))?.value[0] ?? 0;
  const { entries } = await store.range({});
  for (const { key } of entries) {
    const bytes = Buffer.from(key);
    if (bytes[0] !== 0x64) wrong.push(`a key of nobody: ${bytes.toString("hex")}`);
    if (bytes[1] === 0x30 + 1 - half) wrong.push(`a key of the other half: ${bytes.toString("hex")}`);
    if (bytes[1] === 0x30 + half && bytes[2] === 0x72 && heads?.has(bytes.readUIntBE(3, 3)) !== true)
      wrong.push(`a row of no directory: ${bytes.toString("hex")}`);
  }
  await close();
  return { wrong, stored, version: standing.version };
}

if (what === "member") {
  const { kernel, finish } = await startKernel({ wasm: kernelBytes(), interfaces: ["eth0"], limits });
  const directory = await startDirectory({ ...given, kernel });
  const asked = new Promise((resolve) => process.once("SIGTERM", resolve));
  say({ pid: process.pid, root: Buffer.from(capabilityBytes(directory.root())).toString("hex") });
  await asked;
  await directory.leave();
  await finish();
} else if (what === "stored") {
  say(await wrongs());
} else {
  const { wrong } = what === "look" ? await wrongs() : { wrong: [] };
  const { kernel, loop } = lone();
  const directory = await startDirectory({ ...given, kernel });
  const root = directory.root();
  if (what === "change") await change(kernel, root);
  else {
    const { seen, names: counted } = await tree(kernel, root);
    const rows = Object.keys(seen).filter((path) => path.startsWith("/") && !path.endsWith("/")).length;
    if (rows !== counted) wrong.push(`${rows} names are found, and ${counted} counted`);
    // It goes on.
    const own = stub(kernel, directoryTable, root);
    await own.append({ name: "later", set: thing(9), masks: [] });
    await own.delete({ name: "later" });
    say({ seen, wrong });
  }
  await directory.leave();
  loop.close();
}
