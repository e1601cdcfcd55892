// What someone at a shell does wrong: each mistake has its own message that says what to
// do, its own exit code, and an end in time.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelBytes } from "../../control/cli/package-files.js";
import { trans } from "../../control/kernel/calls.js";
import { startKernel } from "../../control/node/start.js";
import { EchoServer } from "../../control/server/echo/echo.js";
import { LabRunner, mainPath, type Outcome } from "./lab-runner.js";
import { isRoot, Programs, within } from "./programs.js";
import { TestWire } from "./wire.js";

const port = "e4b2c2985455";

/** The error of a command, as --json shows it. */
function errorOf({ stdout, stderr }: Outcome): { code: string; message: string; hint?: string } {
  expect(stdout).toBe("");
  const document = JSON.parse(stderr);
  expect(document.schema).toBe(1);
  return document.error;
}

/** What `action` throws. */
function errorIn(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("a mistake on the command line", () => {
  const shell = new LabRunner();
  afterAll(() => shell.close());

  it("is said in at most four lines, with exit code 2 (test/unit/cli/usage.test.ts has the others)", async () => {
    const outcome = await within(
      "its end",
      shell.run(["call", "--port", port, "--sizes", "1"], { cwd: "/" }),
    );
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(outcome.stderr).toContain("Did you mean --size?");
    expect(outcome.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(4);
  });

  it("is one JSON document on stderr when the answer would have been one on stdout", async () => {
    const outcome = await shell.run(["call", "--port", port, "--sink", "--reverse", "--json"]);
    expect(errorOf(outcome)).toMatchObject({ code: "USAGE", exit: 2 });
    expect(errorOf(await shell.run(["call", "--json"]))).toMatchObject({ code: "USAGE", exit: 2 });
  });

  it("and a kernel that was never built, which is named with the command that builds it", async () => {
    const copy = join(shell.folder, "copy");
    const built = dirname(dirname(dirname(mainPath))); // dist
    const checkout = fileURLToPath(new URL("../..", import.meta.url));
    mkdirSync(copy);
    cpSync(built, join(copy, "dist"), { recursive: true });
    cpSync(join(checkout, "package.json"), join(copy, "package.json"));
    symlinkSync(join(checkout, "node_modules"), join(copy, "node_modules"));
    const main = join(copy, "dist/control/cli/main.js");
    for (const words of [
      ["call", "--port", port, "--json"],
      ["port", "public", "abcdef", "--json"],
    ]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: "utf8" });
      expect(status).toBe(1);
      expect(errorOf({ status: 1, stdout, stderr })).toMatchObject({
        code: "KERNEL_MISSING",
        why: `${join(copy, "build/release/kernel.wasm")} is missing or cannot be read`,
        hint: "build it: npm run build:kernel",
      });
    }
  });
});

