// Machines with nothing on them boot over the networks of a lab: Debian's iPXE and OVMF as they are, from
// a `boot serve` on a Linux machine of that lab. If one of these fails, somebody's spare machine stays
// dark, or two DHCP servers quarrel over a network.
//
// - No traffic outside of the lab's namespaces.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { isRoot, Programs, until, within } from "./programs.js";

const file = `networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: host, networks: [lan1] }
  n3: { kind: host, networks: [lan1] }
  p1: { kind: pxe, networks: [lan0] }
  p2: { kind: pxe, networks: [lan0], firmware: uefi }
  p3: { kind: pxe, networks: [lan1] }
`;
const bootMs = 60_000;

interface Listed {
  readonly nodes: readonly {
    readonly name: string;
    readonly servers?: Readonly<Record<string, string>>;
    readonly boot?: { readonly mac: string; readonly step: string };
  }[];
}

interface Step {
  readonly state: string;
  readonly mac?: string;
  readonly name?: string;
}

describe.runIf(isRoot)("boot serve", () => {
  const pool = new Programs();
  const running: Running[] = [];
  beforeAll(async () => {
    const path = join(pool.lab.folder, "pxe.yaml");
    writeFileSync(path, file);
    await pool.up(path);
  });
  afterEach(async () => {
    for (const { child } of running) child.kill("SIGTERM");
    for (const { outcome } of running.splice(0)) await within("the end of a server", outcome);
  });
  afterAll(() => pool.close());

  /** A `boot serve` that serves, and the steps that it has told so far. */
  const serve = async (node: string, ...words: string[]): Promise<() => Step[]> => {
    const started = pool.start(node, "boot", "serve", "--interface", "eth0", "--json", ...words);
    running.push(started);
    let said = "";
    started.child.stdout?.on("data", (text: string) => {
      said += text;
    });
    const steps = (): Step[] =>
      said
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Step);
    let ended = "";
    void started.outcome.then(({ stderr }) => {
      ended = stderr || "it ended";
    });
    await until("boot serve serves", () => {
      if (ended !== "") throw new Error(ended);
      return steps().find(({ state }) => state === "serving");
    });
    return steps;
  };
  /** A DHCP server as somebody else has it. */
  const otherServer = async (node: string): Promise<void> => {
    const settings = ["--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces"];
    const leases = `--dhcp-leasefile=${join(pool.lab.folder, "leases")}`;
    const range = ["--except-interface=lo", "--dhcp-range=10.1.0.100,10.1.0.120,255.255.255.0,1h", leases];
    const log = ["--keep-in-foreground", "--log-facility=-", "--pid-file=", "--user=root"];
    const words = ["lab", "exec", node, "--", "dnsmasq", ...settings, ...range, ...log];
    const path = `${process.env.PATH}:/usr/sbin:/sbin`;
    const started = pool.lab.start(words, { environment: { PATH: path } });
    running.push(started);
    let said = "";
    started.child.stderr?.on("data", (text: string) => {
      said += text;
    });
    await until("another DHCP server", () => /sockets bound/.test(said) || undefined).catch((error) => {
      throw new Error(`${error}\n${said}`);
    });
  };
  /** Off and on: OVMF asks once, iPXE ever more rarely. */
  const power = async (node: string): Promise<void> => {
    await pool.lab.must(["lab", "kill", node]);
    await pool.lab.must(["lab", "start", node]);
  };
  const consoleOf = (node: string): string => readFileSync(join(pool.folderOf(node), "agent.log"), "utf8");
  const started = (node: string): Promise<unknown> =>
    until(
      `${node} starts the image`,
      () => (/serves \{/.test(consoleOf(node)) ? true : undefined),
      bootMs,
    ).catch((error: unknown) => {
      throw new Error(`${error}\n${consoleOf(node).slice(-3000)}`);
    });

  it("starts a machine with a BIOS through iPXE, and one with UEFI, each with its own name", async () => {
    const steps = await serve("n1");
    const watched = pool.lab.start(["node", "list", "--watch", "--json"]);
    running.push(watched);
    let lists = "";
    watched.child.stdout?.on("data", (text: string) => {
      lists += text;
    });
    await until("the list is watched", () => (lists.includes("\n") ? true : undefined));
    await Promise.all([power("p1"), power("p2")]);
    await Promise.all([started("p1"), started("p2")]);
    expect(consoleOf("p1")).toContain("iPXE");
    const macs = new Set(steps().flatMap(({ mac }) => mac ?? []));
    expect(macs.size).toBe(2);
    const inPool = () => new Set(steps().flatMap(({ state, mac }) => (state === "pool" ? (mac ?? []) : [])));
    await until("both in the pool", () => (inPool().size === 2 ? true : undefined), bootMs).catch((error) => {
      throw new Error(`${error}\n${JSON.stringify(steps())}`);
    });
    const seen = lists
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => (JSON.parse(line) as Listed).nodes);
    expect(new Set(seen.flatMap(({ boot }) => boot?.mac ?? []))).toEqual(macs);
    const listed = await pool.lab.must(["node", "list", "--json"]);
    const { nodes } = JSON.parse(listed.stdout) as Listed;
    expect(nodes.filter(({ boot }) => boot !== undefined)).toEqual([]); // they are there
    for (const mac of macs) {
      const own = steps().filter((step) => step.mac === mac);
      const echo = nodes.find(({ name }) => name === own[0]?.name)?.servers?.echo ?? "none";
      const called = await pool.run("n1", "call", "--port", echo, "--size", "1000", "--count", "3", "--json");
      expect(JSON.parse(called.stdout)).toMatchObject({ succeeded: 3 });
      expect(own.map(({ state }) => state).slice(0, 2)).toEqual(["asked", "loading"]);
      expect(new Set(own.map(({ name }) => name))).toEqual(
        new Set([`m-${mac.replaceAll(":", "").slice(6)}`]),
      );
    }
  });

  it("refuses where another DHCP server answers, and beside it only says what to boot", async () => {
    await pool.lab.must(["lab", "kill", "p3"]);
    await otherServer("n3");
    const refusal = pool.start("n2", "boot", "serve", "--interface", "eth0", "--json");
    running.push(refusal);
    const refused = await within("the refusal", refusal.outcome);
    expect(refused.status).toBe(1);
    const last = refused.stderr.trimEnd().split("\n").at(-1) ?? "";
    const { error } = JSON.parse(last) as { error: { code: string; message: string } };
    expect(error.code).toBe("BOOT_OTHER_SERVER");
    expect(error.message).toMatch(/10\.1\.0\.\d+/);
    const steps = await serve("n2", "--beside");
    await pool.lab.must(["lab", "start", "p3"]);
    await started("p3");
    expect(steps().map(({ state }) => state)).toContain("loading");
    expect(consoleOf("p3")).toMatch(/net0: 10\.1\.0\.1[0-2][0-9]\//); // from the other's range
  });
});
