// `npm test`, `npm run test:long`, `npm run test:nightly`: every runner of a tier, one sum.
//
// - quick (at most 15 minutes on 2 cores): linter, types, kernel specs, unit, simulation, fuzz and
//   end-to-end tests. `--long`: simulation and fuzz with more seeds, unit and end-to-end on Node 24,
//   without the end-to-end files that are the same in every tier (vitest.config.ts). `--nightly`: all
//   of it, for as long as it takes.
// - The last line is `N passed, N failed`. A linter or type check counts as one test; a
//   runner that crashes, hangs or reports nothing counts as a failure. Before it every failure is
//   named on a line of its own, so that the end of a log tells what is wrong.
// - A tier has an end: what runs then is stopped with all its processes, and the files that had not
//   ended are named; runners that did not begin any more count as failures too.
// - Skipped tests are listed with their reasons; with CI=true each counts as failed.
// - Names after the options pick runners: `node scripts/test.mjs unit`.

import { spawn, spawnSync } from "node:child_process";
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
const limit = { quick: 22 * minute, long: 64 * minute, nightly: 24 * 60 * minute }[tier];
const ends = performance.now() + limit;
const node24 = at("build/node24/node_modules/.bin/node");
const reports = at("build/reports");
const colours = process.stdout.isTTY ? {} : { NO_COLOR: "1" };

const node = (...args) => [process.execPath, ...args];
const vitestArguments = (project) => [
  at("node_modules/vitest/vitest.mjs"),
  "run",
  ...["--project", project, "--reporter", "default", "--reporter", at("scripts/test-reporter.mjs")],
];
/** On both cores, if not told otherwise: by itself vitest leaves one of two to itself. */
const vitest = (project, on = process.execPath, workers = 2) => ({
  command: [on, ...vitestArguments(project), "--maxWorkers", String(workers)],
  present: filesBelow(`test/${project}`).some((path) => path.endsWith(".test.ts")),
});

/** Its files several at a time where they may, then those that must be alone (vitest.config.ts). */
const endToEnd = (on) => ({
  parts: [
    { part: "together", ...vitest("end-to-end", on) },
    { part: "alone", ...vitest("end-to-end", on, 1) },
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

/** What runs, to be stopped with this program. */
let running = null;
const stopRunning = () => {
  try {
    if (running !== null) process.kill(-running, "SIGKILL"); // with all that it started
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    stopRunning();
    process.exit(1);
  });

/** Runs a command to its end or the tier's. Returns its status, or in words why it has none. */
function run([program, ...args], env) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...{ cwd: root, env, stdio: ["ignore", "inherit", "inherit"] },
      detached: true, // a process group of its own
    });
    running = child.pid ?? null;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stopRunning();
    }, ends - performance.now());
    const ended = (how) => {
      clearTimeout(timer);
      running = null;
      resolve(late ? "no end in the tier's time" : how);
    };
    child.on("error", (error) => ended(error.message));
    child.on("exit", (code, signal) => ended(code ?? signal));
  });
}

/** Runs one runner and returns what it reported: {passed, failed, failures, skipped}. */
async function count(name, { command, parts = [], part, single = false, present = true }) {
  if (parts.length > 0) {
    const counts = [];
    for (const each of parts) counts.push(await count(`${name}-${each.part}`, each));
    const sum = (key) => counts.reduce((total, each) => total + each[key], 0);
    return {
      passed: sum("passed"),
      failed: sum("failed"),
      failures: counts.flatMap(({ failures }) => failures),
      skipped: counts.flatMap(({ skipped }) => skipped),
    };
  }
  if (!present) return { passed: 0, failed: 0, failures: [], skipped: [] };
  const fails = (reason) => [{ name, reason }];
  if (performance.now() >= ends)
    return { passed: 0, failed: 1, failures: fails("not begun: the tier's time is over"), skipped: [] };
  const report = join(reports, `${name}.json`);
  rmSync(report, { force: true });
  console.log(`\n── ${name}`);
  const began = performance.now();
  const end = await run(command, {
    ...{ ...process.env, ...colours, PROTEUS_TIER: tier, PROTEUS_REPORT: report },
    ...(part === undefined ? {} : { PROTEUS_END_TO_END: part }),
  });
  const ok = end === 0;
  took.push(`${name} ${((performance.now() - began) / 1000).toFixed(0)} s`);
  if (single) return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, failures: ok ? [] : fails(end), skipped: [] };
  if (!existsSync(report))
    return { passed: 0, failed: 1, failures: fails(`ended without a report (${end})`), skipped: [] };
  const counts = { failures: [], unended: [], ...JSON.parse(readFileSync(report, "utf8")) };
  const within = counts.unended.length > 0 ? ` in ${counts.unended.join(", ")}` : "";
  if (within !== "" || (!ok && counts.failed === 0)) {
    counts.failed += 1;
    counts.failures.push({ name: "all of it", reason: `ended with ${end}${within}` });
  }
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
    : await count(name, runners[name]);
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
