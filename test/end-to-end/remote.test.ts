// Deployed machines that an administrator reaches by ssh: measured between, captured on, asked.
// If one of these fails, what works in a lab does not work on real machines.

import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Report } from "../../control/bench/types.js";
import { isLong, perTier } from "../simulation/seeds.js";
import type { Running } from "./lab-runner.js";
import { isRoot, until, within } from "./programs.js";
import { at, hasSshd, SshPool } from "./ssh-pool.js";
import { dissectFile, hasTshark } from "./tshark.js";

const able = isRoot && hasSshd;
if (!able) console.warn("skipped: machines behind ssh need root and openssh-server");

describe.skipIf(!able)("a machine behind ssh", () => {
  const pool = new SshPool();
  beforeAll(() => pool.up());
  afterAll(() => pool.close());

  it("is measured against another, and says what it is", async () => {
    const words = ["bench", "null-rpc", "--between", at("h1"), at("h2"), "--placement", "X"];
    const { status, stdout, stderr } = await pool.run([
      ...[...words, "--system", "flip,node-tcp", "--quick", "--json"],
    ]);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const { results, environment } = JSON.parse(stdout) as Report;
    expect(results.map(({ system, link, problem }) => [system, link, problem])).toEqual([
      ["flip", "between", undefined],
      ["node-tcp", "between", undefined],
    ]);
    for (const { p50Us, serverCpuUsPerCall } of results) {
      expect(p50Us).toBeGreaterThan(0);
      expect(serverCpuUsPerCall).toBeGreaterThan(0);
    }
    expect(environment.cards).toMatchObject([
      {
        machine: at("h1"),
        interfaceName: "eth0",
        driver: "veth",
        mtu: 1500,
        host: { node: process.version },
      },
      { machine: at("h2"), interfaceName: "eth0", driver: "veth", mtu: 1500 },
    ]);
  });

  /** The agent of h1, as its service runs it; its echo server. */
  async function serve(): Promise<string> {
    const words = ["node", "start", "--interface", "eth0", "--ready-file", "/run/ready.json"];
    pool.machine("h1").start(["/opt/proteus/bin/proteus", ...words]);
    const { echo } = await until("the agent of h1", () => {
      try {
        return JSON.parse(readFileSync(join(pool.root, "run", "ready.json"), "utf8")) as { echo: string };
      } catch {
        return undefined;
      }
    });
    return echo;
  }

  /** A capture that listens. */
  async function capture(...words: string[]): Promise<Running> {
    const running = pool.start(["capture", at("h1"), ...words]);
    let said = "";
    running.child.stderr?.on("data", (text: string) => {
      said += text;
    });
    await until("the capture", () => {
      if (running.child.exitCode !== null) throw new Error(`the capture ended: ${said}`);
      return said.includes(`listening on ${at("h1")}: eth0`) || undefined;
    });
    return running;
  }

  if (isLong)
    it("shows its frames and its metrics, and writes them here", async () => {
      const echo = await serve();
      const path = join(pool.lab.folder, "h1.pcapng");
      const running = await capture("-w", path, "--json");
      let shown = "";
      running.child.stdout?.on("data", (text: string) => {
        shown += text;
      });
      const call = await pool.run(["call", "--port", echo, "--interface", "eth0", "--count", "5"]);
      expect(call).toMatchObject({ status: 0 });
      await until("five replies", () => shown.split('"REPLY"').length > 5 || undefined);
      running.child.kill("SIGINT");
      const { status, stdout, stderr } = await within("the end of the capture", running.outcome);
      expect({ status, stderr }).toMatchObject({ status: 0 });
      const documents = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      const { summary } = documents.pop();
      expect(summary).toMatchObject({ frames: documents.length, dropped: 0 });
      const directions = documents.map(({ rpc, direction }) => `${rpc?.type} ${direction}`);
      expect(directions.filter((each) => each === "REQUEST in").length).toBeGreaterThanOrEqual(5);
      expect(directions.filter((each) => each === "REPLY out").length).toBeGreaterThanOrEqual(5);
      if (hasTshark()) expect(dissectFile(path, ["frame.interface_name"])).toHaveLength(documents.length);
      else console.warn("skipped: tshark is not installed, it did not read the file");
      await until("the end there", () => pool.running("capture local").length === 0 || undefined);

      const [metrics, none] = await Promise.all(
        (["h1", "h2"] as const).map((name) => pool.run(["metrics", at(name)])),
      );
      expect(metrics?.stdout).toMatch(/^proteus_echo_executions_total 5$/m);
      expect(none).toMatchObject({
        ...{ status: 5, stdout: "", stderr: expect.stringContaining("metrics failed on ssh:root@10.0.0.2") },
      });
    });

  it("that cannot be used says why", async () => {
    const old = join(pool.root, "opt", "proteus", "bin", "old");
    writeFileSync(old, `#!/bin/sh\necho '{"version":"0.0.1","kernel":"00"}'\n`);
    chmodSync(old, 0o755);
    const failing = async (target: string, environment: NodeJS.ProcessEnv = {}) => {
      const { status, stderr } = await pool.run(["capture", target, "--json"], environment);
      return [status, JSON.parse(stderr).error.code];
    };
    expect(
      await Promise.all([
        failing("ssh:root@10.0.0.3"), // nothing listens there
        failing(at("h1"), { PROTEUS_SSH: pool.ssh("other-key") }),
        failing(at("h1"), { PROTEUS_REMOTE: "/opt/none/proteus" }),
        failing(at("h1"), { PROTEUS_REMOTE: "/opt/proteus/bin/old" }),
        failing(`${at("h1")}:eth7`),
      ]),
    ).toEqual([
      [5, "REMOTE_UNREACHABLE"],
      [4, "REMOTE_DENIED"],
      [3, "REMOTE_MISSING"],
      [1, "REMOTE_VERSION"],
      [3, "REMOTE_FAILED"],
    ]);
  });

  if (perTier({ quick: false, long: true, nightly: true })) {
    it("says what it lacks, and measures the rest", async () => {
      const words = ["bench", "call-1m", "--between", at("h1"), at("h2"), "--quick", "--json"];
      const { status, stdout } = await pool.run([...words, "--system", "flip,iperf3,nats,grpc"]);
      const { results } = JSON.parse(stdout) as Report;
      expect(results.map(({ system, problem }) => [system, problem])).toEqual([
        ["flip", undefined],
        ["grpc", undefined],
        ["nats", expect.stringContaining(`nats-server is not installed on ${at("h2")}: apt-get install`)],
        ["iperf3", `iperf3 is not installed on ${at("h2")}: apt-get install iperf3`],
      ]);
      expect(status).toBe(0);
    });

    it.each(["null-rpc flip", "null-rpc floor"])(
      "is left by what measured %s when that is killed",
      async (what) => {
        const [test = "", system = ""] = what.split(" ");
        const words = ["bench", test, "--between", at("h1"), at("h2"), "--system", system, "--runs", "1000"];
        const running = pool.start(words);
        await until("workers", () => pool.running("bench worker").length >= 2 || undefined);
        running.child.kill("SIGKILL");
        await within("the end", running.outcome);
        await until("the end there", () => pool.running("bench worker").length === 0 || undefined);
      },
    );

    it("is left by a capture that is killed", async () => {
      const running = await capture("--json");
      expect(pool.running("capture local")).not.toEqual([]);
      running.child.kill("SIGKILL");
      await until("the end there", () => pool.running("capture local").length === 0 || undefined);
    });
  }
});
