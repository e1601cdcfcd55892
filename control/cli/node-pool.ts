// `proteus node list|show|drain|undrain|forget`: the machines of a pool, as its control daemons
// know them.
//
// - Faults stand below the list; only `proteus status` makes an exit code of them.
// - --watch shows the list again after every change: in place on a terminal, elsewhere a line
//   for each change, with --json a document for each.

import type { Command } from "@commander-js/extra-typings";
import pc from "picocolors";
import type { NodeFault } from "../interface/node-faults.js";
import type { NodeState, PoolEvent, PoolNode } from "../interface/pool.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { type Access, accessHelp, type Found, findControl, overlaid, withAccess } from "./control-access.js";
import { untilStopped } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { parseDuration } from "./quantity.js";
import { table } from "./table.js";

const listHelp = `
up: it answers. draining: it answers, and gets nothing new. unreachable: it does not answer,
and has not said why. down: it said that it stops, or its lab switched it off.
asked, loading, booted: it boots over the network (proteus boot serve), and has come so far;
with --json the state is booting. In the pool it is up.
Two machines with one name are shown with the beginning of their kernel's address: n1#e7cf.
${accessHelp}

Examples:
  proteus node list
  proteus node list --watch
  proteus node list --json | jq -r '.nodes[] | select(.state != "up") | .name'`;

const showHelp = `
With servers and their ports, and the last status that the machine gave.
${accessHelp}

Examples:
  proteus node show n1
  proteus node show n1 --json`;

const drainHelp = `
A machine that drains goes on with what it has, and takes nothing new: segment create is
refused there. It stays so when machine and daemons start again. --wait returns when the
machine itself says that it has no segment left, or has heard of it when it has none.
${accessHelp}

Examples:
  proteus node drain n1
  proteus node drain n1 --wait --timeout 30s
  proteus node drain n1 --dry-run`;

const undrainHelp = `
${accessHelp}

Example:
  proteus node undrain n1`;

const forgetHelp = `
For a machine that is gone for good. One that answers cannot be forgotten: stop it first. A
machine that comes back is in the list again. Also for control daemons that are gone.
${accessHelp}

Examples:
  proteus node forget n1 --dry-run
  proteus node forget n1#e7cf`;

interface Options extends Access {
  readonly timeout: string;
  readonly json: boolean;
}

/** Adds the commands that ask a control daemon to `node`. */
export function registerPoolNodes(node: Command): void {
  const named = (name: string, description: string, help: string): Command => {
    const command = node.command(name).description(description).addHelpText("after", help);
    return withAccess(command as unknown as Command).option(
      "--json",
      "one JSON document on stdout",
      false,
    ) as unknown as Command;
  };
  named("list", "the machines of the pool, and what an administrator should mend", listHelp)
    .option("--watch", "again after every change; Ctrl-C ends it", false)
    .option("--timeout <duration>", "how long a daemon may take to answer", "3s")
    .action(async (options) => {
      const given = options as unknown as Options & { readonly watch: boolean };
      const found = findControl(given, timeoutOf(given));
      if (given.watch) await watch(found, given.json);
      else await list(found, given.json);
    });
  named("show", "a machine of the pool: state, servers, interfaces, load", showHelp)
    .argument("<name>", "as `node list` shows it")
    .option("--timeout <duration>", "how long a daemon may take to answer", "3s")
    .action(async (name, options) => {
      const given = options as unknown as Options;
      const shown = await nodeOf(findControl(given, timeoutOf(given)), name);
      emit("node show", given.json, { node: shown }, () => nodeText(shown));
    });
  named("drain", "have a machine take nothing new", drainHelp)
    .argument("<name>", "as `node list` shows it")
    .option("--dry-run", "say what would be done, and do nothing", false)
    .option("--wait", "until the machine has no segments left", false)
    .option("--timeout <duration>", "how long to wait", "30s")
    .action(async (name, options) => {
      const given = options as unknown as Options & { readonly dryRun: boolean; readonly wait: boolean };
      await drain(findControl(given), name, given);
    });
  named("undrain", "have a machine take new work again", undrainHelp)
    .argument("<name>", "as `node list` shows it")
    .action(async (name, options) => {
      const given = options as unknown as Options;
      const after = await findControl(given).client.drain(name, false);
      emit("node undrain", given.json, { node: after }, () => `${after.name} takes new work again`);
    });
  named("forget", "strike a machine that is gone from the list", forgetHelp)
    .argument("<name>", "as `node list` shows it")
    .option("--dry-run", "say what would be done, and do nothing", false)
    .action(async (name, options) => {
      const given = options as unknown as Options & { readonly dryRun: boolean };
      await forget(findControl(given), name, given);
    });
}

const timeoutOf = ({ timeout }: Options): number => Math.ceil(parseDuration(timeout));

// ---- how it looks ------------------------------------------------------------------

