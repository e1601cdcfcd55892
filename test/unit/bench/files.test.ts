// If one of these fails, a benchmark of files compares what does not belong together, or states a
// goal as met that was not.

import { describe, expect, it } from "vitest";
import { planFileCases } from "../../../control/bench/files/plan.js";
import { fileRatiosOf, fileRemarksOf } from "../../../control/bench/files/ratios.js";
import { contentOf } from "../../../control/bench/files/system.js";
import { nginxConfiguration } from "../../../control/bench/files/systems/nginx.js";
import { type FileResult, fileSystems, fileTests } from "../../../control/bench/files/types.js";
import { filesReportText } from "../../../control/cli/bench-files-table.js";
import { parseSize, sizeText } from "../../../control/cli/quantity.js";

const everything = {
  ...{ tests: fileTests, systems: fileSystems, sizes: [0, 4096, 1024 ** 2, 64 * 1024 ** 2] },
  ...{ clients: [1, 8], members: [1, 3] },
};

function result(each: Partial<FileResult>): FileResult {
  return {
    ...{ test: "read", system: "bullet", bytes: 4096, clients: 1, members: 1, runs: 3, spread: 0.1 },
    ...{ p50Us: 10, p99Us: 20, megabytesPerSecond: 100, callsPerSecond: 1000, cpuUsPerCall: 5 },
    ...each,
  };
}

describe("the plan", () => {
  it("has each case once, and both sides of every ratio", () => {
    const cases = planFileCases(everything);
    const texts = cases.map((each) => JSON.stringify(each));
    expect(new Set(texts).size).toBe(texts.length);
    const ratios = fileRatiosOf(cases.map(result));
    expect(ratios.map(({ goal }) => goal)).toEqual([1.5, 1.2, 1.2, 2.5, 1.3, 1, 1]);
  });

  it("gives nobody what it is not made for", () => {
    for (const { system, bytes, members, test } of planFileCases(everything)) {
      if (system === "redis" || system === "echo") expect(bytes).toBeLessThanOrEqual(1024 ** 2);
      if (members > 1) expect(["directory", "etcd"]).toContain(system);
      if (test === "read-cold") expect(bytes).toBeGreaterThan(0);
    }
    const some = planFileCases({ ...everything, tests: ["update"], systems: ["etcd"] });
    expect(some.map(({ clients, members }) => `${members} ${clients}`)).toEqual([
      "1 1",
      "1 32",
      "3 1",
      "3 32",
    ]);
  });

  it("writes contents that differ, of every length", () => {
    expect(contentOf(0, 1)).toHaveLength(0);
    expect(contentOf(4096, 1).equals(contentOf(4096, 2))).toBe(false);
    expect(contentOf(4096, 7).equals(contentOf(4096, 7))).toBe(true);
  });
});

describe("the ratios", () => {
  it("say whether a goal was met, in its direction", () => {
    const ratios = fileRatiosOf([
      result({ p50Us: 31 }),
      result({ system: "echo", p50Us: 20 }),
      result({ bytes: 1024 ** 2, megabytesPerSecond: 130 }),
      result({ bytes: 1024 ** 2, system: "nginx", megabytesPerSecond: 100 }),
    ]);
    expect(ratios.map(({ value, met }) => [value, met])).toEqual([
      [1.55, false],
      [1.3, true],
    ]);
  });

  it("are left out when a side was not measured", () => {
    expect(fileRatiosOf([result({}), result({ system: "echo", p50Us: null })])).toEqual([]);
  });
});

describe("the report", () => {
  it("says what was not measured and why", () => {
    const problem = "redis is not installed: apt-get install redis-server";
    const results = [result({}), result({ system: "redis", p50Us: null, problem })];
    const environment = {
      ...{ proteus: "1", node: "v20", kernel: "6", cpu: "a cpu", cores: 2, load: 0, isolation: "root" },
      ...({ runs: 3, mtus: [1500], link: "bridge", disk: "/tmp (ext2/ext3)", nginx: "nginx 1" } as const),
      ...{ redis: null, etcd: null },
    };
    const remarks = fileRemarksOf(results, 3, false);
    const text = filesReportText({ environment, results, ratios: fileRatiosOf(results), remarks });
    expect(text).toContain(problem);
    expect(text).toContain("no NFS server");
    expect(text).toContain("load 3.0");
    expect(text).toMatch(/bullet +4K +1 +1 +10.00/);
  });
});

describe("sizes", () => {
  it.each([0, 1, 1023, 1024, 1536, 65_536, 1024 ** 2, 3 * 1024 ** 3])(
    "of %i bytes are read as they are shown",
    (bytes) => {
      expect(parseSize(sizeText(bytes), 2 ** 40)).toBe(bytes);
    },
  );
});

describe("nginx", () => {
  it("listens only where its machine is", () => {
    const lines = nginxConfiguration("/x", "10.0.0.2")
      .split("\n")
      .filter((line) => line.includes("listen"));
    expect(lines).toEqual(["    listen 10.0.0.2:8080;"]);
  });
});
