// A lab is what the system allows: namespaces as root, a user namespace without, memory
// where neither is allowed. Real agents and real calls in each; and a guard that the
// other tests ran on a real wire where that was possible.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isRoot, mustBeReal, Programs } from "./programs.js";

const routed = `networks: { lan0: , lan1: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }
  n2: { kind: pool, networks: [lan1] }
`;

/** Serves and calls between three machines, one of them a router, and takes the lab down. */
async function expectCalls(pool: Programs): Promise<void> {
  const server = await pool.serve("n2", "abcdef");
  let made = 0;
  for (const [node, size, count] of [
    ["n1", "0", 20],
    ["n1", "30000", 5],
    ["n1", "1M", 1],
    ["r1", "1403", 5],
    ["n2", "1403", 5],
  ] as const) {
    const report = await pool.call(node, server.putPort, "--size", size, "--count", `${count}`);
    expect({ node, size, succeeded: report.succeeded }).toEqual({ node, size, succeeded: count });
    made += count;
  }
  expect(await pool.executions("n1", server.putPort)).toBe(made);
  expect((await pool.call("n1", pool.ready("n2").echo, "--count", "3")).succeeded).toBe(3);
  const { counters } = await pool.status("n1", "r1");
  expect(counters.forwarded).toBeGreaterThan(made);
  expect(await server.stop()).toBe(made);
  await pool.lab.must(["lab", "down"], { cwd: "/" });
  expect(pool.lab.processes()).toEqual([]);
}

function labFile(pool: Programs): string {
  const path = join(pool.lab.folder, "routed.yaml");
  writeFileSync(path, routed);
  return path;
}

describe("the labs of these tests", () => {
  const pool = new Programs();
  afterAll(() => pool.close());

  it.runIf(mustBeReal)("are on a real wire: network namespaces as root, never memory", async () => {
    const { isolation } = await pool.up("--nodes", "1");
    expect(isolation).toBe(isRoot ? "netns" : "userns");
    const links = (await pool.lab.exec("n1", "ip", "-json", "link", "show", "type", "veth")).stdout;
    expect(JSON.parse(links)).toMatchObject([{ ifname: "eth0", operstate: "UP" }]);
  });
});

describe.runIf(isRoot)("a user without rights", () => {
  const nobody = 65534;
  const pool = new Programs(nobody);
  afterAll(() => pool.close());

  it("has machines that call each other in a user namespace, or is told that they are in memory", async (context) => {
    if ((await pool.lab.run(["--version"], { cwd: "/" })).status !== 0)
      context.skip("nobody but its owner may read this checkout");
    const { isolation } = await pool.up(labFile(pool));
    expect(["userns", "memory"]).toContain(isolation);
    const refused = await pool.lab.run(["lab", "up", "--name", "second", "--isolation", "userns"], {
      cwd: "/",
    });
    // Memory only where the system refuses the better way.
    expect(refused.status).toBe(isolation === "memory" ? 4 : 0);
    if (isolation === "userns") await pool.lab.must(["lab", "down", "second"], { cwd: "/" });
    await expectCalls(pool);
  });
});

describe("a lab in memory", () => {
  const pool = new Programs();
  afterAll(() => pool.close());

  it("has machines that call each other through a router too, and says what it is", async () => {
    const status = await pool.up(labFile(pool), "--isolation", "memory");
    expect(status.isolation).toBe("memory");
    await expectCalls(pool);
  });
});
