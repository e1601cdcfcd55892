// `proteus capture` in a lab: what passes a machine is shown and written, nothing else changes.
// If one of these fails, somebody looks for a bug in frames that were never there.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLong } from "../simulation/seeds.js";
import type { Running } from "./lab-runner.js";
import { Programs, type Served, until, within } from "./programs.js";
import { dissectFile, hasTshark } from "./tshark.js";

const tshark = hasTshark();

interface Frame {
  readonly interface: string;
  readonly direction: "in" | "out" | null;
  readonly time: string;
  readonly ethernet: { readonly src: string; readonly dst: string };
  readonly flip?: {
    readonly type: string;
    readonly offset: number;
    readonly length: number;
    readonly total: number;
  };
  readonly rpc?: { readonly type: string; readonly port: string };
}

/** A capture that listens. */
async function begin(pool: Programs, ...words: string[]): Promise<Running> {
  const running = pool.lab.start(["capture", ...words], { cwd: "/" });
  let said = "";
  running.child.stderr?.on("data", (text: string) => {
    said += text;
  });
  await until("the capture", () => {
    if (running.child.exitCode !== null) throw new Error(`the capture ended: ${said}`);
    return said.includes("listening on") || undefined;
  });
  return running;
}

async function end(running: Running): Promise<{ frames: Frame[]; stderr: string }> {
  running.child.kill("SIGINT");
  const { status, stdout, stderr } = await within("the end of the capture", running.outcome);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const documents = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { summary } = documents.pop();
  expect(summary).toMatchObject({ frames: documents.length, dropped: 0 });
  return { frames: documents, stderr };
}

/** Calls that must succeed. */
async function requests(pool: Programs, server: Served, size: string, count: number): Promise<void> {
  const report = await pool.call("n2", server.putPort, "--size", size, "--count", `${count}`);
  expect(report.succeeded).toBe(count);
}

