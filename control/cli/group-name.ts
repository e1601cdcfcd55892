// Names of groups on the command line, and the numbers that a group is made with.
//
// - 1 to 6 characters are the port itself, padded with zeros; 12 hex digits are its bytes;
//   of longer names the port is the first 6 bytes of their SHA-256.
// - Every function throws a usage error (exit 2) for a text that is none.

import { createHash } from "node:crypto";
import { GROUP_MEMBERS_MAX } from "../../core-wasm/limits.js";
import { BC_BADPORT } from "../../core-wasm/status.js";
import { PORT_BYTES } from "../../core-wasm/wire/formats.js";
import { standardParameters } from "../group/configuration.js";
import { fromHex } from "../kernel/bytes.js";
import { statusError, usageError } from "../kernel/errors.js";
import type { GroupParameters } from "../kernel/groups.js";

const nameCharactersMax = 255;

/** The port of a group's name. */
export function groupPort(name: string): Uint8Array {
  const digits = name.length === 2 * PORT_BYTES ? fromHex(name) : undefined;
  if (digits !== undefined) {
    if (digits.every((byte) => byte === 0)) throw statusError(BC_BADPORT, `group ${name}`);
    return digits;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a name must not have
  if (name === "" || name.length > nameCharactersMax || /[\x00-\x1f\x7f]/.test(name)) {
    throw usageError(
      name === "" ? "the group's name is missing" : `${JSON.stringify(name)} is not a group's name`,
      `a name is 1 to ${nameCharactersMax} printable characters, or 12 hex digits (0f8905c8feff)`,
      "GROUP_NAME_INVALID",
    );
  }
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > PORT_BYTES) return createHash("sha256").update(bytes).digest().subarray(0, PORT_BYTES);
  const port = new Uint8Array(PORT_BYTES);
  port.set(bytes);
  return port;
}

function parseNumber(text: string, least: number, most: number, what: string, code: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usageError(`"${text}" is not ${what}`, `it is a number from ${least} to ${most}`, code);
}

/** Crashes that every delivered message survives. */
export const parseResilience = (text: string): number =>
  parseNumber(text, 0, 31, "a resilience degree", "RESILIENCE_INVALID");

/** Members that a group must have to go on. */
export const parseMinimum = (text: string): number =>
  parseNumber(text, 1, GROUP_MEMBERS_MAX, "a minimum of members", "MINIMUM_INVALID");

/** Silence after which a member is dead, milliseconds. */
export function parseDetect(text: string): number {
  return parseNumber(text.replace(/ms$/, ""), 50, 60_000, "a time in milliseconds", "DETECT_INVALID");
}

/** log2 of the history's slots. */
const parseHistory = (text: string): number =>
  parseNumber(text, 4, 14, "the log2 of a history's length", "HISTORY_INVALID");

const parseMembers = (text: string): number =>
  parseNumber(text, 2, GROUP_MEMBERS_MAX, "the most members of a group", "MEMBERS_INVALID");

/** The parameters of a group that is created. */
export function parseParameters(options: {
  readonly resilience?: string | undefined;
  readonly history?: string | undefined;
  readonly members?: string | undefined;
  readonly minimum?: string | undefined;
}): GroupParameters {
  const { resilience, history, members, minimum } = options;
  const logHistory = history === undefined ? standardParameters.logHistory : parseHistory(history);
  const roomFor = 2 ** (logHistory - 1) - 2; // half of the history is for messages
  const most = members === undefined ? standardParameters.membersMax : parseMembers(members);
  const membersMax = members === undefined ? Math.min(most, roomFor) : most;
  if (membersMax > roomFor) {
    throw usageError(
      `a history of ${2 ** logHistory} messages is too short for ${membersMax} members`,
      `give --history ${Math.ceil(Math.log2(membersMax + 2)) + 1}, or --members ${roomFor}`,
      "HISTORY_INVALID",
    );
  }
  if (minimum !== undefined && parseMinimum(minimum) > membersMax) {
    throw usageError(
      `a group of at most ${membersMax} members never has ${minimum}`,
      `give a --minimum of at most ${membersMax}, or more --members`,
      "MINIMUM_INVALID",
    );
  }
  return {
    ...standardParameters,
    logHistory,
    membersMax,
    ...(resilience === undefined ? {} : { resilience: parseResilience(resilience) }),
  };
}
