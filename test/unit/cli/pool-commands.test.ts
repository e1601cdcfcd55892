// `proteus node list|show|drain|undrain|forget` and calls against a daemon with a fake pool. If one
// of these fails, an administrator is shown something wrong, or changes what he did not mean.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Transact } from "../../../control/kernel/calls.js";
import { Api } from "../../../control/node/control/api.js";
import { type ControlServer, serveControl } from "../../../control/node/control/server.js";
import { STD_NOTNOW } from "../../../core-wasm/status.js";
import { FakePool, fakeNode } from "../node/control/fake-pool.js";
import { proteus } from "./command.js";

let folder = "";
let pool: FakePool;
let server: ControlServer;
const asked: unknown[] = [];

const call: Transact = async (header, data, options) => {
  asked.push({ port: Buffer.from(header.port).toString("hex"), command: header.command, options });
  const ends = { port: header.port, private: new Uint8Array(10) };
  return { header: { ...ends, command: 0, status: STD_NOTNOW, offset: 0, size: 0, extra: 0 }, data };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pool-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  vi.stubEnv("PROTEUS_LAB_STATE", join(folder, "labs"));
  vi.stubEnv("PROTEUS_CONTROL", `${folder}/gone.sock,${folder}/control.sock`);
  pool = new FakePool(fakeNode("n1"), fakeNode("n2", { state: "unreachable", silentMs: 90_000 }));
  const about = () => ({
    ...{ schema: 1 as const, pool: "fake", name: "c1", pid: 1, version: "1.0.0", uptimeSeconds: 1 },
    ...{ store: "embedded:/x", interfaces: ["eth0"] },
  });
  const failed = (error: unknown) => {
    throw error;
  };
  server = await serveControl(new Api({ pool, call, about }), {
    socket: join(folder, "control.sock"),
    failed,
  });
});
afterEach(async () => {
  await server.close();
  vi.unstubAllEnvs();
  asked.length = 0;
});

describe("the machines of a pool", () => {
  it("are listed with their faults below them, which are no failure of the command", async () => {
    pool.wrong = [{ kind: "clockSkew", nodes: ["n1"], message: "the clock of n1 is late", hint: "mend it" }];
    const { stdout, exit } = await proteus("node", "list");
    expect(exit).toBe(0);
    expect(stdout.split("\n").map((line) => line.trimEnd())).toEqual([
      "NAME  KIND  STATE        SEEN  UP  LOAD  INTERFACES (MTU)  VERSION",
      "n1    pool  up           now   -   -     -                 1.0.0",
      "n2    pool  unreachable  90 s  -   -     -                 1.0.0",
      "the clock of n1 is late",
      "  next: mend it",
      "",
    ]);
    const document = JSON.parse((await proteus("node", "list", "--json")).stdout);
    expect(document).toMatchObject({ schema: 1, nodes: [{ name: "n1", kind: "pool", state: "up" }, {}] });
    expect(document.faults).toEqual(pool.wrong);
  });

  it("are shown one by one, and an unknown one is an error", async () => {
    expect((await proteus("node", "show", "n1")).stdout).toMatch(/^server segment +b1b2b3b4b5b6$/m);
    const { exit, stderr } = await proteus("node", "show", "n9", "--json");
    expect([exit, JSON.parse(stderr)]).toMatchObject([3, { error: { code: "NODE_UNKNOWN" } }]);
  });

  it("are drained and forgotten only when it is meant", async () => {
    expect((await proteus("node", "drain", "n1", "--dry-run")).stdout).toContain("would take nothing new");
    expect((await proteus("node", "forget", "n2", "--dry-run")).stdout).toContain("would be struck");
    expect(pool.nodes().map(({ state }) => state)).toEqual(["up", "unreachable"]);
    expect((await proteus("node", "drain", "n1", "--json")).stdout).toContain('"draining":true');
    expect((await proteus("node", "undrain", "n1")).stdout).toBe("n1 takes new work again\n");
    expect((await proteus("node", "forget", "n2")).exit).toBe(0);
    const { exit, stderr } = await proteus("node", "forget", "n1", "--json");
    expect([exit, JSON.parse(stderr)]).toMatchObject([1, { error: { code: "NODE_IN_USE" } }]);
    expect(pool.nodes().map(({ name }) => name)).toEqual(["n1"]);
  });

  it("that are not empty in time are said so", async () => {
    const { exit, stderr } = await proteus("node", "drain", "n1", "--wait", "--timeout", "300ms", "--json");
    expect([exit, JSON.parse(stderr)]).toMatchObject([5, { error: { code: "NODE_NOT_EMPTY" } }]);
    expect(pool.node("n1").draining).toBe(true);
  });
});

describe("a server's command with a daemon", () => {
  it("calls through it, the server by the port that the daemon knows", async () => {
    const { exit, stderr } = await proteus("segment", "create", "n1", "--bytes", "1", "--json");
    expect(asked).toEqual([
      { port: "b1b2b3b4b5b6", command: expect.any(Number), options: expect.anything() },
    ]);
    expect(exit).not.toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({
      schema: 1,
      error: { code: "STD_NOTNOW" },
    });
    const unknown = await proteus("time", "get", "n1", "--json");
    expect([unknown.exit, JSON.parse(unknown.stderr)]).toMatchObject([
      3,
      { error: { code: "SERVER_UNKNOWN" } },
    ]);
  });

  it("says what to do when no daemon is there", async () => {
    const words = ["node", "list", "--control", `${folder}/none`, "--json"];
    const { exit, stderr } = await proteus(...words);
    expect([exit, JSON.parse(stderr)]).toMatchObject([5, { error: { code: "CONTROL_NONE" } }]);
    const plain = await proteus("node", "list", "--control", "http://n1:1", "--json");
    expect([plain.exit, JSON.parse(plain.stderr)]).toMatchObject([2, { error: { code: "CONTROL_INVALID" } }]);
    const token = await proteus("node", "list", "--control", "https://n1:1", "--json");
    expect([token.exit, JSON.parse(token.stderr)]).toMatchObject([2, { error: { code: "CONTROL_TOKEN" } }]);
  });
});
