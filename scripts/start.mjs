// `npm start`: the demonstration, also as the first command in a fresh clone.
//
// - Setup first, then `proteus lab demo`: three pool machines that find and call each
//   other, the table of FLIP against TCP/IP, and everything taken down again.
// - Signals go on to the demo, which cleans up; its exit code is ours.

import { spawn } from "node:child_process";
import { at, root } from "./files.mjs";
import { setup } from "./setup.mjs";

if (!setup().ready) process.exit(1);

const command = [at("dist/control/cli/main.js"), "lab", "demo", ...process.argv.slice(2)];
const demo = spawn(process.execPath, command, { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => demo.kill(signal));
demo.on("error", (error) => {
  console.error(`The demo did not start: ${error.message}`);
  process.exitCode = 1;
});
demo.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
