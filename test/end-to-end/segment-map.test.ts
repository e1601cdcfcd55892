// Segments that a process beside the agent maps, on the real system: bytes both ways, rights and
// seals, and what is left when the segment or its agent is gone.

import { closeSync, constants, openSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { Programs, until, within } from "./programs.js";

const mapper = fileURLToPath(new URL("segment-mapper.mjs", import.meta.url));
const bytes = 70_000;
/** What unit tests of real pages see too, in one process, waits for the longer tiers. */

/** A process that has a segment mapped for writing. */
class Mapper {
  readonly #running: Running;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(pool: Programs, node: string, segment: string) {
    const words = ["lab", "exec", node, "--", process.execPath, mapper, segment];
    this.#running = pool.lab.start(words, { cwd: "/", open: true });
    const { stdout } = this.#running.child;
    if (stdout === null) throw new Error("the mapper has no output");
    this.#reader = createInterface({ input: stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async said(): Promise<string> {
    const { value, done } = await within("the mapper's answer", this.#lines.next());
    if (done !== true) return value;
    throw new Error(`the mapper has ended\n${(await this.#running.outcome).stderr}`);
  }

  ask(line: string): Promise<string> {
    this.#running.child.stdin?.write(`${line}\n`);
    return this.said();
  }

  async end(): Promise<number> {
    this.#running.child.stdin?.end();
    const { status } = await within("the mapper's end", this.#running.outcome);
    this.#reader.close();
    return status;
  }
}

describe("a segment that another process maps", () => {
  const pool = new Programs();
  const mappers: Mapper[] = [];
  const run = (node: string, ...words: string[]) => pool.run(node, ...words);
  const json = async (node: string, ...words: string[]): Promise<Record<string, unknown>> => {
    const { status, stdout, stderr } = await run(node, ...words, "--json");
    expect({ words, status, stderr: status === 0 ? "" : stderr }).toEqual({ words, status: 0, stderr: "" });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const create = async () =>
    String((await json("n2", "segment", "create", "n1", "--bytes", String(bytes))).segment);
  const write = (segment: string, position: number, data: string) =>
    json("n2", "segment", "write", segment, "--position", String(position), "--data", data);
  let segment = "";
  let readable = "";
  let writer: Mapper;

  beforeAll(async () => {
    await pool.up("--nodes", "2");
    segment = await create();
    await write(segment, 0, "before");
    readable = String((await json("n2", "std", "restrict", segment, "--mask", "1")).capability);
    writer = new Mapper(pool, "n1", segment);
    mappers.push(writer);
    expect(await writer.said()).toBe("mapped");
  });
  afterAll(async () => {
    await Promise.allSettled(mappers.map((each) => each.end()));
    await pool.close();
  });

  it("is the same bytes for it and for a call from another machine", async () => {
    expect(await writer.ask("get 0 6")).toBe("before");
    expect(await writer.ask(`put ${bytes - 5} there`)).toBe("put");
    const position = String(bytes - 5);
    expect((await run("n2", "segment", "read", segment, "--position", position)).stdout).toBe("there");
    await write(segment, 100, "called");
    expect(await writer.ask("get 100 6")).toBe("called");
  });

  it("is not told to who may only read, when those pages can be written", async () => {
    const denied = await run("n1", "segment", "map", readable, "--write", "--json");
    expect(denied.status).toBe(4);
    expect(JSON.parse(denied.stderr)).toMatchObject({ error: { code: "STD_DENIED" } });
    const other = await run("n1", "segment", "map", readable, "--json");
    expect(JSON.parse(other.stderr)).toMatchObject({ error: { code: "STD_NOTNOW" } });
  });

  it("cannot be written by others when it is mapped to be read", async () => {
    const second = await create();
    await write(second, 0, "sealed");
    const reader = String((await json("n2", "std", "restrict", second, "--mask", "1")).capability);
    const place = await json("n1", "segment", "map", reader);
    expect(place).toMatchObject({
      bytes,
      write: false,
      path: expect.stringMatching(/^\/proc\/\d+\/fd\/\d+$/),
    });
    const path = String(place.path);
    expect(readlinkSync(path)).toBe(`/memfd:proteus-${place.tag} (deleted)`);
    expect(readFileSync(path).subarray(0, 6).toString()).toBe("sealed");
    const descriptor = openSync(path, constants.O_RDWR);
    expect(() => writeSync(descriptor, "broken")).toThrow("EPERM");
    closeSync(descriptor);
    await write(second, 0, "follow");
    expect(readFileSync(path).subarray(0, 6).toString()).toBe("follow");
    const once = await run("n1", "segment", "map", second, "--write", "--json");
    expect(JSON.parse(once.stderr)).toMatchObject({ error: { code: "STD_NOTNOW" } });
    await json("n2", "segment", "grow", second, "--bytes", String(2 * bytes));
    expect(() => readlinkSync(path)).toThrow("ENOENT");
  });

  it("shows nothing of what comes into its memory after it was destroyed", async () => {
    await json("n2", "std", "destroy", segment);
    // As long as all that the tests before have given back, so it lies where those pages were.
    const made = await json("n2", "segment", "create", "n1", "--bytes", String(3 * bytes));
    const next = String(made.segment);
    const secret = "secret!".repeat((3 * bytes) / 14);
    for (const at of [0, secret.length]) await write(next, at, secret);
    const seen = await writer.ask(`get 0 ${bytes}`);
    expect(seen.startsWith("before")).toBe(true);
    expect(seen).not.toContain("secret");
    await writer.ask("put 0 nobody");
    const { stdout } = await run("n2", "segment", "read", next, "--length", String(3 * bytes));
    expect(stdout === secret + secret).toBe(true);
  });

  it("keeps what it held when the agent dies; another map fails clearly", async () => {
    const last = await create();
    await write(last, 0, "at the end");
    const holder = new Mapper(pool, "n2", last);
    mappers.push(holder);
    expect(await holder.said()).toBe("mapped");
    const { pid } = pool.ready("n1");
    process.kill(pid, "SIGKILL");
    await until("the agent's end", () => {
      try {
        return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ") ? true : undefined;
      } catch {
        return true;
      }
    });
    expect(await holder.ask("get 0 10")).toBe("at the end");
    const late = await run("n2", "segment", "map", last, "--timeout", "200ms", "--json");
    expect(late.status).toBe(5);
    expect(JSON.parse(late.stderr)).toMatchObject({ error: { code: "RPC_NOTFOUND" } });
    expect(await holder.end()).toBe(0);
  });
});
