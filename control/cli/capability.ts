// `proteus capability`: encode, decode and restrict --private work the private part of a
// capability out offline, with the one-way function of the original. What is done to an object of
// a server (show, restrict TARGET, give, revoke) is capability-object.ts.
//
// - An invalid private part is shown with `valid: false` and exits with 4 (denied).
// - The random number is the server's secret: do not type a real one into a shell that
//   keeps a history.

import type { Command } from "@commander-js/extra-typings";
import {
  claims,
  parseObject,
  parsePrivatePart,
  parseRandom,
  parseRights,
} from "../capability/private-part.js";
import { toHex } from "../kernel/bytes.js";
import { exitCodes, ProteusError, statusError, usageError } from "../kernel/errors.js";
import type { OfflineKernel } from "../kernel/offline.js";
import { withCalling } from "./calling.js";
import * as objects from "./capability-object.js";
import { emit } from "./output.js";
import { offlineKernel } from "./package-files.js";

const encodeExample = `
Example:
  proteus capability encode --object 17 --rights 0xff --random 1125f2c66632`;
const decodeExample = `
Without --random the check field is not verified.

Example:
  proteus capability decode --private 11000001615faac64289 --random 1125f2c66632`;
const targetHelp = `
TARGET is a capability (32 hex digits, its text form, or @FILE with one of them), NODE:SERVER of a
running lab (with all rights), or a path from the root (--root, as ls has it). RIGHTS are names of
the server's rights with commas between them (read,write), all, none, or bits (0x03). Whose capability it is, the lab or the control
daemon knows by the port; otherwise say it: --server segment.`;
const showHelp = `${targetHelp}

The server is asked whether it stands by it. Exit codes: 0 when it does, 4 when it does not,
5 when it cannot be reached.

Examples:
  proteus capability show n1:segment
  proteus capability show e4b2c2985455110000ff1125f2c66632 --json`;
const restrictHelp = `${targetHelp}
The server makes the new one: rights only shrink.

With --private, --random and --mask instead, the original's private part is worked out here,
without a server.

Examples:
  proteus capability restrict n1:segment --rights create,read
  proteus capability restrict @mine.capability --rights 0x01 --json
  proteus capability restrict --private 110000ff1125f2c66632 --random 1125f2c66632 --mask 0x01`;
const giveHelp = `${targetHelp}

Without -o the capability is printed: as 32 hex digits, as text, and in its two parts. Whoever
reads it has it. With -o it is written to a new file of mode 0600, and not printed; commands
take it as @FILE.

Examples:
  proteus capability give n1:segment --rights create -o alice.capability
  proteus capability give e4b2c2985455110000ff1125f2c66632 --rights read --server segment`;
const revokeHelp = `${targetHelp}

The object gets a new generation: every capability to it that anybody has ends, with the one
that is given here. The new one, with all rights, is printed; the object itself stays as it is.

Examples:
  proteus capability revoke e4b2c2985455110000ff1125f2c66632
  proteus capability revoke n1:segment --json`;

/** Shows a private part; `valid` is null when nobody could tell. */
function show(
  command: string,
  json: boolean,
  kernel: OfflineKernel,
  privatePart: Uint8Array,
  valid: boolean | null,
): void {
  const { object, rights } = claims(privatePart);
  const hex = toHex(privatePart);
  const verdict = valid === null ? "not verified" : valid ? "valid" : "not valid";
  emit(command, json, { schema: 1, private: hex, object, rights, valid }, () =>
    [
      `private  ${hex}  ${kernel.format("private", privatePart)}`,
      `object   ${object}`,
      `rights   0x${rights.toString(16).padStart(2, "0")}`,
      `check    ${verdict}`,
    ].join("\n"),
  );
}

function notVouchedFor(unchanged?: string): ProteusError {
  return new ProteusError({
    code: "STD_DENIED",
    exit: exitCodes.denied,
    message: "the private part is not valid",
    why: "its check field does not belong to its rights and this random number",
    unchanged,
    hint: "check that private part and random number are of the same object",
  });
}

function encode(options: { object: number; rights: number; random: string; json: boolean }): void {
  const kernel = offlineKernel();
  const random = parseRandom(kernel, options.random);
  if (random.every((byte) => byte === 0)) {
    throw usageError(
      "the random number is null",
      "servers refuse it: anyone could guess it; choose another",
      "RANDOM_INVALID",
    );
  }
  const privatePart = kernel.encodePrivate(options.object, options.rights, random);
  if (typeof privatePart === "number") throw statusError(privatePart, "encoding the capability");
  show("capability encode", options.json, kernel, privatePart, true);
}

