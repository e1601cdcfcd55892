// If one of these fails, the service does not start at boot, or may do more than it has to.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { controlUnitText, unitText } from "../../../control/node/unit.js";

const facts = { node: process.execPath, main: "/opt/proteus/main.js" };
const node = process.execPath.includes(" ") ? `"${process.execPath}"` : process.execPath;
const hasAnalyzer = spawnSync("systemd-analyze", ["--version"]).status === 0;

describe("the systemd unit", () => {
  it("starts the node with the two rights that it needs and no others", () => {
    const text = unitText(facts);
    expect(text).toContain(`ExecStart=${node} /opt/proteus/main.js node start\n`);
    expect(text).toContain("CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE\n");
    expect(text).toContain("NoNewPrivileges=yes\n");
    expect(text).toContain("ProtectHome=yes\n");
  });

  it("starts the control daemon with no more rights, in folders of its own", () => {
    const text = controlUnitText(facts);
    expect(text).toContain(`ExecStart=${node} /opt/proteus/main.js control start\n`);
    expect(text).toContain("CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE\n");
    expect(text).toContain("RuntimeDirectoryPreserve=yes\n");
    expect(text).toContain("StateDirectory=proteus/control\n");
    expect(text).toContain("UMask=0077\n");
  });

  it("reads an installation in somebody's home, and quotes what systemd would take apart", () => {
    const text = unitText({ node: "/home/a b/node", main: "/opt/50%/$x.js" });
    expect(text).toContain('ExecStart="/home/a b/node" /opt/50%%/$$x.js node start\n');
    expect(text).toContain("ProtectHome=read-only\n");
  });

  const itWhereSystemdIs = hasAnalyzer ? it : it.skip;
  itWhereSystemdIs.each([
    ["node", unitText(facts), 25],
    ["control", controlUnitText(facts), 30],
  ])("of the %s is one that systemd accepts and calls well protected", (name, text, most) => {
    const folder = mkdtempSync(join(tmpdir(), "unit-"));
    try {
      const path = join(folder, `proteus-${name}.service`);
      writeFileSync(path, text);
      const verified = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
      expect([verified.status, verified.stderr]).toEqual([0, ""]);
      const judged = spawnSync(
        "systemd-analyze",
        ["security", "--offline=true", `--threshold=${most}`, path],
        {
          encoding: "utf8",
        },
      );
      expect(judged.status, judged.stdout).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
