// Somebody gives things names, finds them again by path, and gives away what only reads: what the
// directory server answers to one client, and what is still there after its restart.

import { expect, it } from "vitest";
import { type Capability, capabilityHex } from "../../../../control/capability/capability.js";
import { setOf } from "../../../../control/capability/set.js";
import type { ProteusError } from "../../../../control/kernel/errors.js";
import { LoneDirectory } from "./alone.js";

const thing = (byte: number): Capability => ({
  port: new Uint8Array(6).fill(byte),
  private: new Uint8Array(10).fill(byte),
});

async function started() {
  const lone = await new LoneDirectory().start();
  const names = lone.names();
  const run = <Value>(promise: Promise<Value>) => lone.pool.end(promise);
  const failure = async (promise: Promise<unknown>): Promise<ProteusError> => {
    try {
      await run(promise);
    } catch (error) {
      return error as ProteusError;
    }
    throw new Error("it went well");
  };
  return { lone, names, run, failure };
}

it("finds what was named, along a path, and after a restart", async () => {
  const { lone, names, run } = await started();
  await run(names.makeDirectory("/a"));
  await run(names.makeDirectory("/a/b"));
  await run(names.append("/a/b/c", setOf(thing(1), thing(2))));
  const found = await run(names.lookup("/a/./b/../b/c"));
  expect(found.members.map(({ capability }) => capabilityHex(capability))).toEqual([
    capabilityHex(thing(1)),
    capabilityHex(thing(2)),
  ]);
  await lone.start();
  expect(await run(names.lookup("/a/b/c"))).toEqual(found);
  expect((await run(names.list("/a"))).map(({ name }) => name)).toEqual(["b"]);
  expect(lone.pool.failures).toEqual([]);
});

it("says which component of a path failed, and how", async () => {
  const { names, run, failure } = await started();
  await run(names.makeDirectory("/a"));
  await run(names.append("/a/file", setOf(thing(3))));
  const missing = await failure(names.lookup("/a/x/y"));
  expect([missing.code, missing.why]).toEqual(["NAME_NOT_FOUND", "there is no x in /a"]);
  const exists = await failure(names.makeDirectory("/a/file"));
  expect([exists.code, exists.why]).toEqual(["NAME_EXISTS", "there is a file already in /a"]);
  expect((await failure(names.discard("/a"))).code).toBe("NAME_NOT_EMPTY");
  expect((await failure(names.discard("/a/file"))).code).toBe("NAME_NOT_DIRECTORY");
  expect((await failure(names.remove("/"))).code).toBe("NAME_REFUSED");
  expect((await failure(names.lookup(""))).code).toBe("NAME_INVALID");
});

it("replaces only what is as expected, and moves in one step", async () => {
  const { names, run, failure } = await started();
  await run(names.append("/f", setOf(thing(1))));
  await run(names.replace("/f", setOf(thing(2)), setOf(thing(1))));
  expect((await failure(names.replace("/f", setOf(thing(3)), setOf(thing(1))))).code).toBe("NAME_CHANGED");
  await run(names.makeDirectory("/d"));
  await run(names.rename("/f", "/d/g"));
  expect((await failure(names.lookup("/f"))).code).toBe("NAME_NOT_FOUND");
  expect(await run(names.lookup("/d/g"))).toEqual(setOf(thing(2)));
  expect((await failure(names.rename("/d", "/d/d"))).code).toBe("NAME_REFUSED");
});

it("gives away a tree that can only be read", async () => {
  const { lone, names, run, failure } = await started();
  await run(names.makeDirectory("/a"));
  await run(names.makeDirectory("/a/b"));
  const reader = lone.names(0x02);
  const seen = await run(reader.lookup("/a/b"));
  expect(seen.members[0]?.capability.private[3]).toBe(0x02);
  expect((await failure(reader.append("/a/x", setOf(thing(1))))).code).toBe("NAME_DENIED");
  await run(names.chmod("/a", [0xff, 0]));
  expect((await failure(reader.lookup("/a/b"))).code).toBe("NAME_DENIED");
  expect((await failure(lone.names(0x40).list("/"))).code).toBe("NAME_DENIED");
});

