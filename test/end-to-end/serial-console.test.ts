// A machine at a serial port, which here is a pseudo-terminal of this process. If one of these fails,
// somebody with a cable to a dark machine types and nobody hears it, or the terminal is left broken.

import { spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PseudoTerminal } from "../../drivers/serial/pseudo-terminal.js";
import { mainPath } from "./lab-runner.js";
import { until, within } from "./programs.js";

let folder: string;
let port: PseudoTerminal;
let heard: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "console-"));
  port = new PseudoTerminal();
  heard = "";
  port.onData((bytes) => {
    heard += bytes.toString("latin1");
  });
});

afterEach(() => {
  port.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The command, with a standard input of its own or that of an open file. */
function start(words: readonly string[], input: "pipe" | number = "pipe") {
  const child = spawn(process.execPath, [mainPath, "console", ...words], {
    stdio: [input, "pipe", "pipe"],
    timeout: 30_000,
  });
  const said = { out: "", error: "" };
  child.stdout?.on("data", (bytes: Buffer) => {
    said.out += bytes.toString("latin1");
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    said.error += bytes.toString("latin1");
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, said, ended: () => within("the end of the console", ended) };
}

const hears = (text: string): Promise<true> =>
  until(`the machine hears ${JSON.stringify(text)}`, () => (heard === text ? true : undefined)).catch(
    (error: unknown) => {
      throw new Error(`${error}: it has heard ${JSON.stringify(heard)}`);
    },
  );

describe("the console of a machine at a serial port", () => {
  it("takes lines to it and what it says back, and ends a moment after the input", async () => {
    const log = join(folder, "m1.log");
    for (const round of [1, 2]) {
      heard = "";
      const { child, said, ended } = start([`serial:${port.path}@115200`, "--log", log]);
      child.stdin?.write("status\n");
      await hears("status\n");
      port.send(Buffer.from(`up ${round}\r\n\xff\x00`, "latin1"));
      await until("what it says", () => (said.out.length === 8 ? true : undefined));
      child.stdin?.end();
      expect(await ended()).toBe(0);
      expect(said).toEqual({ out: `up ${round}\r\n\xff\x00`, error: "" });
    }
    expect(readFileSync(log, "latin1")).toBe("up 1\r\n\xff\x00up 2\r\n\xff\x00");
    expect(statSync(log).mode & 0o777).toBe(0o600);
  });

  it("takes every key of a terminal, until the one that ends it", async () => {
    const terminal = new PseudoTerminal();
    const screen = openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY);
    try {
      for (const [name, key] of [
        ["^]", 0x1d],
        ["^A", 0x01],
      ] as const) {
        heard = "";
        const { said, ended } = start([`serial:${port.path}@9600`, "--escape", name], screen);
        await until("the console", () => (said.error.includes(`${name} ends it`) ? true : undefined));
        terminal.send(Buffer.from([0x03, 0x04, 0x68, 0x69, 0x0d]));
        await hears("\x03\x04hi\r");
        terminal.send(Buffer.from([0x6f, key, 0x6e]));
        expect(await ended()).toBe(0);
        await hears("\x03\x04hi\ro");
      }
    } finally {
      closeSync(screen);
      terminal.close();
    }
  });

  it("says what is wrong with a port, a key or a name", async () => {
    for (const [words, why, status] of [
      [["serial:/dev/no-such-port@9600"], "there is no serial port /dev/no-such-port", 1],
      [["serial:/dev/ttyS0"], "a port and its speed are wanted", 2],
      [["ip:10.0.0.1"], "is no serial port", 2],
      [[`serial:${port.path}@9600`, "--escape", "Ctrl-]"], "is no key", 2],
    ] as const) {
      const { child, said, ended } = start(words);
      child.stdin?.end();
      expect([await ended(), said.error]).toEqual([status, expect.stringContaining(why)]);
      expect(said.out).toBe("");
    }
  });
});
