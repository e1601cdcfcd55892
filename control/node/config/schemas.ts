// What the values of settings may be, and how the text of a flag or a variable becomes one.
//
// - An error says what the value is to be, so that it reads on behind the setting's key.

import { z } from "zod";
import { machineNamePattern } from "../../interface/pool.js";
import { parseStore } from "../control/places.js";
import { parseInterface } from "../interface-name.js";
import { parseListen } from "./listen.js";

export const plain = (text: string): unknown => text;
export const list = (text: string): unknown =>
  text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
export const yesOrNo = (text: string): unknown =>
  /^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : text;

export const plainNumber = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : text);

export const MiB = 1024 * 1024;
const memoryLeast = 32 * MiB;
const memoryMost = 2048 * MiB;
const units: Readonly<Record<string, number>> = { K: 1024, M: MiB, G: 1024 * MiB };

function bytesOf(value: string | number): number {
  if (typeof value === "number") return value;
  const match = /^(\d{1,14})([KMG]?)(?:i?B)?$/i.exec(value);
  return match === null ? Number.NaN : Number(match[1]) * (units[(match[2] ?? "").toUpperCase()] ?? 1);
}

/** A size between two others, which `range` says in words. */
const sizeBetween = (least: number, most: number, range: string) =>
  z
    .union([z.string(), z.number()], { error: "it is a size: 128M, 1G" })
    .refine((value) => bytesOf(value) >= least && bytesOf(value) <= most, {
      error: `it is a size from ${range}`,
    })
    .transform(bytesOf);

export const size = sizeBetween(memoryLeast, memoryMost, "32M to 2G");
/** How large the file of a Bullet server may be made. */
export const mediumSize = sizeBetween(8 * MiB, 2 ** 44, "8M to 16384G");
export const cacheSize = sizeBetween(MiB, 1024 ** 4, "1M to 1024G");
export const copyRate = sizeBetween(64 * 1024, 1024 ** 4, "64K to 1024G");
export const inodes = z
  .int({ error: "it is a whole number of files" })
  .min(0, { error: "it is 0 or more" })
  .max(0xff_ffff, { error: "it is at most 16777215: object numbers have 24 bits" });

export const name = z.string({ error: "it is a name in quotes" }).regex(machineNamePattern, {
  error: "it is 1 to 63 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
});

export const seconds = (least: number) =>
  z
    .int({ error: "it is a whole number of seconds" })
    .min(least, { error: `it is ${least} or more seconds` })
    .max(365 * 86_400, { error: "it is at most a year" });

export const place = z.string({ error: "each is a path in quotes" }).regex(/^@?\//, {
  error: "it is a path from the root, or @ and the path of a file: @/etc/proteus/root",
});

export const interfaceNames = z
  .array(
    z.string({ error: "each is the name of an interface" }).superRefine((text, context) => {
      try {
        parseInterface(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    }),
    { error: "it is a list of interfaces: [eth0, eth1], each in quotes" },
  )
  .max(16, { error: "a machine has at most 16 networks" })
  .refine((names) => new Set(names).size === names.length, { error: "an interface is named twice" });

export const listen = z.string({ error: "it is an address in quotes" }).superRefine((text, context) => {
  const fault = parseListen(text).fault;
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

export const store = z.string({ error: "it is a place in quotes" }).superRefine((text, context) => {
  const fault = parseStore(text).fault;
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

/** Sockets have the daemon's own setting: TCP is what is said here. */
export const tlsListen = z.string({ error: "it is an address in quotes" }).superRefine((text, context) => {
  const { listen: address, fault } = parseListen(text);
  if (fault !== undefined || address.kind === "unix")
    context.addIssue({
      code: "custom",
      message: "it is off, or an address with a port: 10.0.0.7:9533, [::1]:9533",
    });
});

/** The name of a socket in bytes, without the closing zero. */
const socketBytesMax = 107;

export const socket = z
  .string({ error: "it is a path in quotes" })
  .regex(/^\//, { error: "it begins with /: /run/proteus/control.sock" })
  .refine((path) => Buffer.byteLength(path) <= socketBytesMax, {
    error: `the path of a socket has at most ${socketBytesMax} bytes`,
  });

export const path = z.string({ error: "it is a path in quotes" });
