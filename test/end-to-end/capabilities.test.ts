// Machines of a lab that lose power: their servers are the same afterwards, capabilities that were
// given away count on, those that were revoked do not; and no secret of a server is seen
// anywhere but where somebody asked for it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabStatus } from "../../control/lab/status.js";
import { Programs } from "./programs.js";

const servers = ["disk", "echo", "sys", "segment", "random", "time"];

describe("the servers of a machine", () => {
  const pool = new Programs();
  let lab: LabStatus;
  /** Everything that programs said. */
  const heard: string[] = [];

  async function must(...words: string[]): Promise<string> {
    const { stdout, stderr } = await pool.lab.must([...words], { cwd: "/" });
    heard.push(stdout, stderr);
    return stdout;
  }
  const json = async (...words: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await must(...words, "--json"));

  beforeAll(async () => {
    lab = await pool.up("--nodes", "1");
    heard.push(JSON.stringify(lab));
  });
  afterAll(() => pool.close());

  it("have the same ports and capabilities after a power cut, and what was revoked stays revoked", async () => {
    const before = pool.ready("n1") as unknown as Record<string, unknown>;
    const sys = await json("capability", "revoke", "n1:sys");
    const old = (before.capabilities as Record<string, string>).sys ?? "";
    await must("lab", "kill", "n1");
    await must("lab", "start", "n1");
    const after = pool.ready("n1") as unknown as Record<string, unknown>;
    expect(after.address).not.toBe(before.address);
    expect([after.echo, after.status]).toEqual([before.echo, before.status]);
    const capabilities = { ...(before.capabilities as object), sys: sys.capability };
    expect(after.capabilities).toEqual(capabilities);
    expect(await json("capability", "show", String(sys.capability))).toMatchObject({
      ...{ server: "n1:sys", object: 0, valid: true, rights: { all: true, names: ["read", "admin"] } },
    });
    const shown = await pool.lab.start(["capability", "show", old, "--json"], { cwd: "/" }).outcome;
    expect([shown.status, JSON.parse(shown.stdout).valid]).toEqual([4, false]);
  });

  it("show their secrets to the one command that is for it, and in no output, log or other file", async () => {
    const secrets: string[] = [];
    for (const server of servers) {
      const { stdout } = await pool.lab.must(["port", "secret", `n1:${server}`, "--json"], { cwd: "/" });
      const { private: getPort, public: putPort, key, generation } = JSON.parse(stdout);
      secrets.push(getPort, key, generation);
      if (server === "echo") expect(putPort).toBe(pool.ready("n1").echo);
    }
    expect(new Set(secrets).size).toBe(3 * servers.length);
    await must("sys", "status", "n1");
    await must("sys", "kstat", "n1", "--table", "a");
    await must("node", "list", "--json");
    await must("lab", "status", "--json");
    const kept: string[] = [];
    const look = (folder: string): void => {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const { mode } = statSync(path);
        if (statSync(path).isDirectory()) look(path);
        else if (name.endsWith(".secret")) {
          kept.push(name);
          expect(mode & 0o777, path).toBe(0o600);
        } else if (statSync(path).isFile()) heard.push(readFileSync(path, "latin1"));
      }
    };
    look(join(pool.lab.state, lab.lab));
    expect(kept.sort()).toEqual(servers.map((server) => `${server}.secret`).sort());
    const { pid } = pool.ready("n1");
    for (const name of ["cmdline", "environ"]) heard.push(readFileSync(`/proc/${pid}/${name}`, "latin1"));
    const all = heard.join("\n").toLowerCase();
    expect(all).toContain(pool.ready("n1").echo); // what is no secret was seen
    for (const secret of secrets) {
      const bytes = [...Buffer.from(secret, "hex")];
      expect(all).not.toContain(secret);
      expect(all).not.toContain(Buffer.from(secret, "hex").toString("base64").toLowerCase());
      expect(all).not.toContain(bytes.join(","));
      expect(all).not.toContain(bytes.map((byte) => byte.toString(16)).join(":"));
    }
  });
});
