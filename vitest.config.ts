// The TypeScript tests: one project a folder of test/, so that each can run alone.
//
// - PROTEUS_TIER (quick, long, nightly) is read by the tests themselves: it says how
//   many seeds, frames and runs they take.
// - End-to-end tests: one file at a time, unless PROTEUS_END_TO_END says which part is meant:
//   `together` are files that mostly wait for processes and share nothing, several at a time;
//   `alone` those that measure, or whose promises have a time. scripts/test.mjs runs both parts.
// - Nothing is retried: a test that passes the second time is a bug not yet found.

import { defineConfig } from "vitest/config";

const second = 1000;
const minute = 60 * second;
const tier = process.env.PROTEUS_TIER ?? "quick";
const patience = tier === "quick" ? 1 : tier === "long" ? 6 : 60;

interface Limits {
  readonly testTimeout: number;
  readonly fileParallelism?: boolean;
  readonly include?: string[];
  readonly exclude?: string[];
}

const project = (name: string, limits: Limits) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    hookTimeout: limits.testTimeout,
    pool: "forks" as const,
    ...limits,
  },
});

const path = (name: string): string => `test/end-to-end/${name}.test.ts`;
/** End-to-end tests that want the cores for themselves. */
const alone = [
  ...["bench", "bench-boot", "bench-group", "bench-kernel", "controls"], // measure
  ...["tap", "ethernet"], // drop what is late
  ...["failover", "group", "group-crashes", "store-crash"], // count frames and moments
].map(path);
/** Too long for the quick tier, where others go through the same servers, groups and stores. */
const longOnly =
  tier === "quick"
    ? [
        ...["bench", "bench-boot", "bench-group", "boot-formats", "boot-serve"],
        ...["bullet", "capabilities", "directory-crash", "disk", "gc", "group", "group-crashes", "isolation"],
        ...["disk-scenarios", "disk-split", "disk-upkeep", "metal", "nbd", "nbd-server", "replication"],
        ...["fs", "fs-cells", "fs-posix", "fuse", "metal-console", "metal-disk", "metal-group", "metal-pc"],
        ...["segment-map", "side-by-side", "store-etcd"],
      ].map(path)
    : [];
/** The same in every tier, and little of it a matter of Node.js: CI has played them in the quick one. */
const quickOnly =
  tier === "long"
    ? [
        ...["bad-input", "calls", "capture", "completion", "deploy", "ethernet", "failover", "files"],
        ...["lab", "lab-crash", "lab-demo", "lab-pool", "node-service", "router", "table", "tap"],
        ...["raw-ip", "wires"], // raw-socket is built for the quick tier's Node.js
      ].map(path)
    : [];
/**
 * Scenarios of disks: one of each kind is in disk-scenarios, which the long tier plays too. A machine
 * that boots Linux: it takes a package of Debian's from the network.
 */
const nightlyOnly =
  tier === "nightly"
    ? []
    : ["boot-linux", "disk-changes", "disk-media", "disk-network", "disk-power"].map(path);
const elsewhere = [...longOnly, ...quickOnly, ...nightlyOnly];
const part = process.env.PROTEUS_END_TO_END;
const parted =
  part === "alone"
    ? { include: alone, exclude: elsewhere }
    : { exclude: [...(part === "together" ? alone : []), ...elsewhere] };

export default defineConfig({
  test: {
    projects: [
      project("unit", { testTimeout: 30 * second }),
      project("fuzz", { testTimeout: 5 * minute * patience }),
      project("simulation", { testTimeout: 5 * minute * patience }),
      project("end-to-end", {
        testTimeout: 2 * minute * patience,
        fileParallelism: part === "together",
        ...parted,
      }),
    ],
    coverage: { provider: "v8", include: ["control/**", "drivers/**", "simulation/**"] },
  },
});
