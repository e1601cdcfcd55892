// `proteus directory`: the directory servers of a pool: who of them is there, how they fare, and the
// single operations on directories by capability. Paths have commands of their own.

import type { Command } from "@commander-js/extra-typings";
import { z } from "zod";
import type { Capability } from "../capability/capability.js";
import { directoryTable } from "../interface/directory.js";
import type { Transact } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";
import { type CallingOptions, calling, locateTimeout, withCalling } from "./calling.js";
import { registerServer } from "./operations.js";
import { emit } from "./output.js";
import { findRoot, type RootOptions, rootHelp } from "./root.js";
import { table } from "./table.js";

const membersSchema = z.object({
  schema: z.literal(1),
  name: z.string(),
  state: z.string(),
  majority: z.number(),
  version: z.number(),
  members: z.array(z.object({ name: z.string(), state: z.string() })),
});

const help = `${rootHelp}

Examples:
  proteus directory members
  proteus directory status --json

Exit codes: 3 when there is no root, 5 when no directory server serves: fewer than a majority of them
are together, or none can be reached.`;

type Options = CallingOptions & RootOptions;

const stubOf = (via: Kernel | Transact, capability: Capability, locateTimeoutMs: number) =>
  stub(via, directoryTable, capability, { locateTimeoutMs });

/** A question to whichever of the root's directory servers answers. */
function question(parent: Command, name: string, about: string, show: (options: Options) => Promise<void>) {
  const command = parent.command(name).description(about);
  withCalling(command as unknown as Command)
    .addHelpText("after", help)
    .action((options: unknown) => show(options as Options));
}

async function ask<Reply>(
  options: Options,
  call: (each: ReturnType<typeof stubOf>) => Promise<Reply>,
): Promise<Reply> {
  const [member] = (await findRoot(options)).members;
  if (member === undefined) throw new Error("a root without a capability");
  try {
    return await calling(options, (via) => call(stubOf(via, member.capability, locateTimeout(options))));
  } catch (cause) {
    if (!(cause instanceof ProteusError) || cause.code !== "RPC_NOTFOUND") throw cause;
    throw new ProteusError({
      code: "DIRECTORY_AWAY",
      exit: exitCodes.unreachable,
      message: "no directory server serves",
      why: "fewer than a majority of them are together, or none can be reached from here",
      unchanged: "names and what they stand for are in the stores of the directory servers",
      hint: "`proteus node list` shows the machines; start those that have a directory server",
      cause,
    });
  }
}

async function members(options: Options): Promise<void> {
  const { document } = await ask(options, (each) => each.members());
  const told = membersSchema.parse(JSON.parse(document));
  emit("directory members", options.json, told, () =>
    [
      table(
        ["NAME", "STATE"],
        told.members.map((each) => [each.name, each.state]),
      ),
      `${told.name} answers; a majority is ${told.majority}; ${told.version} updates so far`,
    ].join("\n"),
  );
}

async function status(options: Options): Promise<void> {
  const { text } = await ask(options, (each) => each.status());
  emit("directory status", options.json, { schema: 1, text }, () => text);
}

/** Adds `directory` to the program. */
export function registerDirectory(program: Command): void {
  const directory = registerServer(program, directoryTable, {}, ["members", "status"]);
  question(directory, "members", "who of the directory servers is there", members);
  question(directory, "status", "how they fare, as one of them says", status);
}
