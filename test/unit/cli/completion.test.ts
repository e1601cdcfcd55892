// What a Tab gets, without a shell. If one of these fails, a command is completed with what does
// not fit, a new one is not completed at all, or a slow source of names holds up the prompt.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command as Plain } from "commander";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { answerTo } from "../../../control/cli/completion/answer.js";
import { type CommandEntry, commandEntry } from "../../../control/cli/completion/commands.js";
import { namesOf, type Source } from "../../../control/cli/completion/names.js";
import { questionOf } from "../../../control/cli/completion/question.js";
import { scriptFor } from "../../../control/cli/completion.js";
import { wholeProgram } from "../../../control/cli/program.js";
import { proteus } from "./command.js";

const program = commandEntry((await wholeProgram()) as unknown as Plain);

/** Answers a kind with itself, so that a test sees which was asked for. */
const echo: Source = (kind) => [{ value: `some-${kind}`, about: "" }];
const answers = async (...words: string[]): Promise<string[]> =>
  (await answerTo(program, words, [echo])).map((line) => line.split("\t")[0] ?? "");

describe("completion", () => {
  it.each([
    [
      ["lab", "ki"],
      ["kill", ":4"],
    ],
    [
      ["lab", "down", ""],
      ["some-lab", ":4"],
    ],
    [
      ["lab", "exec", ""],
      ["some-node", ":4"],
    ],
    [
      ["lab", "exec", "--lab", ""],
      ["some-lab", ":4"],
    ],
    [
      ["lab", "exec", "--lab=so"],
      ["some-lab", ":4"],
    ],
    [
      ["lab", "exec", "--lab", "x", "so"],
      ["some-node", ":4"],
    ],
    [["lab", "exec", "n1", "--", ""], [":0"]],
    [
      ["lab", "impair", "some-"],
      ["some-link", ":4"],
    ],
    [["lab", "impair", "--loss", ""], [":4"]],
    [
      ["lab", "up", "--isolation", "m"],
      ["memory", ":4"],
    ],
    [
      ["lab", "up", "x.yaml", "--na"],
      ["--name", ":4"],
    ],
    [["lab", "up", ""], [":0"]],
    [
      ["lab", "apply", "--name", ""],
      ["some-lab", ":4"],
    ],
    [
      ["segment", "create", "--bytes", "1", ""],
      ["some-object", ":4"],
    ],
    [
      ["capture", "--json", "some"],
      ["some-tap", ":4"],
    ],
    [["capture", "-w", ""], [":0"]],
    [
      ["bench", "--between", "n1", ""],
      ["some-node", ":4"],
    ],
    [
      ["bench", "null-rpc", "reply"],
      ["reply-1m", ":4"],
    ],
    [
      ["bench", "k"],
      ["kernel", ":4"],
    ],
    [
      ["bench", "kernel", "--system", ""],
      ["wasm", "native", ":4"],
    ],
    [
      ["simulate", "--workload", "g"],
      ["groups", ":4"],
    ],
    [
      ["node", "start", "--log-format", "j"],
      ["json", ":4"],
    ],
    [
      ["completion", "z"],
      ["zsh", ":4"],
    ],
    [
      ["help", "seg"],
      ["segment", ":4"],
    ],
    [
      ["status", "--watch", "--js"],
      ["--json", ":4"],
    ],
    [["no", "such", "command", ""], [":4"]],
    [["constructor", ""], [":4"]],
  ] as const)("of %j is %j", async (words, expected) => {
    expect(await answers(...words)).toEqual(expected);
  });

  it("knows what every option and argument takes, or that it is the user's own", () => {
    const numbers = "count|seconds|duration|time|share|rate|number|bytes|calls|log2|milliseconds|hours|bits";
    const texts = "name|value|capability|settings|text|list|port|address|interval|range|hex|pattern|position";
    const free = new RegExp(`[<[](${numbers}|${texts})[>\\]]`);
    const unknown = (command: Plain, entry: CommandEntry, path: string): string[] => [
      ...entry.options
        .filter(({ takes, value }) => takes !== "none" && value === undefined)
        .map(({ flags }) => command.options.find(({ long }) => long === flags.at(-1))?.flags ?? "?")
        .filter((flags) => !free.test(flags))
        .map((flags) => `${path} ${flags}`),
      ...command.commands.flatMap((child) => {
        const below = entry.commands[child.name()];
        return below === undefined ? [] : unknown(child, below, `${path} ${child.name()}`);
      }),
    ];
    return wholeProgram().then((whole) =>
      expect(unknown(whole as unknown as Plain, program, "proteus")).toEqual([]),
    );
  });

  it("has one line a candidate, whatever names hold", async () => {
    const words = ["lab", "exec", ""];
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), async (value, about) => {
        const lines = await answerTo(program, words, [() => [{ value, about }]]);
        expect(lines).toHaveLength(2);
        expect(lines.join("")).not.toMatch(/[^\t\P{C}]/u);
      }),
    );
  });

  it("takes any words", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("lab", "exec", "--", "--lab", "--lab=", "-w", "", "__proto__", "bench", "--between"),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (words) => {
        const { typed } = questionOf(program, words);
        expect((words.at(-1) ?? "").endsWith(typed)).toBe(true);
      }),
    );
  });

  it("leaves out who fails or is late, and keeps what the others know", async () => {
    let told = false;
    const late: Source = (_, abort) =>
      new Promise(() => {
        abort.addEventListener("abort", () => {
          told = true;
        });
      });
    const broken: Source = () => {
      throw new Error("gone");
    };
    const found = await namesOf("node", 5, [late, echo, broken, async () => Promise.reject(new Error("no"))]);
    expect(found.map(({ value }) => value)).toEqual(["some-node"]);
    expect(told).toBe(true);
  });
});

