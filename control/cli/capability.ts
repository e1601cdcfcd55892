// `proteus capability`: the private part of a capability, worked out offline with the
// one-way function of the original.
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
import { emit } from "./output.js";
import { offlineKernel } from "./package-files.js";

const encodeExample = `
Example:
  proteus capability encode --object 17 --rights 0xff --random 1125f2c66632`;
const decodeExample = `
Without --random the check field is not verified.

Example:
  proteus capability decode --private 11000001615faac64289 --random 1125f2c66632`;
const restrictExample = `
Example:
  proteus capability restrict --private 110000ff1125f2c66632 --random 1125f2c66632 --mask 0x01`;

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

function restrict(options: { private: string; random: string; mask: number; json: boolean }): void {
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

/** Adds `capability` and its subcommands to the program. */
export function registerCapability(program: Command): void {
  const capability = program
    .command("capability")
    .description("capabilities: make, check and restrict their private part, offline");
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
  capability
    .command("restrict")
    .description("take rights away")
    .requiredOption("--private <hex>", "20 hex digits, or text as in 17(FF)/1:2:3:4:5:6")
    .requiredOption("--random <hex>", "the object's random number, 12 hex digits")
    .requiredOption("--mask <bits>", "the rights to keep, 8 bits, decimal or 0x and hex", parseRights)
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", restrictExample)
    .action(restrict);
}
