// Every command of the program, found by walking it. If one of these fails, a command has no
// help, no example, no page in the manual, or is described in two ways.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { variables } from "../../../control/cli/manual/environment.js";
import { manualPage, markdown, pagesOf } from "../../../control/cli/manual/pages.js";
import { programFor, wholeProgram } from "../../../control/cli/program.js";
import { sourcesBelow } from "../structure/sources.js";
import { proteus } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "manual-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** All commands below one, as the words that one types. */
function wordsOf(command: Command, above: readonly string[] = []): string[][] {
  return command.commands.flatMap((child) => {
    const words = [...above, child.name()];
    return [words, ...wordsOf(child as Command, words)];
  });
}

const whole = await wholeProgram();
const commands = wordsOf(whole);

/** The command behind words. */
const find = (words: readonly string[]): Command =>
  words.reduce<Command>((command, word) => {
    const child = command.commands.find((each) => each.name() === word);
    if (child === undefined) throw new Error(`there is no command ${words.join(" ")}`);
    return child as Command;
  }, whole);

describe("every command", () => {
  it("is walked", () => {
    expect(commands.length).toBeGreaterThan(25);
    expect(commands).toContainEqual(["lab", "exec"]);
  });

  it.each(commands)("has help, with what it is for: %s %s", async (...found) => {
    const words = found.filter((word) => word !== undefined);
    const { stdout, stderr, exit } = await proteus(...words, "--help");
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toContain(`Usage: proteus ${words.join(" ")}`);
    const command = find(words);
    expect(command.description()).not.toBe("");
    if (command.commands.length === 0) expect(stdout).toMatch(/Examples?:/);
    for (const option of command.options) expect(option.description, option.flags).not.toBe("");
  });

  it("that has --json says a usage error as JSON", async () => {
    const withJson = commands.filter((words) => find(words).options.some(({ long }) => long === "--json"));
    expect(withJson.length).toBeGreaterThan(15);
    for (const words of withJson) {
      const { stdout, stderr, exit } = await proteus(...words, "--json", "--no-such-option");
      expect({ words, stdout, exit }).toEqual({ words, stdout: "", exit: 2 });
      expect(JSON.parse(stderr)).toMatchObject({ schema: 1, error: { code: "USAGE", exit: 2 } });
    }
  });

  it("has --json, but for those whose output is another program's", () => {
    const leaves = commands.filter((words) => find(words).commands.length === 0);
    const without = leaves.filter((words) => !find(words).options.some(({ long }) => long === "--json"));
    const reason: Readonly<Record<string, string>> = {
      "lab exec": "what the command in the machine says",
      "lab demo": "a demonstration for people",
      "boot run": "what the machine says on its console",
      "boot console": "what the machine says on its console",
      console: "what the machine says on its console",
      dissector: "a program for Wireshark",
      "bench worker": "one side of a measurement, for the other side",
    };
    expect(without.map((words) => words.join(" ")).filter((words) => !(words in reason))).toEqual([]);
  });

  it("is summed up in the list of commands as it sums itself up", async () => {
    const summaries = async (...words: string[]) => {
      const listed = await programFor(words);
      const above = words.reduce<Command>(
        (command, word) => command.commands.find((each) => each.name() === word) as Command,
        listed,
      );
      return above.commands.map((child) => [...words, child.name(), child.description()]);
    };
    for (const above of [[], ...commands.filter((words) => find(words).commands.length > 0)])
      expect(await summaries(...above)).toEqual(
        (above.length === 0 ? whole : find(above)).commands.map((child) => [
          ...above,
          child.name(),
          child.description(),
        ]),
      );
  });
});

describe("proteus version", () => {
  it("shows the versions of everything that others meet", async () => {
    const { stdout, exit } = await proteus("version", "--json");
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: 1,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      kernel: expect.stringMatching(/^[0-9a-f]{64}$/),
      wire: { flip: 1, extensions: expect.arrayContaining(["checked", "group"]) },
      disk: { "store-folder": expect.any(Number), "store-device": expect.any(Number) },
    });
  });
});

describe("the manual", () => {
  beforeAll(async () => {
    const { exit, stdout } = await proteus("manual", "--output", folder);
    expect({ exit, stdout }).toMatchObject({ exit: 0 });
  });

  it("has a page for every command, with every option and argument of it", () => {
    const pages = readdirSync(join(folder, "man1"));
    expect(pages.sort()).toEqual(
      [["proteus"], ...commands.map((words) => ["proteus", ...words])]
        .map((words) => `${words.join("-")}.1`)
        .sort(),
    );
    const reference = readFileSync(join(folder, "reference.md"), "utf8");
    for (const words of commands) {
      expect(reference).toContain(`\n## proteus ${words.join(" ")}\n`);
      const page = readFileSync(join(folder, "man1", `proteus-${words.join("-")}.1`), "utf8").replaceAll(
        "\\-",
        "-",
      );
      for (const { long } of find(words).options) expect(page).toContain(long ?? "?");
      for (const argument of find(words).registeredArguments) expect(page).toContain(argument.name());
    }
  });

  it("is what man shows without a complaint", () => {
    const groff = ["/usr/bin/groff", "/bin/groff"].find((path) => existsSync(path));
    if (groff === undefined) {
      console.warn("skipped: groff is not installed");
      return;
    }
    for (const name of ["proteus", "proteus-capture", "proteus-group-join"]) {
      const path = join(folder, "man1", `${name}.1`);
      const words = ["-man", "-Tutf8", "-ww", "-K", "utf8", "-P", "-cbou", path];
      const { stdout: shown, stderr, status } = spawnSync(groff, words, { encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(shown).toContain("SYNOPSIS");
    }
  });

  it("cannot be led astray by what a command says", () => {
    const [page] = pagesOf(whole);
    if (page === undefined) throw new Error("there is no page");
    const nasty = { ...page, summary: ".so /etc/passwd", notes: "'br\n.ex\n\\fB|<b>" };
    const text = manualPage(nasty, "1");
    expect(text).toContain("\n\\&'br\n\\&.ex\n\\efB|<b>\n");
    expect(text).not.toMatch(/^\.(so|ex)/m);
    expect(markdown([nasty], "1")).toContain("## proteus\n");
  });

  it("knows every variable of the environment that the sources read", () => {
    const known = new Set(variables.map(({ name }) => name));
    const read = sourcesBelow()
      .filter(({ path }) => path.startsWith("control/") && !path.startsWith("control/bench/"))
      .flatMap(({ text }) => [...text.matchAll(/\b(?:PROTEUS|XDG)_[A-Z][A-Z_]*\b/g)].map(([name]) => name));
    const unknown = [...new Set(read)].filter((name) => !known.has(name) && !name.endsWith("_"));
    expect(unknown).toEqual([]);
    // and no other: a family of names is read by what they begin with
    const text = sourcesBelow("control")
      .filter(({ path }) => path !== "control/cli/manual/environment.ts")
      .map(({ text }) => text)
      .join("\n");
    const family = (name: string): string => name.replace(/_NAME$/, "_");
    expect([...known].filter((name) => !text.includes(name) && !text.includes(family(name)))).toEqual([]);
  });
});