it("tells what kind of thing a name stands for, also after a restart", async () => {
  const { lone, names, run } = await started();
  await run(names.append("/f", setOf(thing(1))));
  const typeOf = async (): Promise<string> => {
    const asked = { names: [{ directory: setOf(lone.root()), name: "f" }] };
    const { found } = await run(lone.stub(lone.root()).setlookup(asked));
    return capabilityHex(found[0]?.row?.type ?? thing(0xff));
  };
  expect(await typeOf()).toBe("00".repeat(16));
  await run(lone.stub(lone.root()).puttype({ name: "f", type: thing(9) }));
  await run(names.replace("/f", setOf(thing(2))));
  await lone.start();
  expect(await typeOf()).toBe(capabilityHex(thing(9)));
  await run(lone.stub(lone.root()).puttype({ name: "f", type: thing(0) }));
  expect(await typeOf()).toBe("00".repeat(16));
  expect(await lone.pool.refused(lone.stub(lone.root()).puttype({ name: "x", type: thing(9) }))).toBe(
    "STD_NOTFOUND",
  );
  expect(await lone.pool.refused(lone.stub(lone.root(0x02)).puttype({ name: "f", type: thing(9) }))).toBe(
    "STD_DENIED",
  );
});

it("executes an update that is sent again once", async () => {
  const { lone, run, failure } = await started();
  const root = lone.stub(lone.root());
  const append = { name: "x", set: setOf(thing(1)), masks: [], request: 77, requestMore: 3 };
  await run(root.append(append));
  await run(root.append(append));
  await lone.start();
  await run(root.append(append));
  expect((await failure(root.append({ ...append, request: 78 }))).code).toBe("STD_EXISTS");
  expect((await failure(root.append({ ...append, set: setOf(thing(2)) }))).code).toBe("STD_EXISTS");
});

it("lists a directory that is larger than a reply", async () => {
  const { lone, names, run } = await started();
  const made = Array.from({ length: 300 }, (_, index) => `a name that is rather long, and has: ${index}`);
  for (const name of made) await run(names.append(`/${name}`, setOf(thing(1))));
  const wanted = [...made].sort();
  expect((await run(names.list("/"))).map(({ name }) => name)).toEqual(wanted);
  await lone.start(); // with what its store has, in whatever order
  expect((await run(names.list("/"))).map(({ name }) => name)).toEqual(wanted);
  const entries = await run(names.entries("/"));
  expect(entries.map(({ name }) => name)).toEqual(wanted);
  expect(entries.every(({ set, time }) => set !== undefined && time === 1_800_000_000)).toBe(true);
});

it("ends all capabilities of a directory that is revoked, and lets old ones without a name go", async () => {
  const { lone, names, run, failure } = await started();
  const set = await run(names.makeDirectory("/a"));
  const [member] = set.members;
  if (member === undefined) throw new Error("no capability");
  const { capability: fresh } = await run(lone.stub(member.capability).revoke());
  expect((await failure(names.list("/a"))).code).toBe("NAME_GONE");
  await run(names.replace("/a", setOf(fresh)));
  expect(await run(names.list("/a"))).toEqual([]);
  const server = lone.stub(lone.server.capability(0));
  await run(server.setparams({ settings: [{ name: "lifetime", value: "2" }] }));
  for (let age = 0; age < 5; age++) {
    await run(server.age());
    await run(lone.stub(lone.root()).touch());
    if (age === 1) await run(lone.stub(fresh).touch());
  }
  expect((await failure(lone.stub(fresh).list())).code).toBe("STD_CAPBAD");
  expect((await run(names.list("/"))).map(({ name }) => name)).toEqual(["a"]);
  await lone.start();
  expect(lone.state.directoryCount).toBe(1);
});

it("says that a directory is gone only when that is certain", async () => {
  const { lone, names, run } = await started();
  const set = await run(names.makeDirectory("/a"));
  const { capability } = set.members[0] as { readonly capability: Capability };
  let surely: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    surely = resolve;
  });
  await run(names.discard("/a"));
  lone.order.certain = () => settled; // as while the others have not stored the discard
  let said = "";
  const asked = lone
    .stub(capability)
    .getseqnr()
    .catch(({ code }: ProteusError) => {
      said = code;
    });
  lone.pool.room.run(30);
  for (let steps = 0; steps < 20; steps++) await Promise.resolve();
  expect(said).toBe("");
  surely();
  await run(asked);
  expect(said).toBe("STD_CAPBAD");
});
