// If one of these fails, the service does not start at boot, or may do more than it has to.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { unitText } from "../../../control/node/unit.js";

const facts = { node: process.execPath, main: "/opt/proteus/main.js" };
const hasAnalyzer = spawnSync("systemd-analyze", ["--version"]).status === 0;

describe("the systemd unit", () => {
  it("starts the node with the two rights that it needs and no others", () => {
    const text = unitText(facts);
    expect(text).toContain(`ExecStart=${process.execPath} /opt/proteus/main.js node start\n`);
    expect(text).toContain("CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE\n");
    expect(text).toContain("NoNewPrivileges=yes\n");
    expect(text).toContain("ProtectHome=yes\n");
  });

  it("reads an installation in somebody's home, and quotes what systemd would take apart", () => {
    const text = unitText({ node: "/home/a b/node", main: "/opt/50%/$x.js" });
    expect(text).toContain('ExecStart="/home/a b/node" /opt/50%%/$$x.js node start\n');
    expect(text).toContain("ProtectHome=read-only\n");
  });

  it.runIf(hasAnalyzer)("is one that systemd accepts and calls well protected", () => {
    const folder = mkdtempSync(join(tmpdir(), "unit-"));
    try {
      const path = join(folder, "proteus-node.service");
      writeFileSync(path, unitText(facts));
      const verified = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
      expect([verified.status, verified.stderr]).toEqual([0, ""]);
      const judged = spawnSync("systemd-analyze", ["security", "--offline=true", "--threshold=25", path], {
        encoding: "utf8",
      });
      expect(judged.status, judged.stdout).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
