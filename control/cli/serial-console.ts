// `proteus console serial:/dev/ttyS0@115200`: the console of a machine at a serial port, in this terminal.
//
// - On a terminal every key goes to the machine as it is, Ctrl-C too; one key, Ctrl-] unless another is
//   named, ends the command. Input that is no terminal ends it a moment after its end.
// - What the machine says is data, on stdout, and goes to the log as well when there is one: appended,
//   for its owner alone.
// - Neither side is read faster than the other takes it.

import { createWriteStream, type WriteStream } from "node:fs";
import type { SerialPort } from "serialport";
import { loadSerialPackage } from "../../drivers/serial/package.js";
import { openPort } from "../../drivers/serial/port.js";
import { ProteusError, usageError } from "../kernel/errors.js";
import { parseInterface } from "../node/interface-name.js";
import { untilStopped } from "./foreground.js";
import { narrate } from "./output.js";

export interface SerialConsoleOptions {
  /** What the machine says is appended to it. */
  readonly log?: string;
  /** The byte of the key that ends it, on a terminal. */
  readonly escape: number;
}

/** How long an answer may take after the end of the input. */
const answerMs = 1000;

/** The byte of a key: ^] for Ctrl-], or one character. Throws a usage error. */
export function parseEscape(text: string): number {
  const control = /^\^([@-_a-z?])$/.exec(text)?.[1];
  if (control !== undefined) return control === "?" ? 0x7f : control.toUpperCase().charCodeAt(0) & 0x1f;
  if (/^[!-~]$/.test(text)) return text.charCodeAt(0);
  throw usageError(
    `"${text}" is no key`,
    "a key is written ^] for Ctrl and ], or as one character",
    "ESCAPE_INVALID",
  );
}

async function open(target: string): Promise<SerialPort> {
  const named = parseInterface(target);
  if (named.kind !== "serial")
    throw usageError(`"${target}" is no serial port`, "serial:/dev/ttyS0@115200", "INTERFACE_INVALID");
  return openPort(await loadSerialPackage(), named);
}

function openLog(path: string | undefined): Promise<WriteStream | null> {
  if (path === undefined) return Promise.resolve(null);
  const log = createWriteStream(path, { flags: "a", mode: 0o600 });
  return new Promise((resolve, reject) => {
    log.once("open", () => resolve(log));
    log.once("error", reject);
  });
}

/** Joins this terminal and the port until one of them ends. */
export async function serialConsole(target: string, options: SerialConsoleOptions): Promise<void> {
  const log = await openLog(options.log);
  const port = await open(target);
  const { stdin, stdout } = process;
  const stopped = untilStopped();
  const isTerminal = stdin.isTTY === true;
  const gone = new Promise<never>((_, reject) => {
    const lost = (cause?: unknown): void =>
      reject(
        new ProteusError({
          ...{ code: "BOOT_CONSOLE", exit: 5, message: `the console at ${target} has gone`, cause },
          why: "the port was closed: an adapter was unplugged, or the other end hung up",
          hint: "see that the cable and the adapter are there, and begin anew",
        }),
      );
    port.once("close", lost);
    port.once("error", lost);
    log?.once("error", stopped.fail);
    stdout.once("error", () => process.kill(process.pid, "SIGTERM")); // nobody reads it any more
  });
  gone.catch(() => undefined); // it is awaited below
  port.on("data", (bytes: Buffer) => {
    log?.write(bytes);
    if (stdout.write(bytes)) return;
    port.pause();
    stdout.once("drain", () => port.resume());
  });
  const ended = new Promise<void>((resolve) => {
    stdin.on("data", (bytes: Buffer) => {
      const at = isTerminal ? bytes.indexOf(options.escape) : -1;
      const taken = at < 0 ? bytes : bytes.subarray(0, at);
      if (taken.length > 0 && !port.write(taken)) {
        stdin.pause();
        port.once("drain", () => stdin.resume());
      }
      if (at >= 0) port.drain(() => resolve());
    });
    stdin.once("end", () => setTimeout(resolve, answerMs));
  });
  try {
    if (isTerminal) {
      stdin.setRawMode(true);
      narrate(`${target}: ${keyName(options.escape)} ends it\r`);
    }
    await Promise.race([ended, stopped.promise, gone]);
  } finally {
    if (isTerminal) stdin.setRawMode(false);
    stdin.destroy();
    port.removeAllListeners("close");
    if (port.isOpen) await new Promise<void>((resolve) => port.close(() => resolve()));
    if (log !== null) await new Promise<void>((resolve) => log.end(resolve));
  }
}

const keyName = (byte: number): string =>
  byte === 0x7f ? "^?" : byte < 0x20 ? `^${String.fromCharCode(byte | 0x40)}` : String.fromCharCode(byte);
