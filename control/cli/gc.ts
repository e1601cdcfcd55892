// `proteus gc`: touches whatever has a name, says what has none, and with --age has the servers
// age their objects, so that what nobody touches goes away.
//
// - Servers to be aged: --server, else the Bullet and directory servers of the lab's machines. Of
//   others the capability must be given: a port alone does not allow it.
// - What goes is told before it goes. When not everything could be seen nothing is aged (exit 6).

import type { Command } from "@commander-js/extra-typings";
import { type Capability, capabilityHex } from "../capability/capability.js";
import { parsePort } from "../capability/port.js";
import { setOf } from "../capability/set.js";
import { type CollectedServer, type CollectReport, collect, notGiven } from "../collect/collect.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import { counted, shown } from "./files/report.js";
import { type FilesOptions, filesHelp, onNames, withFiles } from "./files/session.js";
import { collect as gather } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { table } from "./table.js";
import { givenInLab, parseTarget, serverAt } from "./target.js";

interface GcOptions extends FilesOptions {
  readonly age: boolean;
  readonly server: readonly string[];
  readonly also: readonly string[];
}

const help = `
Without --age nothing is aged: what has a name is touched, and it is told what would go. With --age
each server makes its objects a step older; one that nobody has touched for its lifetime (proteus
std getparams) is destroyed, and is told before. Run it at regular intervals, a day, say.
Nothing is aged when a directory could not be listed or a server could not be asked; and not on a
server that did not touch all that has a name.
Objects and directories that no name under the root leads to are kept with --also.
${filesHelp}

Examples:
  proteus gc
  proteus gc --age
  proteus gc --age --server @bullet.capability --server n1:directory-server --also @mine.capability --json

Exit codes: 0 all is well, 3 when there is no root, 5 when the root cannot be reached, 6 when
something could not be seen, or a server was left out.`;

/** Kinds of servers of a lab whose objects have names. */
const kinds = ["bullet", "directory-server"];

interface AgedServer {
  readonly name: string | null;
  readonly capability: Capability;
}

/** The servers that are to age their objects, each once. */
async function serversOf(options: GcOptions): Promise<readonly AgedServer[]> {
  const found = new Map<string, AgedServer>();
  const add = (name: string | null, capability: Capability) => {
    const port = capabilityHex(capability).slice(0, 12);
    if (!found.has(port)) found.set(port, { name, capability });
  };
  for (const text of options.server) {
    const capability = await parseTarget(text, "bullet", options);
    if (capability.private.every((byte) => byte === 0))
      throw usageError(
        `${shown(text)} is a port alone`,
        "a server ages its objects for those who have its capability: @FILE, or NODE:SERVER of a lab",
        "CAPABILITY_INVALID",
      );
    add(null, capability);
  }
  const hasLab = options.lab !== undefined || process.env.PROTEUS_LAB || runningLabs().length > 0;
  if (options.server.length === 0 && hasLab) {
    const lab = requireLab(options.lab);
    for (const kind of kinds)
      for (const { node, capability } of givenInLab(lab, kind)) add(`${node}:${kind}`, capability);
  }
  return [...found.values()];
}

interface Shown extends CollectedServer {
  readonly name: string | null;
}

/** The servers with the names that people know them by. */
async function named(
  report: CollectReport,
  servers: readonly AgedServer[],
  options: GcOptions,
): Promise<readonly Shown[]> {
  const all: Shown[] = [];
  for (const each of report.servers) {
    const given = servers.find(({ capability }) => capabilityHex(capability).startsWith(each.port))?.name;
    const known = given ?? null;
    const at = known === null ? await serverAt(parsePort(each.port), options) : null;
    all.push({ name: known ?? (at === null ? null : `${at.node}:${at.server}`), ...each });
  }
  return all.sort(byName);
}

const nameOf = ({ name, port }: Shown): string => name ?? port;
const byName = (one: Shown, other: Shown): number => (nameOf(one) < nameOf(other) ? -1 : 1);
const linesMost = 50;

function textOf(report: CollectReport, servers: readonly Shown[]): string {
  const lines = [
    `${counted(report.names, "name")} in ${counted(report.directories, "directory", "directories")}; ` +
      `${counted(report.objects, "object")} of ${counted(servers.length, "server")} touched`,
    table(
      ["SERVER", "OBJECTS", "NAMED", "NO NAME", "GO AT THE NEXT AGE", "LIFETIME", "NAMES OF NOTHING"],
      servers.map((each) => [
        nameOf(each),
        each.ages?.objects ?? "-",
        each.ages === null ? each.touched : each.ages.objects - each.ages.unnamed,
        each.ages?.unnamed ?? "-",
        each.ages?.doomedCount ?? "-",
        each.ages?.lifetime ?? "-",
        each.goneCount,
      ]),
    ),
  ];
  const doomed = servers.flatMap((each) =>
    (each.ages?.doomed ?? []).map(
      ({ object, age }) => `${nameOf(each)} object ${object}, untouched for ${age}`,
    ),
  );
  if (doomed.length > 0) lines.push("these go at the next AGE:", ...cut(doomed.map((line) => `  ${line}`)));
  const gone = servers.flatMap(({ gone: names }) => names.map((path) => `  ${shown(path)}`));
  if (gone.length > 0) lines.push("these names lead to nothing:", ...cut(gone));
  return lines.join("\n");
}

