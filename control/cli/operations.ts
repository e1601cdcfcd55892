// Commands for every server that has a table: `proteus SERVER OPERATION OBJECT`, with the
// arguments of the operation as options. `proteus std` has the standard ones for any object.
//
// - Names, help and errors are the table's own; nothing here knows a server. What a command can
//   beyond one call of its operation is given to registerServer as a Special.
// - How a call goes: calling.ts, those of a Special too.

import type { Command } from "@commander-js/extra-typings";
import type { Capability } from "../capability/capability.js";
import type { Field, Operation } from "../interface/operation.js";
import { mayBeLeftOut, rightsText, sentence } from "../interface/reference.js";
import { allOperations, defineServer, type ServerTable } from "../interface/table.js";
import { serverTables } from "../interface/tables.js";
import type { Transact } from "../kernel/calls.js";
import { type ExitCode, exitCodes } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { callOperation } from "../stub/client.js";
import { type CallingOptions, calling, locateTimeout, withCalling } from "./calling.js";
import { emit, narrate } from "./output.js";
import { offlineKernel } from "./package-files.js";
import { parseTarget } from "./target.js";
import { parseValue, plain, replyText } from "./values.js";

/** The standard operations alone, as of any server. */
export const anyTable = defineServer({
  name: "std",
  summary: "the standard operations, which every server has but echo",
  object: "any object",
  rights: {},
  operations: {},
  replyBytesMax: 256 * 1024,
});

/** A name of a table as an option: `--milliseconds`. */
const optionName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const objectHelp = `OBJECT is a capability (32 hex digits, its text form, or @FILE with one of them), a port (12
hex digits) for what anyone may ask, NODE:SERVER of a running lab (with all rights) or of a pool
(its port), or a path from the root (--root, as ls has it).
The call goes through the control daemon (--control, PROTEUS_CONTROL, the lab's, this
machine's); with --interface, or without a daemon, it needs no one's help.`;

/** The object that a command calls, and what its calls go by. */
export interface Calling {
  readonly via: Kernel | Transact;
  readonly capability: Capability;
  readonly locateTimeoutMs: number;
}

