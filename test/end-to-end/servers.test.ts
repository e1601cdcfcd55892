// The servers of pool machines at a shell: segments, std, sys, time and random over real frames,
// and a server of one's own from the README's example.

import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLong } from "../simulation/seeds.js";
import { firstLine, Programs } from "./programs.js";

const guestBook = fileURLToPath(new URL("../../examples/guest-book.mjs", import.meta.url));

describe("two pool machines", () => {
  const pool = new Programs();
  let segment = "";

  const run = (node: string, ...words: string[]) => pool.run(node, ...words);
  async function must(node: string, ...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await run(node, ...words);
    expect({ words, status, stderr: status === 0 ? "" : stderr }).toEqual({ words, status: 0, stderr: "" });
    return stdout;
  }
  const json = async (node: string, ...words: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await must(node, ...words, "--json"));

  beforeAll(async () => {
    await pool.up("--nodes", "2");
  });
  afterAll(() => pool.close());

  it("make a segment on another machine, and read there what was written", async () => {
    segment = String((await json("n2", "segment", "create", "n1", "--bytes", "64K")).segment);
    expect(segment).toMatch(/^[0-9a-f]{32}$/);
    await must("n2", "segment", "write", segment, "--position", "100", "--data", "hello there");
    expect(await must("n1", "segment", "read", segment, "--position", "100", "--count", "11")).toBe(
      "hello there",
    );
    await must("n2", "segment", "grow", segment, "--bytes", "1M");
    expect(await must("n2", "std", "info", segment)).toBe("segment of 1048576 bytes\n");
    const { data } = await json("n2", "segment", "read", segment, "--position", "99", "--length", "3");
    expect(data).toBe("006865");
  });

  if (isLong)
    it("keep a file of several megabytes, and give it back", async () => {
      const folder = mkdtempSync(join(tmpdir(), "segment-"));
      try {
        const [from, to] = [join(folder, "from"), join(folder, "to")];
        const content = randomBytes(5 * 1024 * 1024 + 3);
        writeFileSync(from, content);
        const made = await json("n2", "segment", "create", "n1", "--bytes", String(content.length));
        const large = String(made.segment);
        expect(await json("n2", "segment", "write", large, "--file", from)).toMatchObject({
          bytes: content.length,
        });
        expect(await json("n1", "segment", "read", large, "-o", to)).toMatchObject({ bytes: content.length });
        const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
        expect(digest(readFileSync(to))).toBe(digest(content));
        const none = join(folder, "none");
        const late = await run("n2", "segment", "write", large, "--position", "4", "--file", from);
        expect(late).toMatchObject({
          status: 2,
          stderr: expect.stringContaining("does not lie in the segment"),
        });
        await must("n2", "std", "destroy", large);
        expect((await run("n2", "segment", "read", large, "-o", none)).status).toBe(4);
        expect((await run("n2", "segment", "write", large, "--file", none)).status).toBe(3);
        expect(existsSync(none)).toBe(false);
        expect(readdirSync(folder).sort()).toEqual(["from", "to"]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

  it("give fewer rights away, and none that are not there", async () => {
    const reader = String((await json("n2", "std", "restrict", segment, "--mask", "1")).capability);
    const denied = await run("n2", "std", "destroy", reader, "--json");
    expect(denied.status).toBe(4);
    expect(JSON.parse(denied.stderr)).toMatchObject({ schema: 1, error: { code: "STD_DENIED", exit: 4 } });
  });

  it("copy a segment from one to the other", async () => {
    const copy = String((await json("n2", "std", "copy", "n2:segment", "--source", segment)).copy);
    expect(copy.slice(0, 12)).not.toBe(segment.slice(0, 12));
    await must("n1", "std", "destroy", segment);
    expect((await run("n1", "std", "touch", segment)).status).toBe(4);
    expect(await must("n1", "segment", "read", copy, "--position", "100", "--count", "5")).toBe("hello");
  });

  it("have parameters", async () => {
    await must("n1", "std", "setparams", "n2:segment", "--settings", "lifetime=9");
    expect(await must("n1", "std", "getparams", "n2:segment")).toMatch(/^lifetime {2}count.* 9$/m);
  });

  it("tell how they fare", async () => {
    const { text } = await json("n2", "sys", "status", "n1");
    expect(JSON.parse(String(text))).toMatchObject({ name: "n1", segments: { count: 0 } });
    const tables = await must("n2", "sys", "kstat", "n1", "--table", "a");
    for (const head of [/^COUNTER/, /^NEIGHBOUR/m, /^ADDRESS .*\n.* here /m]) expect(tables).toMatch(head);
    const { data } = await json("n2", "random", "get", "n1", "--count", "32");
    expect(data).toMatch(/^[0-9a-f]{64}$/);
    const { seconds } = await json("n2", "time", "get", "n1");
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
  });

  it("say what is wrong with what they are asked", async () => {
    expect((await run("n2", "segment", "read", "n1:weather", "--position", "0")).status).toBe(3);
    const large = await run("n2", "segment", "create", "n1", "--bytes", "1G");
    expect(large).toMatchObject({ status: 1, stderr: expect.stringContaining("no room for a segment") });
    const gone = await run("n2", "std", "info", `0102030405060${segment.slice(13)}`, "--timeout", "200ms");
    expect(gone.status).toBe(5);
  });

  it("run a server of one's own, as the README shows", async () => {
    const book = (node: string, ...words: string[]) =>
      pool.lab.start(["lab", "exec", node, "--", process.execPath, guestBook, ...words], { cwd: "/" });
    const server = book("n1");
    try {
      const capability = await firstLine("the guest book", server);
      const sign = (name: string) => book("n2", capability, name).outcome;
      expect((await sign("Ada")).stdout).toBe("guest 1: Ada\n");
      expect((await sign("Bert")).stdout).toBe("guest 2: Ada, Bert\n");
    } finally {
      server.child.kill("SIGTERM");
      await server.outcome;
    }
  });
});
