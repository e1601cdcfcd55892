// The TypeScript tests: one project a folder of test/, so that each can run alone.
//
// - PROTEUS_TIER (quick, long, nightly) is read by the tests themselves: it says how
//   many seeds, frames and runs they take.
// - End-to-end tests own the machine's namespaces and cores: one file at a time.
// - Nothing is retried: a test that passes the second time is a bug not yet found.

import { defineConfig } from "vitest/config";

const second = 1000;
const minute = 60 * second;
const tier = process.env.PROTEUS_TIER ?? "quick";
const patience = tier === "quick" ? 1 : tier === "long" ? 6 : 60;

const project = (name: string, limits: { testTimeout: number; fileParallelism?: boolean }) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    hookTimeout: limits.testTimeout,
    pool: "forks" as const,
    ...limits,
  },
});

export default defineConfig({
  test: {
    projects: [
      project("unit", { testTimeout: 30 * second }),
      project("fuzz", { testTimeout: 5 * minute * patience }),
      project("simulation", { testTimeout: 5 * minute * patience }),
      project("end-to-end", { testTimeout: 2 * minute * patience, fileParallelism: false }),
    ],
    coverage: { provider: "v8", include: ["control/**", "drivers/**", "simulation/**"] },
  },
});
