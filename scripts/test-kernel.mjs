// `npm run test:kernel`: the specs of test/kernel, compiled into the kernel's modules.
//
// - Runs as-pect (as-pect.config.js says with which imports) and passes its output on.
// - With PROTEUS_REPORT set it writes {passed, failed, skipped} there for scripts/test.mjs.
// - Arguments go to as-pect: `--test NAME`, `--group NAME`, `--verbose`.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { at, root } from "./files.mjs";

const fixed = ["--config", "as-pect.config.js", "--as-config", "as-pect.asconfig.json"];
const run = spawnSync(
  process.execPath,
  [at("node_modules/as-pect/lib/test.js"), ...fixed, ...process.argv.slice(2)],
  {
    cwd: root,
    env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? "2" : "0" },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  },
);
const output = stripVTControlCharacters(run.stdout ?? "");
process.stdout.write(process.stdout.isTTY ? run.stdout : output);

const totals = /\[Tests\]: (\d+) \/ (\d+)/.exec(output);
const passed = totals ? Number(totals[1]) : 0;
let failed = totals ? Number(totals[2]) - passed : 1;
if (run.status !== 0 && failed === 0) failed = 1;
console.log(`kernel specs: ${passed} passed, ${failed} failed`);
if (process.env.PROTEUS_REPORT) {
  writeFileSync(process.env.PROTEUS_REPORT, JSON.stringify({ passed, failed, skipped: [] }));
}
process.exitCode = failed > 0 ? 1 : 0;
