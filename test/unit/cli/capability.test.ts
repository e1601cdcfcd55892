// `proteus capability` on an object: what is shown, handed on, restricted and revoked, by calls to
// a server on a LAN in memory. If one of these fails, somebody is given more than was meant, or
// is told that a capability counts when it does not.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { capabilityHex } from "../../../control/capability/capability.js";
import { kernelBytes } from "../../../control/cli/package-files.js";
import { ROOT_OBJECT, standardColumns } from "../../../control/interface/directory.js";
import { serveHub } from "../../../control/lab/hub.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { agentLimits } from "../../../control/node/agent.js";
import { hubVariable } from "../../../control/node/interfaces.js";
import { type RunningKernel, startKernel } from "../../../control/node/start.js";
import { Alone } from "../../../control/server/directory/alone.js";
import { encodeCommand } from "../../../control/server/directory/commands.js";
import { Journal } from "../../../control/server/directory/journal.js";
import { DirectoryServer } from "../../../control/server/directory/server.js";
import { DirectoryState } from "../../../control/server/directory/state.js";
import { SegmentServer } from "../../../control/server/segment/segment.js";
import { MemoryStore } from "../../../control/store/memory.js";
import { proteus } from "./command.js";

const lan = "cap0";
const variable = hubVariable(lan);
const topology = parseTopology(
  `networks: { lan0: }\nnodes: { n1: { kind: pool, networks: [lan0] }, n2: { kind: pool, networks: [lan0] } }\n`,
  "capability",
);

let folder: string;
let machine: RunningKernel;
let server: SegmentServer;
let root: string;
let names: DirectoryServer;
let top: string;
let segment: string;

const run = (...words: string[]) => proteus("capability", ...words, "--interface", lan);
const json = async (...words: string[]) => {
  const { stdout, stderr, exit } = await run(...words, "--json");
  return { exit, ...(stdout === "" ? JSON.parse(stderr) : JSON.parse(stdout)) };
};

/** A directory server alone, and its root. */
async function directoryOn(kernel: RunningKernel["kernel"], random: (bytes: number) => Uint8Array) {
  const failed = () => undefined;
  const journal = await Journal.open(new MemoryStore(), failed);
  const getPort = random(6);
  const state = new DirectoryState(kernel.publicPort(getPort));
  const order = new Alone("n1", state, journal);
  const time = () => 1_800_000_000;
  const server = new DirectoryServer({
    ...{ kernel, getPort, key: random(32), random, failed, threads: 4, state, order, time },
  });
  await order.submit(
    encodeCommand({
      ...{ kind: "found", root: random(8), server: random(8), columns: standardColumns },
      ...{ request: new Uint8Array(6), digest: 0, time: 0 },
    }),
  );
  server.open();
  return { server, top: capabilityHex(server.capability(ROOT_OBJECT)) };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "proteus-capability-"));
  const socket = (node: string): string => join(folder, `${node}.sock`);
  await serveHub(topology, { interfaceSocket: socket, controlSocket: join(folder, "control") });
  process.env[variable] = socket("n1");
  machine = await startKernel({ wasm: kernelBytes(), interfaces: [lan], limits: agentLimits(64 << 20) });
  const random = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes));
  const { kernel } = machine;
  server = new SegmentServer({
    ...{ kernel, random, memory: kernel.segments, getPort: random(6), key: random(32) },
    failed: () => undefined,
  });
  process.env[variable] = socket("n2");
  root = capabilityHex(server.capability());
  const made = await proteus("segment", "create", root, "--bytes", "100", "--interface", lan, "--json");
  segment = JSON.parse(made.stdout).segment;
  ({ server: names, top } = await directoryOn(kernel, random));
});
afterAll(() => {
  names.close();
  server.close();
  machine.close();
  delete process.env[variable];
  rmSync(folder, { recursive: true, force: true });
});

describe("proteus capability show", () => {
  it("says what it is for, and that its server stands by it", async () => {
    expect(await json("show", segment, "--server", "segment")).toMatchObject({
      ...{ exit: 0, schema: 1, capability: segment, port: segment.slice(0, 12), private: segment.slice(12) },
      rights: { bits: 255, all: true, names: ["read", "write", "create", "delete", "admin"] },
      ...{ server: "segment", valid: true, info: "segment of 100 bytes" },
    });
    const { stdout } = await run("show", root);
    expect(stdout).toContain("object      0, the server itself\n");
    expect(stdout).toContain("valid       yes, says its server\n");
  });

  it("takes the text form, and what somebody forged for what it is: exit 4", async () => {
    const { text } = await json("show", segment);
    expect((await json("show", text)).valid).toBe(true);
    const forged = `${segment.slice(0, -1)}${segment.endsWith("0") ? "1" : "0"}`;
    const shown = await run("show", forged, "--json");
    expect([shown.exit, JSON.parse(shown.stdout).valid]).toEqual([4, false]);
    expect(JSON.parse(shown.stderr).error.code).toBe("STD_CAPBAD");
  });

  it("does not know of a server that nobody finds: exit 5", async () => {
    const shown = await run("show", `0102030405067${segment.slice(13)}`, "--timeout", "200ms", "--json");
    expect([shown.exit, JSON.parse(shown.stdout).valid]).toEqual([5, null]);
  });
});