describe("names of a deployed pool", () => {
  const control = process.env.PROTEUS_CONTROL;
  afterEach(() => {
    if (control === undefined) delete process.env.PROTEUS_CONTROL;
    else process.env.PROTEUS_CONTROL = control;
  });

  it("come from a control daemon's socket, and only those that a shell can take", async () => {
    const folder = mkdtempSync(join(tmpdir(), "proteus-completion-"));
    const socket = join(folder, "control.sock");
    const nodes = [
      { name: "far-1", kind: "pool" },
      { name: "n1#e7cf", kind: "router" },
      { name: "$(reboot)", kind: "pool" },
    ];
    const server = createServer((_, response) => response.end(JSON.stringify({ schema: 1, nodes })));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      process.env.PROTEUS_CONTROL = `https://elsewhere,${socket}`;
      const found = await namesOf("node", 2000);
      expect(found).toContainEqual({ value: "far-1", about: "pool, as a control daemon knows it" });
      expect(found.map(({ value }) => value)).toContain("n1#e7cf");
      expect(found.map(({ value }) => value)).not.toContain("$(reboot)");
      process.env.PROTEUS_CONTROL = join(folder, "nobody.sock");
      expect((await namesOf("node", 2000)).map(({ value }) => value)).not.toContain("far-1");
    } finally {
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    }
  });
});

describe("proteus completion", () => {
  it("prints a script for each shell, and as JSON", async () => {
    for (const shell of ["bash", "zsh", "fish"] as const) {
      const { stdout, stderr, exit } = await proteus("completion", shell);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(stdout).toBe(`${scriptFor(shell)}\n`);
      expect(stdout).toContain("proteus complete -- ");
      const json = await proteus("completion", shell, "--json");
      expect(JSON.parse(json.stdout)).toEqual({ schema: 1, shell, script: scriptFor(shell) });
    }
  });

  it("refuses other shells", async () => {
    const { exit, stdout } = await proteus("completion", "tcsh");
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
  });
});