const marks: Readonly<Record<NodeState, (text: string) => string>> = {
  up: pc.green,
  draining: pc.yellow,
  unreachable: pc.red,
  down: pc.dim,
  booting: pc.cyan,
};

/** Of a machine that boots how far it is. */
const stateText = ({ state, boot }: PoolNode): string =>
  state === "booting" && boot !== undefined ? boot.step : state;

const seconds = (milliseconds: number): string =>
  milliseconds < 1000 ? "now" : `${Math.floor(milliseconds / 1000)} s`;

function upText({ status }: PoolNode): string {
  const { uptimeSeconds } = status ?? {};
  if (uptimeSeconds === undefined) return "-";
  if (uptimeSeconds < 120) return `${Math.floor(uptimeSeconds)} s`;
  if (uptimeSeconds < 7200) return `${Math.floor(uptimeSeconds / 60)} min`;
  return uptimeSeconds < 172_800
    ? `${Math.floor(uptimeSeconds / 3600)} h`
    : `${Math.floor(uptimeSeconds / 86_400)} d`;
}

function loadText({ status }: PoolNode): string {
  const load = status?.load;
  const [first] = Array.isArray(load) ? load : [];
  return typeof first === "number" ? first.toFixed(2) : "-";
}

function seenText({ state, boot, silentMs }: PoolNode): string {
  const since = state === "booting" ? (boot?.sinceMs ?? null) : silentMs;
  return since === null ? "-" : seconds(since);
}

/** The machines and what is wrong with them, for people; `colours` only on a terminal. */
export function listText(nodes: readonly PoolNode[], faults: readonly NodeFault[], colours: boolean): string {
  if (nodes.length === 0) return "no machine of the pool has announced itself yet";
  const rows = nodes.map((node) => [
    node.name,
    node.kind,
    colours ? marks[node.state](stateText(node)) : stateText(node),
    seenText(node),
    ...(node.state === "up" || node.state === "draining" ? [upText(node), loadText(node)] : ["-", "-"]),
    (node.status?.interfaces ?? []).map(({ name, mtu }) => `${name} (${mtu ?? "?"})`).join(", ") || "-",
    node.version ?? "-",
  ]);
  const head = ["NAME", "KIND", "STATE", "SEEN", "UP", "LOAD", "INTERFACES (MTU)", "VERSION"];
  return [table(head, rows), ...faults.flatMap(({ message, hint }) => [message, `  next: ${hint}`])].join(
    "\n",
  );
}

