// The determinism lint: which files may touch the outside world themselves.
//
// - Outside the folders below, clock, timers, randomness, network, disk and store come
//   in as arguments. That is what lets the simulator run the same code in virtual time.
// - Also forbidden there: to reach the same things through `globalThis` or `process`.

import ts from "typescript";
import { importsOf, lineOf, parse, type Source, walk } from "./sources.js";

/** Folders whose business is the outside world. */
export const hostSide: readonly string[] = [
  "drivers/",
  "control/cli/",
  "control/node/",
  "control/lab/",
  "control/machine/",
  "control/bench/",
  "control/web/",
  "control/library/",
  "boot/",
  "scripts/",
  "test/",
];

const forbiddenGlobals = new Set([
  ...["Date", "performance", "crypto", "fetch", "WebSocket", "Worker"],
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
]);

const forbiddenMembers = new Map([
  ["Math", new Set(["random"])],
  ["process", new Set(["hrtime", "nextTick", "uptime", "env", "argv", "cpuUsage", "memoryUsage"])],
  ["globalThis", forbiddenGlobals],
  ["Atomics", new Set(["wait", "waitAsync"])],
]);

/** The built-in modules without clock, disk, network, process or randomness. */
const innocentBuiltins = new Set(["assert", "buffer", "events", "string_decoder", "url", "util", "path"]);

const nativePackages =
  /^(koffi|lmdb|classic-level|better-sqlite3|etcd3|@grpc|serialport|raw-socket|node-raw-socket)($|\/)/;

function importFault(specifier: string): string | null {
  if (nativePackages.test(specifier)) return `imports ${specifier}`;
  if (specifier.startsWith("node:") && !innocentBuiltins.has(specifier.slice(5).split("/")[0] ?? "")) {
    return `imports ${specifier}`;
  }
  return null;
}

/** True for an identifier that is used as a value and names a global. */
function isUseOfGlobal(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent))
    return false;
  return !(ts.isPropertySignature(parent) || ts.isMethodSignature(parent) || ts.isMethodDeclaration(parent));
}

function nodeFault(node: ts.Node): string | null {
  if (ts.isIdentifier(node) && forbiddenGlobals.has(node.text) && isUseOfGlobal(node))
    return `uses ${node.text}`;
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const { text } = node.expression;
    if (forbiddenMembers.get(text)?.has(node.name.text)) return `uses ${text}.${node.name.text}`;
  }
  return null;
}

/** Every use of the outside world where it is not allowed, one sentence each. */
export function determinismFaults(sources: readonly Source[]): string[] {
  const found: string[] = [];
  for (const source of sources) {
    if (hostSide.some((folder) => source.path.startsWith(folder))) continue;
    for (const specifier of importsOf(source)) {
      const why = importFault(specifier);
      if (why) found.push(`${source.path} ${why}`);
    }
    walk(parse(source), (node) => {
      const why = nodeFault(node);
      if (why) found.push(`${source.path}:${lineOf(node)} ${why}`);
    });
  }
  return found;
}
