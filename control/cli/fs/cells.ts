// `proteus fs cells`, `join` and `leave`: the cells of the network, and those that a person keeps.
//
// - Cells are found by asking, nobody configures them; a joined one is known also when it does not answer.
// - Capabilities are not shown: who wants one mounts the cell, or asks the server.

import type { Command } from "@commander-js/extra-typings";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { forgetCell, keepCell, knownCell, knownCells, knownCellsFolder } from "../../node/fs/known-cells.js";
import { type Cell, findCells, knownWith, volumesOf } from "../../stub/cells.js";
import { type CallingOptions, calling, locateTimeout, withCalling } from "../calling.js";
import { emit } from "../output.js";
import { offlineKernel } from "../package-files.js";
import { table } from "../table.js";
import { cellUnknown, insistOnCellName } from "./which.js";

const cellsHelp = `
Asks the network: every vice server that was started with --cell answers. Of cells that were joined it says
also what was known of them when they do not. VOLUMES are those that their administrators share (proteus
fs volume share), with what everybody may do. All of it waits as long as --timeout.

Examples:
  proteus fs cells
  proteus fs cells --json | jq -r '.cells[].name'`;

const joinHelp = `
Keeps the cell and what it shares in ~/.config/proteus/cells, for you alone: \`proteus fs mount\` of it, and
--all, work then also when its servers are away, with what the caches have.

Example:
  proteus fs join math`;

const leaveHelp = `
Mounts and caches stay as they are.

Example:
  proteus fs leave math`;

interface ShownCell {
  readonly name: string;
  readonly joined: boolean;
  readonly answers: boolean;
  readonly servers: readonly { readonly port: string; readonly answers: boolean }[];
  readonly volumes: readonly { readonly name: string; readonly rights: string; readonly server: string }[];
}

/** By the rights that a capability claims: behind port and object. */
const rightsOf = (capability: string): string =>
  (Number.parseInt(capability.slice(18, 20), 16) & 2) === 0 ? "read" : "read,write";

function shown(cell: Cell, found: Cell | undefined, joined: boolean): ShownCell {
  const answering = new Set(found?.servers.map(({ server }) => server));
  return {
    ...{ name: cell.name, joined, answers: answering.size > 0 },
    servers: cell.servers.map(({ server }) => ({ port: server, answers: answering.has(server) })),
    volumes: volumesOf(cell).map(({ folder, capability, server }) => ({
      ...{ name: folder, rights: rightsOf(capability), server },
    })),
  };
}

async function look(options: CallingOptions, cell?: string): Promise<readonly Cell[]> {
  const folder = knownCellsFolder();
  const known = cell === undefined ? knownCells(folder) : [knownCell(folder, cell)];
  const also = known.flatMap((each) =>
    (each?.servers ?? []).map(({ server }) => ({ cell: each?.name ?? "", server })),
  );
  const offline = offlineKernel();
  const maker = { publicPort: (getPort: Uint8Array) => offline.portOneWay(getPort) };
  return calling(options, (via) => findCells({ via, maker, timeoutMs: locateTimeout(options), cell, also }));
}

async function list(options: CallingOptions): Promise<void> {
  const found = new Map((await look(options)).map((each) => [each.name, each]));
  const known = new Map(knownCells(knownCellsFolder()).map((each) => [each.name, each]));
  const cells = [...new Set([...known.keys(), ...found.keys()])].sort().flatMap((name) => {
    const [here, before] = [found.get(name), known.get(name)];
    const cell = here === undefined ? before : knownWith(before, here);
    return cell === undefined ? [] : [shown(cell, here, before !== undefined)];
  });
  emit("fs cells", options.json, { cells }, () => (cells.length === 0 ? "" : cellsText(cells)));
}

const cellsText = (cells: readonly ShownCell[]): string =>
  table(
    ["CELL", "JOINED", "SERVERS", "VOLUMES"],
    cells.map(({ name, joined, servers, volumes }) => {
      const there = servers.filter(({ answers }) => answers).length;
      const words = volumes.map((each) => `${each.name} (${each.rights})`).join(", ");
      const count = there === servers.length ? `${there}` : `${there} of ${servers.length}`;
      return [name, joined ? "yes" : "no", count, words || "-"];
    }),
  );

async function join(name: string, options: CallingOptions): Promise<void> {
  insistOnCellName(name);
  const [found] = await look(options, name);
  const before = knownCell(knownCellsFolder(), name);
  if (found === undefined) throw cellUnknown(name);
  const cell = knownWith(before, found);
  keepCell(knownCellsFolder(), cell);
  emit("fs join", options.json, { cell: shown(cell, found, true) }, () => {
    const volumes = volumesOf(cell).map(({ folder }) => folder);
    return `${name} is joined: ${volumes.join(", ") || "it shares nothing yet"}`;
  });
}

function leave(name: string, { json }: { readonly json: boolean }): void {
  insistOnCellName(name);
  if (!forgetCell(knownCellsFolder(), name))
    throw new ProteusError({
      code: "FS_CELL_NOT_JOINED",
      exit: exitCodes.notFound,
      message: `${name} was not joined`,
      why: `${knownCellsFolder()} has no cell of that name`,
      unchanged: "nothing was done",
      hint: "proteus fs cells says which are joined",
    });
  emit("fs leave", json, { name }, () => `${name} is not joined any more`);
}

/** Adds `cells`, `join` and `leave` to `fs`. */
export function registerCells(fs: Command): void {
  const cells = fs.command("cells").description("list the cells of the network and what they share");
  withCalling(cells as unknown as Command, "1s")
    .addHelpText("after", cellsHelp)
    .action((...given: readonly unknown[]) => list(given[0] as CallingOptions));
  const joined = fs
    .command("join")
    .description("keep a cell: it can be mounted also when its servers are away")
    .argument("<cell>", "as proteus fs cells lists it");
  withCalling(joined as unknown as Command, "2s")
    .addHelpText("after", joinHelp)
    .action((...given: readonly unknown[]) => join(String(given[0]), given[1] as CallingOptions));
  fs.command("leave")
    .description("forget a cell that was joined")
    .argument("<cell>", "its name")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", leaveHelp)
    .action((name, options) => leave(name, options));
}