function decode(options: { private: string; random?: string | undefined; json: boolean }): void {
  const kernel = offlineKernel();
  const privatePart = parsePrivatePart(kernel, options.private);
  const random = options.random === undefined ? undefined : parseRandom(kernel, options.random);
  const valid = random === undefined ? null : kernel.decodePrivate(privatePart, random) >= 0;
  show("capability decode", options.json, kernel, privatePart, valid);
  if (valid === false) throw notVouchedFor();
}

interface OfflineRestriction {
  readonly private: string;
  readonly random: string;
  readonly mask: number;
  readonly json: boolean;
}

function restrictOffline(options: OfflineRestriction): void {
  const kernel = offlineKernel();
  const privatePart = parsePrivatePart(kernel, options.private);
  const random = parseRandom(kernel, options.random);
  const restricted = kernel.restrictPrivate(privatePart, random, options.mask);
  if (typeof restricted !== "number") {
    show("capability restrict", options.json, kernel, restricted, true);
    return;
  }
  show("capability restrict", options.json, kernel, privatePart, false);
  throw notVouchedFor("no restricted capability was made");
}

type Restriction = objects.ObjectOptions & Partial<OfflineRestriction>;

/** By the server of an object, or offline: not half of each. */
function restrict(target: string | undefined, options: Restriction): Promise<void> | undefined {
  const { private: part, random, mask, rights } = options;
  const offline = [part, random, mask].filter((each) => each !== undefined).length;
  if (target !== undefined && rights !== undefined && offline === 0) return objects.restrict(target, options);
  if (
    target === undefined &&
    rights === undefined &&
    part !== undefined &&
    random !== undefined &&
    mask !== undefined
  ) {
    restrictOffline({ private: part, random, mask, json: options.json });
    return undefined;
  }
  throw usageError(
    "it is not clear what is to be restricted",
    "give TARGET with --rights, or all of --private, --random and --mask",
    "USAGE",
  );
}

const rightsOption = [
  "--rights <list>",
  "the rights to keep: names with commas, all, none, or bits",
] as const;

/** A subcommand that is done to an object. */
function onObject(parent: Command, name: string, summary: string, argument = "<target>"): Command {
  const command = parent.command(name).description(summary).argument(argument, "what it is done to");
  withCalling(command as unknown as Command).option(
    "--server <kind>",
    "whose rights these are: segment, sys …",
  );
  return command as unknown as Command;
}

/** Adds `capability` and its subcommands to the program. */
export function registerCapability(program: Command): void {
  const capability = program
    .command("capability")
    .description("capabilities: show, restrict, hand on and revoke them; their private part, offline");
  const parent = capability as unknown as Command;
  const onTarget =
    (work: (text: string, options: objects.ObjectOptions) => Promise<void>) =>
    (...given: readonly unknown[]) =>
      work(String(given[0]), given[1] as objects.ObjectOptions);
  onObject(parent, "show", "say what a capability is for, and ask its server whether it is valid")
    .addHelpText("after", showHelp)
    .action(onTarget(objects.show));
  onObject(parent, "give", "print a capability to hand it on, or write it to a file; with fewer rights")
    .option(...rightsOption)
    .option("-o, --output <file>", "write it to this new file, for its owner only")
    .addHelpText("after", giveHelp)
    .action(onTarget(objects.give));
  onObject(parent, "revoke", "end all capabilities to an object, and get a new one")
    .addHelpText("after", revokeHelp)
    .action(onTarget(objects.revoke));
  onObject(parent, "restrict", "take rights away", "[target]")
    .option(...rightsOption)
    .option("--private <hex>", "offline: 20 hex digits, or text as in 17(FF)/1:2:3:4:5:6")
    .option("--random <hex>", "offline: the object's random number, 12 hex digits")
    .option("--mask <bits>", "offline: the rights to keep, 8 bits, decimal or 0x and hex", parseRights)
    .addHelpText("after", restrictHelp)
    .action((...given: readonly unknown[]) =>
      restrict(given[0] as string | undefined, given[1] as Restriction),
    );
  capability
    .command("encode")
    .description("make the private part of an object")
    .requiredOption("--object <number>", "the object's number, 24 bits", parseObject)
    .requiredOption("--rights <bits>", "its rights, 8 bits, decimal or 0x and hex", parseRights)
    .requiredOption("--random <hex>", "the object's random number, 12 hex digits")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", encodeExample)
    .action(encode);
  capability
    .command("decode")
    .description("show what a private part says, and verify it")
    .requiredOption("--private <hex>", "20 hex digits, or text as in 17(FF)/1:2:3:4:5:6")
    .option("--random <hex>", "the object's random number, 12 hex digits")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", decodeExample)
    .action(decode);
}
