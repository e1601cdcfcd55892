// A Tab behind a path of the pool: the names that are there, asked through a control daemon. If this
// fails, Tab offers what is not there, hangs without a daemon, or shows an error.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command as Plain } from "commander";
import { afterEach, beforeEach, expect, it } from "vitest";
import { capabilityHex } from "../../../control/capability/capability.js";
import { setOf } from "../../../control/capability/set.js";
import { answerTo } from "../../../control/cli/completion/answer.js";
import { commandEntry } from "../../../control/cli/completion/commands.js";
import { paths } from "../../../control/cli/completion/paths.js";
import { wholeProgram } from "../../../control/cli/program.js";
import { type Transact, trans } from "../../../control/kernel/calls.js";
import { Api } from "../../../control/node/control/api.js";
import { type ControlServer, serveControl } from "../../../control/node/control/server.js";
import { FakePool } from "../node/control/fake-pool.js";
import { LoneDirectory } from "../server/directory/alone.js";

const program = commandEntry((await wholeProgram()) as unknown as Plain);
const tab = async (...words: string[]): Promise<string[]> =>
  (await answerTo(program, words, [paths])).map((line) => line.split("\t")[0] ?? "");
const file = setOf({ port: new Uint8Array(6).fill(7), private: new Uint8Array(10) });
const about = {
  ...{ schema: 1 as const, pool: "fake", name: "c1", pid: 1, version: "1.0.0", uptimeSeconds: 1 },
  ...{ store: "embedded:/x", interfaces: ["eth0"] },
};

let folder = "";
let server: ControlServer;
let lone: LoneDirectory;
const before = { ...process.env };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tab-"));
  lone = await new LoneDirectory().start();
  const names = lone.names();
  await lone.pool.end(names.makeDirectory("/home"));
  for (const name of ["alice", "bob"]) await lone.pool.end(names.makeDirectory(`/home/${name}`));
  for (const name of ["a b", "album"]) await lone.pool.end(names.append(`/home/${name}`, file));
  let last: Promise<unknown> = Promise.resolve();
  /** One call after the other: they share the machines' clock. */
  const call: Transact = (header, data, options) => {
    const next = last.then(() => lone.pool.end(trans(lone.pool.near, header, data, options)));
    last = next.catch(() => undefined);
    return next;
  };
  const socket = join(folder, "control.sock");
  const api = new Api({ pool: new FakePool(), call, about: () => about });
  server = await serveControl(api, { socket, failed: (error) => lone.pool.failures.push(error) });
  Object.assign(process.env, {
    ...{ PROTEUS_CONTROL: socket, PROTEUS_ROOT: capabilityHex(lone.root()), PROTEUS_LAB_STATE: folder },
    XDG_CONFIG_HOME: folder,
  });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["PROTEUS_CONTROL", "PROTEUS_ROOT", "PROTEUS_LAB_STATE", "XDG_CONFIG_HOME"])
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  expect(lone.pool.failures).toEqual([]);
});

it("offers what stands there, and goes on behind a directory", async () => {
  expect(await tab("ls", "/ho")).toEqual(["/home/", ":6"]);
  expect(await tab("cat", "/home/al")).toEqual(["/home/album", "/home/alice/", ":4"]);
  expect((await tab("rm", "-r", "/home/")).sort()).toEqual(
    ["/home/album", "/home/alice/", "/home/bob/", ":4"].sort(),
  );
  expect(await tab("ls", "home/b")).toEqual(["home/bob/", ":6"]);
  // Files of this machine may be meant as well.
  expect(await tab("put", "x", "/home/bo")).toEqual(["/home/bob/", ":2"]);
});

it("offers nothing where there is nothing, without a root, and without a daemon", async () => {
  expect(await tab("cat", "/none/x")).toEqual([":4"]);
  expect(await tab("cat", "/home/album/x")).toEqual([":4"]);
  process.env.PROTEUS_ROOT = "n1:directory";
  expect(await tab("cat", "/home/al")).toEqual([":4"]);
  process.env.PROTEUS_ROOT = capabilityHex(lone.root());
  process.env.PROTEUS_CONTROL = join(folder, "none");
  expect(await tab("cat", "/home/al")).toEqual([":4"]);
});