/** What a command can beyond one call of its table's operation. */
export interface Special {
  /** Its options: flags and what they are for. */
  readonly options: Readonly<Record<string, string>>;
  /** Arguments of the operation that may be left out, because its options can stand for them. */
  readonly instead: readonly string[];
  /** Lines of the help. */
  readonly notes: string;
  /** Arguments of the operation that its options stand for. */
  given?(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** What the command exits with after such a reply; default 0. */
  exit?(reply: Readonly<Record<string, unknown>>): ExitCode;
  /** The reply for people; default: its values one by one. */
  text?(reply: Readonly<Record<string, unknown>>): string;
  /**
   * What is to be done, or undefined when the operation's own call is. Throws usage errors: no
   * kernel has been started yet, and no daemon asked.
   */
  plan?(
    given: Readonly<Record<string, unknown>>,
    options: Readonly<Record<string, unknown>>,
  ): ((calling: Calling) => Promise<void>) | undefined;
}

/** The special commands of a server by operation. */
export type Specials = Readonly<Record<string, Special>>;

function operationHelp(table: ServerTable, name: string, operation: Operation, notes = ""): string {
  const errors = Object.entries(operation.errors).map(([status, why]) => `  ${status}: ${why}`);
  const example = operation.example ?? `${table.name === "std" ? "n1:segment" : "n1"}`;
  const needed = operation.example === undefined ? exampleOptions(operation) : "";
  return [
    "",
    objectHelp,
    sentence(rightsText(operation)),
    ...(errors.length > 0 ? ["", "Refused with:", ...errors] : []),
    "",
    "Example:",
    `  proteus ${table.name} ${name} ${example}${needed}`,
    ...(notes === "" ? [] : [notes]),
    "",
    "Exit codes: 2 for arguments that do not fit, 3 when there is no such machine or thing, 4 when",
    "the capability does not allow it, 5 when the server cannot be reached.",
  ].join("\n");
}

const samples: Readonly<Record<Field<unknown>["kind"], string>> = {
  ...{ number: "1", long: "1", boolean: "yes", text: "x", bytes: "hello", compound: "lifetime=7" },
  capability: "e4b2c2985455110000ff1125f2c66632",
};

function exampleOptions({ arguments: fields }: Operation): string {
  return Object.entries(fields)
    .filter(([, field]) => !mayBeLeftOut(field))
    .map(([name, field]) => ` --${optionName(name)} ${samples[field.kind]}`)
    .join("");
}

/** What a value is called in the help where its kind is no word for people. */
const valueWords: Partial<Record<Field<unknown>["kind"], string>> = { compound: "settings", long: "number" };

/** Whether an argument is yes when its option is there, and is left out otherwise. */
const isFlag = (field: Field<unknown>): boolean => field.kind === "boolean" && mayBeLeftOut(field);

function addOptions(command: Command, operation: Operation, instead: readonly string[]): void {
  for (const [name, field] of Object.entries(operation.arguments)) {
    if (isFlag(field)) {
      command.option(`--${optionName(name)}`, field.summary);
      continue;
    }
    const flags = `--${optionName(name)} <${valueWords[field.kind] ?? field.kind}>`;
    if (instead.includes(name)) command.option(flags, field.summary);
    else if (!mayBeLeftOut(field)) command.requiredOption(flags, field.summary);
    else if (field.otherwise === undefined) command.option(flags, field.summary);
    else command.option(flags, `${field.summary} (default: ${String(field.otherwise)})`);
  }
}

/** Options of such a command, as commander gives them. */
interface Options extends CallingOptions {
  readonly [option: string]: unknown;
}

const camel = (name: string): string =>
  optionName(name).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

async function run(
  table: ServerTable,
  name: string,
  operation: Operation,
  target: string,
  options: Options,
  special: Special | undefined,
): Promise<void> {
  const capability = await parseTarget(target, table.name === "std" ? "sys" : table.name, options);
  const given: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(operation.arguments)) {
    const text = options[camel(key)];
    if (text === true) given[key] = true;
    else if (typeof text === "string") given[key] = parseValue(field, text, offlineKernel);
  }
  Object.assign(given, special?.given?.(options));
  const locateTimeoutMs = locateTimeout(options);
  const planned = special?.plan?.(given, options);
  if (planned !== undefined) {
    await calling(options, (via) => planned({ via, capability, locateTimeoutMs }));
    return;
  }
  const reply = await calling(options, (via) =>
    callOperation(via, table, name, capability, given, { locateTimeoutMs }),
  );
  show(`${table.name} ${name}`, options.json, reply, special);
  const exit = special?.exit?.(reply) ?? exitCodes.ok;
  if (exit !== exitCodes.ok) process.exitCode = exit;
}

function show(
  command: string,
  json: boolean,
  reply: Readonly<Record<string, unknown>>,
  special: Special | undefined,
): void {
  const values = Object.values(reply);
  const [only] = values;
  if (!json && values.length === 1 && only instanceof Uint8Array && !process.stdout.isTTY) {
    process.stdout.write(only);
    return;
  }
  if (!json && values.length === 0) narrate(`${command}: done`);
  else emit(command, json, plain(reply) as object, () => special?.text?.(reply) ?? replyText(reply));
}

function addOperation(
  parent: Command,
  table: ServerTable,
  name: string,
  operation: Operation,
  special: Special | undefined,
): void {
  // Made by its parent, it inherits how that reports mistakes.
  const command = parent
    .command(name)
    .description(operation.summary)
    .argument("<object>", "what it is done to");
  addOptions(command as unknown as Command, operation, special?.instead ?? []);
  for (const [flags, summary] of Object.entries(special?.options ?? {})) command.option(flags, summary);
  withCalling(command as unknown as Command)
    .addHelpText("after", operationHelp(table, name, operation, special?.notes))
    .action((...given: readonly unknown[]) =>
      run(table, name, operation, String(given[0]), given[1] as Options, special),
    );
}

/** Adds a server's command, with a subcommand for each of its operations but those in `without`. */
export function registerServer(
  program: Command,
  table: ServerTable,
  specials: Specials = {},
  without: readonly string[] = [],
): Command {
  const server = program.command(table.name).description(table.summary) as unknown as Command;
  const all = allOperations(table);
  for (const name of new Set([...Object.keys(table.operations), ...all.keys()])) {
    const operation = all.get(name);
    if (operation !== undefined && !without.includes(name))
      addOperation(server, table, name, operation, specials[name]);
  }
  return server;
}

/** What registers the command of that name: a server's, or `std`. */
export function serverCommand(name: string): (program: Command) => void {
  const table = [...serverTables, anyTable].find((each) => each.name === name);
  if (table === undefined) throw new Error(`no server has the name ${name}`);
  return (program) => {
    registerServer(program, table);
  };
}
