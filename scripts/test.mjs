// `npm test`, `npm run test:long`, `npm run test:nightly`: every runner of a tier, one sum.
//
// - quick (at most 15 minutes on 2 cores): linter, types, kernel specs, unit, simulation, fuzz and
//   end-to-end tests. `--long`: simulation and fuzz with more seeds, unit and end-to-end on Node 24,
//   without the end-to-end files that are the same in every tier (vitest.config.ts). `--nightly`: all
//   of it, for as long as it takes.
// - The last line is `N passed, N failed`. A linter or type check counts as one test; a
//   runner that crashes, hangs or reports nothing counts as a failure. Before it every failure is
//   named on a line of its own, so that the end of a log tells what is wrong.
// - Skipped tests are listed with their reasons; with CI=true each counts as failed.
// - Names after the options pick runners: `node scripts/test.mjs unit`.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, filesBelow, root } from "./files.mjs";
import { setup } from "./setup.mjs";

const minute = 60_000;
const tier = process.argv.includes("--nightly")
  ? "nightly"
  : process.argv.includes("--long")
    ? "long"
    : "quick";
const limit = { quick: 20 * minute, long: 60 * minute, nightly: 24 * 60 * minute }[tier];
const node24 = at("build/node24/node_modules/.bin/node");
const reports = at("build/reports");
const colours = process.stdout.isTTY ? {} : { NO_COLOR: "1" };

const node = (...args) => [process.execPath, ...args];
const vitestArguments = (project) => [
  at("node_modules/vitest/vitest.mjs"),
  "run",
  ...["--project", project, "--reporter", "default", "--reporter", at("scripts/test-reporter.mjs")],
];
const vitest = (project, on = process.execPath, ...more) => ({
  command: [on, ...vitestArguments(project), ...more],
  present: filesBelow(`test/${project}`).some((path) => path.endsWith(".test.ts")),
});

/** Its files several at a time where they may, then those that must be alone (vitest.config.ts). */
const endToEnd = (on) => ({
  parts: [
    { part: "together", ...vitest("end-to-end", on, "--maxWorkers", "2") },
    { part: "alone", ...vitest("end-to-end", on) },
  ],
});

const runners = {
  lint: { command: ["npm", "run", "--silent", "lint"], single: true },
  typecheck: {
    command: node(at("node_modules/typescript/bin/tsc"), "--project", "tsconfig.json"),
    single: true,
  },
  kernel: { command: node(at("scripts/test-kernel.mjs")) },
  unit: vitest("unit"),
  fuzz: vitest("fuzz"),
  simulation: vitest("simulation"),
  "end-to-end": endToEnd(),
  "unit-node24": vitest("unit", node24),
  "end-to-end-node24": endToEnd(node24),
};
const ofTier = {
  quick: ["lint", "typecheck", "kernel", "unit", "simulation", "fuzz", "end-to-end"],
  long: ["simulation", "fuzz", "unit-node24", "end-to-end-node24"],
  nightly: Object.keys(runners),
};

/** Fetches Node 24 into build/, once. Returns why not, or null. */
function fetchNode24() {
  if (existsSync(node24)) return null;
  const folder = at("build/node24");
  mkdirSync(folder, { recursive: true });
  const settings = { private: true, allowScripts: { node: true } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(settings));
  const install = spawnSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", "node@24"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 5 * minute,
  });
  return install.status === 0 && existsSync(node24) ? null : "Node 24 could not be fetched from npm";
}

/** Runs one runner and returns what it reported: {passed, failed, skipped}. */
function count(name, { command, parts = [], part, single = false, present = true }) {
  if (parts.length > 0) {
    const counts = parts.map((each) => count(`${name}-${each.part}`, each));
    const sum = (key) => counts.reduce((total, each) => total + each[key], 0);
    return {
      passed: sum("passed"),
      failed: sum("failed"),
      failures: counts.flatMap(({ failures }) => failures),
      skipped: counts.flatMap(({ skipped }) => skipped),
    };
  }
  if (!present) return { passed: 0, failed: 0, failures: [], skipped: [] };
  const report = join(reports, `${name}.json`);
  rmSync(report, { force: true });
  console.log(`\n── ${name}`);
  const began = performance.now();
  const result = spawnSync(command[0], command.slice(1), {
    cwd: root,
    env: {
      ...{ ...process.env, ...colours, PROTEUS_TIER: tier, PROTEUS_REPORT: report },
      ...(part === undefined ? {} : { PROTEUS_END_TO_END: part }),
    },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: limit,
  });
  const ok = result.status === 0;
  took.push(`${name} ${((performance.now() - began) / 1000).toFixed(0)} s`);
  const end = String(result.error?.message ?? result.signal ?? result.status);
  const fails = (reason) => [{ name, reason }];
  if (single) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, failures: ok ? [] : fails(end), skipped: [] };
  if (!existsSync(report))
    return { passed: 0, failed: 1, failures: fails(`ended without a report (${end})`), skipped: [] };
  const counts = { failures: [], ...JSON.parse(readFileSync(report, "utf8")) };
  if (!ok && counts.failed === 0)
    return { ...counts, failed: 1, failures: fails(`no test failed, but it ended with ${end}`) };
  return { ...counts, failures: counts.failures.map((each) => ({ ...each, name: `${name}: ${each.name}` })) };
}

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = named.filter((name) => !(name in runners));
if (unknown.length > 0) {
  console.error(`no such runner: ${unknown.join(", ")}; there are ${Object.keys(runners).join(", ")}`);
  process.exit(2);
}
if (!setup({ test: true }).ready) {
  console.log("0 passed, 1 failed");
  process.exit(1);
}

mkdirSync(reports, { recursive: true });
const took = [];
const total = { passed: 0, failed: 0, failures: [], skipped: [] };
for (const name of named.length > 0 ? named : ofTier[tier]) {
  const missing = name.endsWith("-node24") ? fetchNode24() : null;
  const counts = missing
    ? { passed: 0, failed: 0, failures: [], skipped: [{ name, reason: missing }] }
    : count(name, runners[name]);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.failures.push(...counts.failures);
  total.skipped.push(...counts.skipped.map((skip) => ({ ...skip, name: `${name}: ${skip.name}` })));
}

console.log(`\ntook: ${took.join(", ")}`);
const strict = process.env.CI === "true";
if (total.skipped.length > 0) {
  console.log(`${total.skipped.length} skipped${strict ? ", which fails in CI" : ""}:`);
  for (const { name, reason } of total.skipped) console.log(`  ${name}: ${reason || "no reason given"}`);
}
for (const { name, reason } of total.failures) console.log(`FAILED ${name}: ${reason}`);
const failed = total.failed + (strict ? total.skipped.length : 0);
console.log(`${total.passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