describe("proteus capability restrict", () => {
  it("keeps the rights that are named, and never gives any back", async () => {
    const reader = await json("restrict", segment, "--rights", "read,delete", "--server", "segment");
    expect(reader.rights).toMatchObject({ all: false, names: ["read", "delete"] });
    const again = await json("restrict", reader.capability, "--rights", "all");
    expect(again.rights.bits).toBe(reader.rights.bits);
    expect((await json("restrict", segment, "--rights", "none")).rights.bits).toBe(0);
    expect((await json("restrict", segment, "--rights", "0x01,2")).rights.bits).toBe(3);
    expect((await json("show", reader.capability)).valid).toBe(true);
  });

  it.each([
    [["--rights", "read"], "it is not known whose capability this is"],
    [["--rights", "fly", "--server", "segment"], "its rights are read, write, create, delete, admin"],
    [["--rights", "0x100", "--server", "segment"], "a number from 0 to 255"],
    [["--rights", "read", "--server", "weather"], "--server is one of sys, segment"],
    [[], "give TARGET with --rights, or all of --private, --random and --mask"],
    [["--rights", "read", "--mask", "1"], "give TARGET with --rights, or all of"],
  ])("refuses %s", async (words, why) => {
    const { exit, stdout, stderr } = await run("restrict", segment, ...words);
    expect([exit, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(why);
  });
});

describe("proteus capability give", () => {
  it("writes it to a new file for its owner, not to the screen, and takes it from there", async () => {
    const file = join(folder, "alice.capability");
    const words = ["give", segment, "--rights", "read", "--server", "segment", "-o", file];
    const { exit, stdout } = await run(...words);
    expect(exit).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const given = readFileSync(file, "utf8").trim();
    expect(given).toMatch(/^[0-9a-f]{32}$/);
    expect(stdout).not.toContain(given.slice(-12));
    expect(await json("show", `@${file}`)).toMatchObject({
      capability: given,
      valid: true,
      rights: { bits: 1 },
    });
    expect(await json(...words)).toMatchObject({ exit: 1, error: { code: "CAPABILITY_FILE" } });
    expect(readFileSync(file, "utf8").trim()).toBe(given);
    const nowhere = await json("give", segment, "-o", join(folder, "none", "x"));
    expect(nowhere).toMatchObject({ exit: 3, error: { code: "CAPABILITY_FILE" } });
  });

  it("prints it in its three forms, as it is", async () => {
    const { stdout } = await run("give", segment);
    expect(stdout).toContain(`capability  ${segment}\n`);
    expect(stdout).toMatch(/^text {8}[0-9A-F:]+\/\d+\(FF\)\/[0-9A-F:]+$/m);
    expect(stdout).toContain(`parts       port ${segment.slice(0, 12)}, private ${segment.slice(12)}\n`);
  });

  it("says that a file holds none, and not what it holds", async () => {
    const other = join(folder, "n1.sock.txt");
    writeFileSync(other, "password123456");
    const { exit, stderr } = await run("show", `@${other}`);
    expect(exit).toBe(2);
    expect(stderr).not.toContain("password");
    expect((await run("show", `@${join(folder, "missing")}`)).exit).toBe(3);
  });
});

describe("proteus capability revoke", () => {
  it("ends all that there are, and gives one with all rights that counts", async () => {
    const reader = await json("restrict", segment, "--rights", "1");
    expect(await json("revoke", reader.capability)).toMatchObject({ exit: 4, error: { code: "STD_DENIED" } });
    const { capability: renewed, exit } = await json("revoke", segment);
    expect(exit).toBe(0);
    for (const old of [segment, reader.capability]) expect((await json("show", old)).valid).toBe(false);
    expect(await json("show", renewed)).toMatchObject({ valid: true, info: "segment of 100 bytes" });
  });
});

describe("a path in the place of a capability", () => {
  it("begins at the root that is given, for capability and for every server's operations", async () => {
    const at = ["--root", top, "--interface", lan];
    const fresh = await proteus("segment", "create", root, "--bytes", "9", "--interface", lan, "--json");
    const { segment } = JSON.parse(fresh.stdout);
    const linked = await proteus("ln", segment, "/mine", ...at);
    expect(linked).toMatchObject({ exit: 0, stdout: "/mine\n" });
    expect(await json("show", "/mine", "--root", top, "--server", "segment")).toMatchObject({
      ...{ exit: 0, valid: true, capability: segment },
    });
    const info = await proteus("std", "info", "/mine", ...at, "--json");
    expect(JSON.parse(info.stdout)).toEqual(
      JSON.parse((await proteus("std", "info", segment, "--interface", lan, "--json")).stdout),
    );
    const made = await json("restrict", "/mine", "--rights", "0x01", "--root", top);
    expect(made).toMatchObject({ exit: 0, rights: { bits: 1 } });
    // A server's own name takes another one's place when that is wanted.
    expect(await proteus("ln", root, "/mine", ...at)).toMatchObject({ exit: 1 });
    expect(await proteus("ln", root, "/mine", "--replace", ...at)).toMatchObject({ exit: 0 });
    expect(await json("give", "/mine", "--root", top)).toMatchObject({ capability: root });
    const none = await run("show", "/none", "--root", top);
    expect(none).toMatchObject({ exit: 3, stderr: expect.stringContaining("/none was not found") });
    const path = await run("show", "/mine", "--root", "/mine");
    expect(path).toMatchObject({ exit: 2, stderr: expect.stringContaining("cannot be a path") });
  });
});
