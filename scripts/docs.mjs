// `npm run docs`: the reference, into build/docs (not in git). From the sources, so that it is
// never stale: servers.md from the tables of servers, library/ from the types by TypeDoc.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { at, root } from "./files.mjs";

const tables = at("dist/control/interface/tables.js");
if (!existsSync(tables)) {
  console.error("docs: dist is missing\n  next: npm run build");
  process.exit(1);
}
const { serverTables } = await import(tables);
const { referencePage } = await import(at("dist/control/interface/reference.js"));
mkdirSync(at("build/docs"), { recursive: true });
writeFileSync(at("build/docs/servers.md"), referencePage(serverTables));
const entries = ["control/library/index.ts", "simulation/index.ts"];
const typedoc = spawnSync(
  process.execPath,
  [at("node_modules/typedoc/bin/typedoc"), "--options", at("typedoc.json"), ...entries],
  { cwd: root, stdio: "inherit" },
);
if (typedoc.status !== 0) process.exit(1);
console.log("build/docs/servers.md, build/docs/library/index.html");
