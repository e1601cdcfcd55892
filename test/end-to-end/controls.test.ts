// The benchmark's controls run as they will be: two processes on two machines.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestWire } from "./wire.js";

const root = process.getuid?.() === 0;
if (!root) console.warn("skipped: the benchmark controls' tests need root (network namespaces, raw sockets)");

const main = fileURLToPath(new URL("../../dist/drivers/ethernet/controls-main.js", import.meta.url));
const run = promisify(execFile);
const ROUNDS = 500;

describe.skipIf(!root)("benchmark controls", () => {
  let wire: TestWire;

  beforeAll(() => {
    if (!existsSync(main)) throw new Error(`${main} is missing: run \`npm run build\` first`);
    wire = new TestWire(2);
    wire.ip(1, "addr add 10.99.0.1/24 dev eth0");
    wire.ip(2, "addr add 10.99.0.2/24 dev eth0");
  });
  afterAll(() => wire?.remove());

  async function control(machine: number, ...words: string[]): Promise<Record<string, unknown>> {
    const command = ["netns", "exec", wire.namespaceOf(machine), process.execPath, main, ...words];
    const { stdout } = await run("ip", command, { timeout: 60_000 });
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  it.each([
    ["floor", ["eth0"], ["eth0"], ROUNDS + 1001],
    ["spin-tcp", ["10.99.0.2", "7001"], ["10.99.0.2", "7001"], ROUNDS + 1000],
  ] as const)("%s times round trips between two processes", async (name, serverWords, clientWords, least) => {
    const server = control(2, name, "server", ...serverWords);
    const client = control(1, name, "client", ...clientWords, String(ROUNDS));
    const { microseconds } = await client;
    expect(microseconds).toHaveLength(ROUNDS);
    expect((microseconds as number[]).every((sample) => sample > 0)).toBe(true);
    expect((await server).echoed).toBeGreaterThanOrEqual(least);
  });
});
