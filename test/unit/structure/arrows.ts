// The arrows between folders: who may import whom. CONTRACTS.md of the project draws
// them; this is the same drawing in code.
//
// - Each list runs from the bottom to the top: a part may import what stands before it.
// - A server never imports another server: it calls it through its stub.
// - TypeScript knows of core-wasm only its constants.
// - A folder that is in no list is a mistake too: give it a place first.

import { importsOf, isAssemblyScript, isConstants, type Source, targetOf } from "./sources.js";

export const typescriptArrows: readonly string[] = [
  "drivers",
  "control/kernel",
  "control/capability",
  "control/interface",
  "control/stub",
  "control/files",
  "control/collect",
  "control/group",
  "control/store",
  "control/recoverable",
  "control/venus",
  "control/server",
  "control/node",
  "simulation",
  "control/lab",
  "control/machine",
  "boot",
  "control/bench",
  "control/cli",
  "control/library",
  "control/web",
  "test",
];

export const assemblyScriptArrows: readonly string[] = [
  "build/metal/interface", // made from control/interface: scripts/build-metal.mjs
  "core-wasm/host",
  "core-wasm/memory",
  "core-wasm/crypto",
  "core-wasm/wire",
  "core-wasm/flip",
  "core-wasm/rpc",
  "core-wasm/group",
  "core-wasm/mirror",
  "core-wasm/offline",
  "core-wasm/tables",
  "core-wasm/kernel",
  "core-wasm/bench",
  "drivers/virtio",
  "drivers/pci",
  "drivers/card",
  "drivers/virtio-net",
  "drivers/virtio-blk",
  "drivers/virtio-rng",
  "drivers/e1000e",
  "drivers/uart",
  "boot/metal",
  "test/kernel",
];

/** The place of a path in a list, or -1. The path may be a file or a module name. */
function placeOf(path: string, arrows: readonly string[]): number {
  return arrows.findIndex((part) => path === part || path === `${part}.ts` || path.startsWith(`${part}/`));
}

const serverOf = (path: string): string | undefined => /^control\/server\/([^/]+)\//.exec(path)?.[1];

/** Why one import of a source is against the arrows, or null. */
function fault(source: Source, target: string): string | null {
  if (isConstants(target)) return null;
  if (isConstants(source.path)) return "constants import nothing";
  const arrows = isAssemblyScript(source.path) ? assemblyScriptArrows : typescriptArrows;
  const from = placeOf(source.path, arrows);
  const to = placeOf(target, arrows);
  if (from < 0) return "its folder has no place in the arrows";
  const isTest = source.path.startsWith("test/");
  if (to < 0)
    return isTest && target.startsWith("scripts/")
      ? null
      : "the imported folder may not be imported from here";
  if (to > from) return "this runs against the arrows";
  const [server, other] = [serverOf(source.path), serverOf(target)];
  if (server && other && server !== other) return "a server never imports another server";
  return null;
}

/** Every import against the arrows, one sentence each. */
export function arrowFaults(sources: readonly Source[]): string[] {
  const found: string[] = [];
  for (const source of sources) {
    for (const specifier of importsOf(source)) {
      const target = targetOf(source, specifier);
      const why = target === null ? null : fault(source, target);
      if (why) found.push(`${source.path} imports ${target}: ${why}`);
    }
  }
  return found;
}
