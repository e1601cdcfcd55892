// The seed that a commit stands for: each commit explores new ground, and everybody who has
// it explores the same.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { packageRoot, packageVersion } from "./package-files.js";

const seedsMax = 2 ** 31;

/** The commit that is checked out here; outside a checkout, the version. */
export function commitName(): string {
  const git = spawnSync("git", ["rev-parse", "HEAD"], {
    cwd: packageRoot,
    encoding: "utf8",
    timeout: 10_000,
  });
  const name = git.status === 0 ? git.stdout.trim() : "";
  return /^[0-9a-f]{40,64}$/.test(name) ? name : packageVersion();
}

/** A seed between 0 and 2^31 that depends on the commit alone. */
export function commitSeed(commit = commitName()): number {
  return createHash("sha256").update(commit).digest().readUInt32BE(0) % seedsMax;
}
