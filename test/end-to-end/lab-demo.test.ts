// What `npm start` shows: real calls between real machines, and nothing left afterwards.

import { afterAll, describe, expect, it } from "vitest";
import { LabRunner, systemNetwork } from "./lab-runner.js";

describe("the demonstration", () => {
  const lab = new LabRunner();
  const before = systemNetwork();
  afterAll(() => lab.close());

  it("serves, calls from two machines, and leaves nothing", async () => {
    const { stdout, stderr } = await lab.must(["lab", "demo", "--no-bench"]);
    expect(stdout).toMatch(/^n3 +pool +up/m);
    expect(stdout).toMatch(/^n1 \| .*e4b2c2985455/m);
    expect(stdout).toMatch(/^n2 \| /m);
    expect(stdout).toMatch(/^n3 \| /m);
    expect(stderr).toContain("nothing is left of it");
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  });

  it("leaves nothing when it is interrupted either", async () => {
    const running = lab.start(["lab", "demo", "--no-bench"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  });
});