describe.each(isLong ? (["wire", "memory"] as const) : (["wire"] as const))(
  "a capture in a lab: %s",
  (kind) => {
    const pool = new Programs();
    let server: Served;

    beforeAll(async () => {
      await pool.up(
        "--nodes",
        "2",
        "--name",
        `cap${kind}`,
        ...(kind === "memory" ? ["--isolation", "memory"] : []),
      );
      server = await pool.serve("n1", "abcdef");
    });
    afterAll(() => pool.close());

    it("shows every frame once, both ways, and changes nothing of the calls", async () => {
      const capture = await begin(pool, "n1", "--json");
      let shown = "";
      capture.child.stdout?.on("data", (text: string) => {
        shown += text;
      });
      await requests(pool, server, "3000", 4);
      const isReply = (line: string): boolean => line.includes('"REPLY"') && line.includes(server.putPort);
      await until("four replies", () => shown.split("\n").filter(isReply).length >= 4 || undefined);
      const { frames } = await end(capture);
      const seen = (type: string, direction: string) =>
        frames.filter(
          (frame) =>
            frame.rpc?.type === type && frame.direction === direction && frame.rpc.port === server.putPort,
        ).length;
      expect(seen("REQUEST", "in")).toBeGreaterThanOrEqual(4);
      expect(seen("REQUEST", "out")).toBe(0);
      expect(seen("REPLY", "out")).toBeGreaterThanOrEqual(4);
      expect(new Set(frames.map((frame) => frame.interface))).toEqual(new Set(["eth0"]));
      expect(await pool.executions("n2", server.putPort)).toBe(4);
      // The server, the caller, the agents of both machines and the control daemon: nobody else.
      const speakers = new Set(frames.map(({ ethernet }) => ethernet.src));
      expect(speakers.size).toBeGreaterThanOrEqual(2);
      expect(speakers.size).toBeLessThanOrEqual(5);
    });

    if (kind === "wire")
      it.skipIf(!tshark)("can be read by tshark: whole calls, interfaces, every check good", async () => {
        const path = join(pool.lab.folder, `${kind}.pcapng`);
        const capture = await begin(pool, "n1", "-w", path, "--json");
        let shown = "";
        capture.child.stdout?.on("data", (text: string) => {
          shown += text;
        });
        await requests(pool, server, "30000", 1);
        const whole = 30_056;
        await until("the last fragments of request and reply", () => {
          const lines = shown.split("\n").slice(0, -1);
          const ends = lines.filter((line) => {
            const { flip } = JSON.parse(line) as Frame;
            return flip?.total === whole && flip.offset + flip.length === whole;
          });
          return ends.length >= 2 || undefined;
        });
        const { frames } = await end(capture);
        const asked = ["proteus.flip.reassembled.length", "proteus.check.good", "proteus.malformed"];
        const seen = dissectFile(path, [...asked, "frame.interface_name", "proteus.rpc.type"]);
        expect(seen).toHaveLength(frames.length);
        const valuesOf = (name: string) =>
          seen.map((frame) => frame[name] ?? "").filter((value) => value !== "");
        expect(
          valuesOf("proteus.flip.reassembled.length").filter((length) => length === "30056"),
        ).toHaveLength(2);
        expect(new Set(valuesOf("proteus.check.good"))).toEqual(new Set(["1"]));
        expect(new Set(valuesOf("frame.interface_name"))).toEqual(new Set(["eth0"]));
        expect(valuesOf("proteus.malformed")).toEqual([]);
      });

    it("writes what it shows, and ends by itself after so many frames", async () => {
      const path = join(pool.lab.folder, "some.pcap");
      const capture = await begin(pool, "n1:eth0", "-w", path, "--count", "5");
      await requests(pool, server, "0", 4);
      const { status, stdout, stderr } = await within("the end of the capture", capture.outcome);
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringMatching(/^listening on eth0\neth0: 5 frames, 0 lost\n$/),
      });
      expect(stdout.trimEnd().split("\n")).toHaveLength(5);
      const file = readFileSync(path);
      let frames = 0;
      for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) frames++;
      expect(frames).toBe(5);
    });

    it("ends when its time is up, also when nothing passes", async () => {
      const { status, stdout } = await pool.lab.run([
        "capture",
        "n2",
        "--duration",
        "300ms",
        "-q",
        "--json",
        "-w",
        "/dev/null",
      ]);
      expect(status).toBe(0);
      expect(JSON.parse(stdout).summary.interfaces).toMatchObject([{ name: "eth0", dropped: 0 }]);
    });

    if (kind === "wire")
      it("says what it cannot capture", async () => {
        const failing = async (target: string) => {
          const { status, stderr } = await pool.lab.run(["capture", target, "--json"]);
          return { status, code: JSON.parse(stderr).error.code };
        };
        expect(await failing("n7")).toMatchObject({ status: 3 });
        expect(await failing("n1:eth1")).toEqual({ status: 3, code: "LAB_NO_INTERFACE" });
        await pool.lab.must(["lab", "kill", "n2"]);
        expect(await failing("n2")).toEqual({ status: 5, code: "LAB_NODE_DOWN" });
        await pool.lab.must(["lab", "start", "n2"]);
      });

    if (kind === "wire")
      it("ends with the machine, and leaves its file whole", async () => {
        const path = join(pool.lab.folder, "killed.pcapng");
        const capture = await begin(pool, "n2", "-w", path);
        await requests(pool, server, "0", 2);
        await pool.lab.must(["lab", "kill", "n2"]);
        const { status, stdout } = await within("the end of the capture", capture.outcome);
        expect(status).toBe(137);
        const file = readFileSync(path);
        let frames = 0;
        for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4))
          if (file.readUInt32LE(at) === 6) frames++;
        expect(frames).toBeGreaterThan(2);
        expect(frames).toBe(stdout.trimEnd().split("\n").length);
      });
  },
);
