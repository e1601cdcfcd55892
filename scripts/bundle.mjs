// `npm run bundle`: one archive with Node, Proteus and everything that it needs, for machines
// that have nothing but a C library: docs/DEPLOY.md unpacks it.
//
// - build/proteus-VERSION-linux-ARCH.tar.gz holds opt/proteus: bin/node, bin/proteus, and lib,
//   the package as `npm pack` would take it, with the compiled driver and its dependencies.
// - Taken from this checkout as it is built and installed: nothing is downloaded.
// - An argument is another folder to write to; `--fast` compresses less.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { at, isMain, root } from "./files.mjs";

const manifest = JSON.parse(readFileSync(at("package.json"), "utf8"));
const prefix = "opt/proteus";
/** Of the packages that may be missing those that a deployed machine has use for: bench --between. */
const optional = ["@nats-io/transport-node"];

const launcher = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/../lib/dist/control/cli/main.js" "$@"
`;

/** The folders of all packages that run time needs, from package.json on. */
export function dependencies() {
  const found = new Set();
  const walk = (from, names, needed) => {
    for (const name of names) {
      let folder = from;
      while (!existsSync(join(folder, "node_modules", name, "package.json"))) {
        if (folder === root || folder === dirname(folder)) {
          if (needed) throw new Error(`${name} is not installed: run \`npm ci\` first`);
          folder = null;
          break;
        }
        folder = dirname(folder);
      }
      if (folder === null) continue;
      const path = join(folder, "node_modules", name);
      if (found.has(path)) continue;
      found.add(path);
      const own = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
      walk(path, Object.keys(own.dependencies ?? {}), true);
      walk(path, Object.keys(own.optionalDependencies ?? {}), false);
    }
  };
  walk(root, Object.keys(manifest.dependencies), true);
  walk(root, optional, false);
  return [...found].sort();
}

/** A package's own folder, without what npm nested in it: that is in the list itself. */
const copyOf = (from, to, wanted) =>
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (path) => (path === from || basename(path) !== "node_modules") && wanted(relative(root, path)),
  });

/** Lays opt/proteus out below a folder; of lib only the paths that are `wanted`, and what is in them. */
export function layOut(folder, wanted = () => true) {
  const lib = join(folder, prefix, "lib");
  const bin = join(folder, prefix, "bin");
  mkdirSync(bin, { recursive: true });
  mkdirSync(lib, { recursive: true });
  const own = [
    "package.json",
    "LICENSE",
    "README.md",
    ...manifest.files.filter((path) => !path.startsWith("!")),
  ];
  for (const path of [...own, "build/native/ethernet.node"]) {
    if (!existsSync(at(path))) continue; // without a compiler there is no driver; koffi does it then
    cpSync(at(path), join(lib, path), {
      recursive: true,
      filter: (from) => !basename(from).startsWith(".") && wanted(relative(root, from)),
    });
  }
  for (const path of dependencies()) copyOf(path, join(lib, relative(root, path)), wanted);
  cpSync(process.execPath, join(bin, "node"), { dereference: true });
  writeFileSync(join(bin, "proteus"), launcher);
  chmodSync(join(bin, "proteus"), 0o755);
}

/** Writes the archive into a folder and gives its path. Throws when something is not built. */
export function bundle(target = at("build"), { fast = false } = {}) {
  for (const path of ["dist/control/cli/main.js", "build/release/kernel.wasm"])
    if (!existsSync(at(path))) throw new Error(`${path} is not built: run \`npm run build\` first`);
  mkdirSync(target, { recursive: true });
  const archive = join(target, `proteus-${manifest.version}-linux-${process.arch}.tar.gz`);
  const folder = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    layOut(folder);
    const owner = ["--owner=0", "--group=0", "--numeric-owner"];
    const compress = ["--use-compress-program", fast ? "gzip -1" : "gzip -6"];
    const unfinished = `${archive}.${process.pid}`;
    const tar = spawnSync("tar", ["-cf", unfinished, ...compress, ...owner, "-C", folder, prefix], {
      stdio: "inherit",
    });
    if (tar.status !== 0) {
      rmSync(unfinished, { force: true });
      throw new Error(`tar ended with ${tar.status ?? tar.error?.message}`);
    }
    rmSync(archive, { force: true });
    cpSync(unfinished, archive);
    rmSync(unfinished);
    return archive;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta)) {
  const words = process.argv.slice(2);
  try {
    const [target] = words.filter((word) => !word.startsWith("--"));
    console.log(bundle(target, { fast: words.includes("--fast") }));
  } catch (error) {
    console.error(`bundle: ${error.message}`);
    process.exitCode = 1;
  }
}
