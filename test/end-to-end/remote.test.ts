// Deployed machines that an administrator reaches by ssh: measured between, captured on, asked.
// If one of these fails, what works in a lab does not work on real machines.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Report } from "../../control/bench/types.js";
import { isRoot } from "./programs.js";
import { at, hasSshd, SshPool } from "./ssh-pool.js";

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
});