const cut = (lines: readonly string[]): readonly string[] =>
  lines.length <= linesMost
    ? lines
    : [...lines.slice(0, linesMost), `  and ${lines.length - linesMost} more (--json lists them)`];

/** Says on stderr what was not seen, and who was left out. */
function narrateTrouble(report: CollectReport, servers: readonly Shown[]): void {
  for (const { path, why, code } of report.unseen.slice(0, linesMost))
    narrate(`gc: ${shown(path)}: ${why} (${code})`);
  if (report.unseenCount > linesMost) narrate(`gc: ${report.unseenCount - linesMost} more could not be seen`);
  for (const each of servers)
    if (each.held !== null) narrate(`gc: ${nameOf(each)} is left out: ${each.held}`);
}

async function gc(options: GcOptions): Promise<void> {
  const servers = await serversOf(options);
  if (options.age && servers.length === 0)
    throw usageError(
      "there is no server to age",
      "no lab runs here: give --server @FILE with the capability of each",
      "GC_NO_SERVER",
    );
  const also: { path: string; set: ReturnType<typeof setOf> }[] = [];
  for (const text of options.also)
    also.push({ path: text, set: setOf(await parseTarget(text, "directory", options)) });
  const report = await onNames(options, (session) =>
    collect({
      ...{ ...session, also, age: options.age, servers: servers.map(({ capability }) => capability) },
      before: (told) => {
        // With --json it is part of the one document.
        if (!options.json) process.stdout.write(`${textOf(told, toldOf(told, servers))}\n`);
      },
    }),
  );
  const all = await named(report, servers, options);
  if (!options.json) narrateTrouble(report, all);
  const { servers: _, ...walked } = report;
  const aged = all.filter((each) => each.aged === "yes");
  const document = { schema: 1, ...walked, aged: aged.length, servers: all };
  emit("gc", options.json, document, () => {
    if (!options.age) return `${textOf(report, all)}\nnothing was aged: --age does it`;
    const went = aged.reduce((sum, { ages }) => sum + (ages?.doomedCount ?? 0), 0);
    return `${counted(aged.length, "server")} aged, ${counted(went, "object")} went`;
  });
  throwTrouble(report, all, options.age);
}

/** As far as it is known without asking. */
const toldOf = ({ servers }: CollectReport, given: readonly AgedServer[]): readonly Shown[] =>
  servers
    .map((each) => {
      const known = given.find(({ capability }) => capabilityHex(capability).startsWith(each.port));
      return { name: known?.name ?? null, ...each };
    })
    .sort(byName);

function throwTrouble(report: CollectReport, servers: readonly Shown[], age: boolean): void {
  const [first] = report.unseen;
  if (first !== undefined)
    throw new ProteusError({
      code: "GC_INCOMPLETE",
      exit: exitCodes.degraded,
      message: "not everything that has a name was seen",
      why:
        `${counted(report.unseenCount, "thing")} could not be seen, ` +
        `the first: ${shown(first.path)}: ${first.why} (${first.code})`,
      unchanged: "nothing was aged; what was seen is touched",
      hint: "repeat it when the servers answer; give a root that may read all",
    });
  const held = servers.filter((each) => each.held !== null && each.held !== notGiven);
  const [one] = held;
  if (one === undefined) return;
  throw new ProteusError({
    code: "GC_HELD",
    exit: exitCodes.degraded,
    message: `${counted(held.length, "server")} ${age ? "was left out" : "would be left out"}`,
    why: `${nameOf(one)}: ${one.held}`,
    unchanged: "no object of a server that is left out goes",
    hint: "repeat it when the server answers; --server gives a capability",
  });
}

/** Adds `gc` to the program. */
export function registerGc(program: Command): void {
  const command = program
    .command("gc")
    .description("touch what has a name, tell what has none, and let it go when it is too old")
    .option("--age", "have the servers make their objects a step older", false)
    .option(
      "--server <server>",
      "server to age: NODE:SERVER, @FILE or capability; may be repeated",
      gather,
      [],
    )
    .option("--also <place>", "keep this too: path, @FILE or capability; may be repeated", gather, []);
  withFiles(command as unknown as Command)
    .addHelpText("after", help)
    .action((options: unknown) => gc(options as GcOptions));
}
