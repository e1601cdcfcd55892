// Makes a fresh clone runnable: system packages, npm packages, build.
//
// - Plain Node without dependencies: it runs first, also before `npm ci`.
// - As root on a system with apt it installs what is missing; otherwise it prints the
//   command that would, and goes on: without these tools Proteus does less, and says so.
// - With --test it installs what only tests need as well (a Debian package may start its server),
//   with --bench what benchmarks measure against.
// - Each part is skipped when nothing is missing or stale, so that start and test can
//   call it every time (well under a second).

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { at, isFresh, isMain, root, steps } from "./files.mjs";

/**
 * Debian packages by what shows that they are there, and what they are for: the table that
 * `proteus doctor` reads too. Installed "always", for tests, with --bench, or never by this script.
 */
const needs = JSON.parse(readFileSync(at("scripts/needs.json"), "utf8"));

function onPath(command) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const missingNeeds = (wanted) =>
  needs.filter(
    (need) => wanted.includes(need.setup) && (need.file ? !existsSync(need.file) : !onPath(need.command)),
  );

function run(command, args, environment = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ["ignore", 2, 2], // stdout belongs to the command that called setup
  });
  return result.status === 0;
}

/** Installs system packages when it may; returns whether none is missing afterwards. */
function installSystemPackages(wanted) {
  const missing = missingNeeds(wanted);
  if (missing.length === 0) return true;
  const install = ["install", "-y", "--no-install-recommends", ...missing.map((need) => need.package)];
  console.error("Missing system packages:");
  for (const need of missing) console.error(`  ${need.package}, for ${need.purpose}`);
  if (process.getuid?.() === 0 && onPath("apt-get")) {
    const quiet = { DEBIAN_FRONTEND: "noninteractive" };
    if (run("apt-get", ["-q", "update"], quiet) && run("apt-get", ["-q", ...install], quiet)) return true;
  }
  console.error(`Install them with:\n  sudo apt-get update && sudo apt-get ${install.join(" ")}`);
  return false;
}

/** npm's own record of what it installed is older than the lock file, or not there. */
function npmPackagesAreStale() {
  const record = at("node_modules/.package-lock.json");
  return !existsSync(record) || statSync(record).mtimeMs < statSync(at("package-lock.json")).mtimeMs;
}

/** Installs npm packages, which also builds; native ones against this Node's own headers. */
function installNpmPackages() {
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include/node/node.h")) ? { npm_config_nodedir: prefix } : {};
  const npm = process.env.npm_execpath;
  const ci = ["ci", "--include=dev", "--no-audit", "--no-fund"];
  return npm?.endsWith("npm-cli.js") ? run(process.execPath, [npm, ...ci], headers) : run("npm", ci, headers);
}

/** Runs every part that is due. Returns whether Proteus can run now, and prints what to do if not. */
export function setup({ test = false, bench = false } = {}) {
  const wanted = ["always", ...(test ? ["test"] : []), ...(bench ? ["bench"] : [])];
  const complete = installSystemPackages(wanted);
  if (npmPackagesAreStale() && !installNpmPackages()) {
    console.error("npm ci failed: see its message above. With the network back, try `npm run setup` again.");
    return { ready: false, complete };
  }
  if (!steps.every(isFresh) && !run(process.execPath, [at("scripts/build.mjs"), "--stale"])) {
    return { ready: false, complete };
  }
  return { ready: true, complete };
}

if (isMain(import.meta)) {
  const { ready, complete } = setup({
    test: process.argv.includes("--test"),
    bench: process.argv.includes("--bench"),
  });
  if (ready && complete) console.error("Everything is in place.");
  process.exitCode = ready && complete ? 0 : 1;
}
