// The formatter for AssemblyScript: biome, which cannot read decorators on functions.
//
// - A decorator alone on its line becomes a comment, biome formats a copy under
//   build/format, and the comment becomes a decorator again.
// - Without arguments it lists the files that biome would write otherwise and fails;
//   `--write` changes them. Settings are those of biome.json.
// - Tables keep their shape behind `// biome-ignore format: table`.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { at, filesBelow } from "./files.mjs";

const drivers = [
  ...["drivers/virtio", "drivers/virtio-net", "drivers/virtio-blk", "drivers/virtio-rng", "drivers/uart"],
  ...["drivers/pci", "drivers/card", "drivers/e1000e"],
];
const folders = ["core-wasm", "test/kernel", ...drivers, "boot/metal"];
const marker = "//decorator";
const hide = (text) => text.replace(/^(\s*)(@[a-z]+(?:\(.*\))?)$/gm, `$1${marker} $2`);
const show = (text) => text.replaceAll(`${marker} @`, "@");

const copies = at("build/format");
const sources = folders.flatMap(filesBelow).filter((path) => path.endsWith(".ts"));
rmSync(copies, { recursive: true, force: true });
for (const path of sources) {
  mkdirSync(dirname(join(copies, path)), { recursive: true });
  writeFileSync(join(copies, path), hide(readFileSync(at(path), "utf8")));
}
const { formatter, javascript } = JSON.parse(readFileSync(at("biome.json"), "utf8"));
writeFileSync(join(copies, "biome.json"), JSON.stringify({ root: true, formatter, javascript }));
const biome = spawnSync(
  process.execPath,
  [at("node_modules/@biomejs/biome/bin/biome"), "format", "--write"],
  {
    cwd: copies,
    encoding: "utf8",
  },
);
if (biome.status !== 0) {
  console.error(biome.stdout + biome.stderr);
  process.exit(1);
}

const different = sources.filter((path) => {
  const copy = join(copies, path);
  return existsSync(copy) && show(readFileSync(copy, "utf8")) !== readFileSync(at(path), "utf8");
});
for (const path of different) {
  if (process.argv.includes("--write"))
    writeFileSync(at(path), show(readFileSync(join(copies, path), "utf8")));
  console.error(
    `${path}: ${process.argv.includes("--write") ? "formatted" : "not formatted; npm run format"}`,
  );
}
rmSync(copies, { recursive: true, force: true });
process.exitCode = different.length > 0 && !process.argv.includes("--write") ? 1 : 0;