describe("on a machine", () => {
  const pool = new Programs();

  beforeAll(async () => {
    await pool.up("--nodes", "2");
  });
  afterAll(() => pool.close());

  const run = (...words: string[]) => within("its end", pool.run("n1", ...words));

  it.each([
    ["eth9", 3, "no network interface eth9", "`ip -brief link` lists the interfaces"],
    ["lo", 1, "network interface lo does not carry Ethernet frames", "take a network card"],
  ])("interface %s ends every program with %d", async (name, status, message, hint) => {
    for (const words of [
      ["call", "--port", port],
      ["serve", "echo", "--port", "abcdef"],
      ["node", "start"],
      ["node", "status", "--port", port],
    ]) {
      const outcome = await run(...words, "--interface", name);
      expect(outcome).toMatchObject({ status, stdout: "" });
      expect(outcome.stderr).toContain(message);
      expect(outcome.stderr).toContain(hint);
    }
  });

  it("an interface that is down is said to be down, with the command that brings it up", async () => {
    expect(await pool.lab.exec("n2", "ip", "link", "add", "spare", "type", "bridge")).toMatchObject({
      status: 0,
    });
    const outcome = await pool.run("n2", "call", "--port", port, "--interface", "spare", "--json");
    expect(outcome.status).toBe(1);
    expect(errorOf(outcome)).toMatchObject({
      code: "ETHERNET_INTERFACE_DOWN",
      hint: "bring it up: sudo ip link set spare up",
    });
  });

  it("an interface named twice is a mistake of usage", async () => {
    const outcome = await run("call", "--port", port, "--interface", "eth0", "--interface", "eth0");
    expect(outcome).toMatchObject({ status: 2, stderr: expect.stringContaining("named twice") });
  });

  it("no right to open raw sockets ends with 4 and says what to grant", async () => {
    const nobody = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"];
    for (const words of [
      ["call", "--port", port],
      ["serve", "echo", "--port", "abcdef"],
      ["node", "start"],
    ]) {
      const outcome = await pool.lab.exec("n1", ...nobody, process.execPath, mainPath, ...words, "--json");
      expect(outcome.status).toBe(4);
      expect(errorOf(outcome)).toMatchObject({
        code: "ETHERNET_NO_PERMISSION",
        message: "no permission to open raw sockets on eth0",
        hint: expect.stringContaining("setcap cap_net_raw+ep"),
      });
    }
  });

  it("a port that nobody serves ends with 5 in the time given, and was not called", async () => {
    for (const words of [
      ["call", "--port", "nobody", "--locate-timeout", "300ms"],
      ["call", "--port", "nobody", "--locate-timeout", "60s", "--timeout", "300ms"],
      ["node", "status", "--port", "nobody", "--timeout", "300ms"],
    ]) {
      const outcome = await run(...words, "--json");
      expect(outcome.status).toBe(5);
      expect(errorOf(outcome)).toMatchObject({
        code: "RPC_NOTFOUND",
        unchanged: "the call was not executed",
        hint: "check the port, that the server runs, and that it is on the same network",
      });
    }
  });

  it("the null port is refused, to call and to serve", async () => {
    for (const words of [["call"], ["serve", "echo"]]) {
      const outcome = await run(...words, "--port", "000000000000", "--json");
      expect(outcome.status).toBe(2);
      expect(errorOf(outcome)).toMatchObject({ code: "RPC_BADPORT", unchanged: "nothing was sent" });
    }
  });

  it("a server of another kind is told apart from the one that was meant", async () => {
    const { echo, status } = pool.ready("n2");
    for (const [words, code] of [
      [["node", "status", "--port", echo], "ANSWER_WRONG"],
      [["call", "--port", status], "ANSWER_WRONG"],
      [["call", "--port", status, "--executions"], "STD_COMBAD"],
    ] as const) {
      const outcome = await run(...words, "--json");
      expect({ words, status: outcome.status }).toEqual({ words, status: 1 });
      expect(errorOf(outcome)).toMatchObject({ code, hint: expect.any(String) });
    }
  });

  it("an agent that cannot write its ready file ends and says so", async () => {
    const command = ["env", "PROTEUS_READY_FILE=/nowhere/ready", process.execPath, mainPath];
    const ended = pool.lab.exec("n1", ...command, "node", "start", "--json");
    const outcome = await within("its end", ended);
    expect(outcome.status).toBe(1);
    expect(errorOf(outcome)).toMatchObject({ code: "READY_FILE" });
  });
});

describe.skipIf(!isRoot)("a full table", () => {
  let wire: TestWire;
  beforeAll(() => {
    wire = new TestWire(1);
  });
  afterAll(() => wire?.remove());

  it("of threads refuses one more server, and one more call, with its own message", async () => {
    const options = { wasm: kernelBytes(), interfaces: ["eth0"], limits: { threads: 3 } };
    const program = await wire.inside(1, () => startKernel(options));
    const { kernel } = program;
    const full = expect.objectContaining({ why: expect.stringMatching(/table .* is full/) });
    try {
      const server = new EchoServer(kernel, Uint8Array.of(1, 2, 3, 4, 5, 6), { threads: 2 });
      const otherPort = Uint8Array.of(6, 5, 4, 3, 2, 1);
      expect(errorIn(() => new EchoServer(kernel, otherPort, { threads: 2 }))).toEqual(full);
      expect(kernel.threadsBusy).toBe(2); // what it had taken before it failed is free again
      const other = new EchoServer(kernel, otherPort, { threads: 1 });
      const call = () => within("the call", trans(kernel, { port: server.putPort }));
      await expect(call()).rejects.toEqual(full);
      other.close();
      expect((await call()).header.status).toBe(0);
      server.close();
      expect(kernel.threadsBusy).toBe(0);
    } finally {
      program.close();
    }
  });
});
