// A server that only tests have, with and without one operation, and every place where an
// operation of a table must show: the judge of "one table feeds everything".
//
// - `sightings` asks each place the way its user would: a call, a request on the wire, the help,
//   a command that is executed on a network, the reference, the manual, the dissector's text.
// - What tshark makes of the dissector: test/end-to-end/table.test.ts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { capabilityHex } from "../../../control/capability/capability.js";
import { dissectorText } from "../../../control/cli/dissector.js";
import { markdown, pagesOf } from "../../../control/cli/manual/pages.js";
import { registerServer } from "../../../control/cli/operations.js";
import { kernelBytes } from "../../../control/cli/package-files.js";
import { inBuffer, inExtra, inOffset } from "../../../control/interface/fields.js";
import { operation } from "../../../control/interface/operation.js";
import { referencePage } from "../../../control/interface/reference.js";
import { defineServer, type ServerTable } from "../../../control/interface/table.js";
import { knownOperations, serverTables } from "../../../control/interface/tables.js";
import { list, string, uint64 } from "../../../control/interface/types.js";
import { trans } from "../../../control/kernel/calls.js";
import { serveHub } from "../../../control/lab/hub.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { hubVariable } from "../../../control/node/interfaces.js";
import { startKernel } from "../../../control/node/start.js";
import { stub } from "../../../control/stub/client.js";
import { Objects } from "../../../control/stub/objects.js";
import { refuse } from "../../../control/stub/refused.js";
import { Server, type ServerOptions } from "../../../control/stub/serving.js";
import { STD_COMBAD, STD_NOTFOUND } from "../../../core-wasm/status.js";
import { listen } from "../cli/command.js";
import { Pool } from "../stub/pool.js";

/** Rights for the standard operations: none for any. */
export const freeForAll = {
  ...{ age: [], copy: [], destroy: [], info: [], restrict: [], status: [], touch: [] },
  ...{ getparams: [], setparams: [], revoke: [] },
};

const facts = {
  name: "fixture",
  summary: "a server that only a test has",
  object: "a thing",
  rights: { read: 1, write: 2 },
  standardRights: freeForAll,
};

const rest = operation({ number: 30122, summary: "does nothing", subject: "server", rights: [] });

export const juggleNumber = 30123;
const juggle = operation({
  number: juggleNumber,
  summary: "throws balls up and counts those that come down",
  subject: "server",
  rights: ["write"],
  arguments: {
    balls: inOffset("how many balls"),
    hands: inExtra("with how many hands", { otherwise: 2 }),
    names: inBuffer(list(string()), "what they are called"),
  },
  reply: { caught: inExtra("how many came down"), weight: inBuffer(uint64, "what they weigh") },
  errors: { STD_NOTFOUND: "a ball has no name" },
  example: "n1 --balls 3 --names a=b",
});

/** Before the operation was added. */
export const before = defineServer({ ...facts, operations: { rest } });
/** With it. */
export const fixture = defineServer({ ...facts, operations: { rest, juggle } });

type Ops = typeof fixture.operations;
type Given = Pick<ServerOptions<Ops, never>, "kernel" | "getPort" | "failed"> & {
  readonly random: (bytes: number) => Uint8Array;
};

/** The server of a table of ours; a table without an operation has no use for its handler. */
export function juggler(given: Given, table: ServerTable = fixture, refusal: number = STD_NOTFOUND) {
  return new Server<Ops, never>({
    ...given,
    table: table as ServerTable<Ops>,
    objects: new Objects<never>({ random: given.random }),
    info: () => "a juggler",
    handlers: {
      rest: () => ({}),
      juggle: async (_asked, { balls, hands, names }) => {
        if (names.length < balls) refuse(refusal);
        return { caught: Math.min(balls, hands), weight: BigInt(names.length) * 2n ** 40n };
      },
    },
  });
}

/** The command of the table, alone in a program. */
export function programOf(table: ServerTable): Command {
  const program = new Command("proteus").exitOverride();
  program.configureOutput({ outputError: () => undefined });
  registerServer(program as never, table);
  return program;
}

/** `proteus fixture juggle --help`, or nothing when there is no such command. */
export function helpOf(table: ServerTable, name: string): string {
  const server = programOf(table).commands.find((each) => each.name() === table.name);
  const command = server?.commands.find((each) => each.name() === name);
  let help = "";
  command?.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command?.outputHelp();
  return help;
}

const hubInterface = "fixture0";
const topology = parseTopology(
  `networks: { lan0: }\nnodes: { n1: { kind: pool, networks: [lan0] }, n2: { kind: pool, networks: [lan0] } }\n`,
  "fixture",
);

/**
 * What `proteus fixture juggle` says when its server is another program on a network: both take
 * their way over a LAN in memory. Nothing when there is no such command.
 */
export async function execute(table: ServerTable, ...words: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fixture-"));
  const variable = hubVariable(hubInterface);
  const socket = (node: string): string => join(folder, `${node}.sock`);
  await serveHub(topology, { interfaceSocket: socket, controlSocket: join(folder, "control") });
  const random = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => 17 + 29 * index);
  const failures: unknown[] = [];
  process.env[variable] = socket("n1");
  const machine = await startKernel({ wasm: kernelBytes(), interfaces: [hubInterface] });
  try {
    const failed = (error: unknown): void => void failures.push(error);
    const server = juggler({ kernel: machine.kernel, getPort: random(6), random, failed }, table);
    process.env[variable] = socket("n2");
    const target = capabilityHex(server.capability());
    const line = [table.name, "juggle", target, ...words, "--interface", hubInterface];
    const { stdout } = await listen(() => programOf(table).parseAsync(line, { from: "user" }));
    if (failures.length > 0) throw failures[0];
    return stdout;
  } catch (error) {
    if ((error as { code?: string }).code === "commander.unknownCommand") return "";
    throw error;
  } finally {
    delete process.env[variable];
    machine.close();
    rmSync(folder, { recursive: true });
  }
}

/** What the server of a table answers to the operation's number. */
async function isServed(table: ServerTable): Promise<boolean> {
  const pool = new Pool();
  const { port, private: part } = juggler(pool.given(), table).capability();
  const header = { port, private: part, command: juggleNumber };
  const reply = await pool.end(trans(pool.near, header, new Uint8Array(2), { replyBytesMax: 64 }));
  return reply.header.status !== STD_COMBAD;
}

/** Where the operation `juggle` of a table shows. */
export async function sightings(table: ServerTable): Promise<Readonly<Record<string, boolean>>> {
  const pool = new Pool();
  const manual = markdown(pagesOf(programOf(table)), "0");
  return {
    stub: "juggle" in stub(pool.near, table, { port: new Uint8Array(6), private: new Uint8Array(10) }),
    server: await isServed(table),
    help: helpOf(table, "juggle").includes("throws balls up"),
    command: (await execute(table, "--balls", "1", "--names", '["red"]')).includes("caught 1"),
    reference: referencePage([table]).includes(`### juggle (${juggleNumber})`),
    manual: manual.includes("proteus fixture juggle") && manual.includes("throws balls up"),
    dissector: dissectorText(knownOperations([...serverTables, table])).includes(
      `[${juggleNumber}] = "juggle (fixture)"`,
    ),
  };
}