function nodeText(node: PoolNode): string {
  const { name, kind, state, draining, address, version, servers, silentMs, status, boot } = node;
  const { interfaces = [], uptimeSeconds, ...rest } = status ?? { name };
  const word = (value: unknown): string =>
    typeof value === "object" ? JSON.stringify(value) : String(value);
  const facts: [string, unknown][] = [
    ["name", name],
    ["kind", kind],
    ["state", state],
    ...(draining && state !== "draining" ? [["draining", "yes"] as [string, unknown]] : []),
    ["boots", boot === undefined ? undefined : `${boot.mac}, ${boot.step} ${seconds(boot.sinceMs)}`],
    ["kernel", address === "" ? undefined : address],
    ["version", version ?? "unknown"],
    ["seen", silentMs === null ? "never" : silentMs < 1000 ? "now" : `${seconds(silentMs)} ago`],
    ["up", uptimeSeconds === undefined ? undefined : `${uptimeSeconds} s`],
    ["load", rest.load],
    ["memory", rest.memory],
    ["segments", rest.segments],
    ...Object.entries(servers).map(([server, port]): [string, unknown] => [`server ${server}`, port]),
    ...interfaces.map(({ name: own, ...facts }): [string, unknown] => [`interface ${own}`, facts]),
  ];
  return facts
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.padEnd(16)} ${word(value)}`)
    .join("\n");
}

// ---- what is done ------------------------------------------------------------------

async function look({
  client,
  lab,
}: Found): Promise<{ nodes: readonly PoolNode[]; faults: readonly NodeFault[] }> {
  const [nodes, faults] = await Promise.all([client.nodes(), client.faults()]);
  return { nodes: overlaid(nodes, lab), faults };
}

async function nodeOf({ client, lab }: Found, name: string): Promise<PoolNode> {
  const off = overlaid([], lab).find((node) => node.name === name);
  try {
    const [node] = overlaid([await client.node(name)], lab);
    if (node !== undefined) return node;
  } catch (error) {
    if (off === undefined || !(error instanceof ProteusError) || error.code !== "NODE_UNKNOWN") throw error;
  }
  return off ?? client.node(name);
}

async function list(found: Found, json: boolean): Promise<void> {
  const { nodes, faults } = await look(found);
  const colours = process.stdout.isTTY === true && pc.isColorSupported;
  emit("node list", json, { nodes, faults }, () => listText(nodes, faults, colours));
}

const home = "\u001b[H\u001b[J";
/** On a terminal the list is drawn anew so often even when nothing changes: times pass. */
const redrawMs = 2000;
/** A daemon that ended is followed by the next; when none is there, we look so often. */
const againMs = 1000;

function pauseOr(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}

const eventText = ({ kind, subject }: PoolEvent): string => `${kind} ${subject}`;

/** Shows the list after every change until a signal; goes on with another daemon when one ends. */
async function watch(found: Found, json: boolean): Promise<void> {
  const stopped = untilStopped();
  const abort = new AbortController();
  void stopped.promise.then(
    () => abort.abort(),
    () => abort.abort(),
  );
  const { signal } = abort;
  const terminal = process.stdout.isTTY === true && !json;
  let known = ""; // the states that were shown last
  const show = async (event: PoolEvent | null): Promise<void> => {
    const { nodes, faults } = await look(found);
    const states = nodes.map((node) => `${node.name} ${stateText(node)}`);
    if (terminal) process.stdout.write(`${home}${listText(nodes, faults, pc.isColorSupported)}\n`);
    else if (json) emit("node list", true, { ...(event === null ? {} : { event }), nodes, faults }, () => "");
    else if (event !== null) process.stdout.write(`${eventText(event)}\n`);
    else if (known !== states.join("\n")) process.stdout.write(`${states.join("\n")}\n`);
    known = states.join("\n");
  };
  const redraw = async (): Promise<void> => {
    while (terminal && !signal.aborted) {
      await pauseOr(redrawMs, signal);
      if (!signal.aborted) await show(null).catch(() => undefined); // the stream says it
    }
  };
  const drawing = redraw();
  while (!signal.aborted) {
    try {
      for await (const event of found.client.events(signal)) await show(event);
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof ProteusError) || error.exit !== exitCodes.unreachable) {
        abort.abort();
        throw error;
      }
      narrate(`${error.message}: ${error.why ?? "it looks again"}`);
    }
    await pauseOr(againMs, signal);
  }
  await drawing;
}

const waitMs = 250;

/** How many segments a machine says that it has; null: it says nothing of it. */
function segmentsOf({ status }: PoolNode): number | null {
  const segments = status?.segments;
  const count = (segments as { readonly count?: unknown } | undefined)?.count;
  return typeof count === "number" ? count : null;
}

async function drain(
  found: Found,
  name: string,
  { dryRun, wait, timeout, json }: Options & { readonly dryRun: boolean; readonly wait: boolean },
): Promise<void> {
  const timeoutMs = parseDuration(timeout);
  if (dryRun) {
    const before = await nodeOf(found, name);
    const words = before.draining
      ? `${before.name} drains already: nothing would change`
      : `${before.name} (${before.state}) would take nothing new from now on`;
    emit("node drain", json, { dryRun, node: before }, () => words);
    return;
  }
  let after = await found.client.drain(name);
  if (wait) after = await untilEmpty(found, after, timeoutMs);
  const words = wait ? `${after.name} is empty and takes nothing new` : `${after.name} takes nothing new`;
  emit("node drain", json, { dryRun, node: after }, () => words);
}

/** Waits until a draining machine has heard of it and has no segments. Rejects with NODE_NOT_EMPTY. */
async function untilEmpty(found: Found, from: PoolNode, timeoutMs: number): Promise<PoolNode> {
  const end = performance.now() + timeoutMs;
  let now = from;
  while (performance.now() < end) {
    now = await nodeOf(found, from.name);
    if (now.state === "down") return now;
    if (now.status?.draining === true && (segmentsOf(now) ?? 0) === 0) return now;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  const left = segmentsOf(now);
  throw new ProteusError({
    code: "NODE_NOT_EMPTY",
    exit: exitCodes.unreachable,
    message: `${from.name} is not empty after ${timeoutMs / 1000} s`,
    why:
      now.state === "unreachable"
        ? "it does not answer"
        : now.status?.draining === true
          ? `it has ${left} segments`
          : "it has not heard yet that it drains",
    unchanged: "it drains on and takes nothing new",
    hint: `destroy what is there, or wait longer with --timeout; proteus node undrain ${from.name} takes it back`,
  });
}

async function forget(
  found: Found,
  name: string,
  { dryRun, json }: Options & { readonly dryRun: boolean },
): Promise<void> {
  if (dryRun) {
    const node = await found.client.node(name);
    const answers = node.state === "up" || node.state === "draining";
    const words = answers
      ? `${node.name} answers and would not be forgotten: stop it first`
      : `${node.name} (${node.state}) would be struck from the list`;
    emit("node forget", json, { dryRun, node }, () => words);
    return;
  }
  await found.client.forget(name);
  emit("node forget", json, { dryRun, forgotten: name }, () => `${name} is struck from the list`);
}
