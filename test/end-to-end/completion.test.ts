// Completion in the real shells, with a lab that runs. If one of these fails, Tab says nothing,
// garbles the line, or names a machine that is not there.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mainPath } from "./lab-runner.js";
import { Programs } from "./programs.js";

const deadlineMs = 60_000;

/** A shell under a terminal, and what it has made of each of the lines that are typed into it. */
const typeInto = `
zmodload zsh/zpty
zpty it $1
zpty -w it $2
for keys in "\${@:3}"; do
  zpty -n -w it "$keys"$'\\x18'
  zpty -r it seen $'*\\\\[proteus*\\\\]*' || exit 1
  seen=\${seen##*\\[proteus}
  print -r -- "proteus\${seen%%\\]*}|"
  zpty -n -w it $'\\x15'
done
`;

const shells = {
  bash: {
    start: "bash --norc -i",
    ready: `PS1=; source <(proteus completion bash); source <(proteus completion bash)
say() { echo "[$READLINE_LINE]"; }; bind -x '"\\C-x": say'`,
  },
  zsh: {
    start: "zsh -f -i",
    ready: `PS1=; autoload -Uz compinit; compinit -D -u; source <(proteus completion zsh)
say() { print -r -- "[$BUFFER]"; }; zle -N say; bindkey '^X' say`,
  },
} as const;

describe("completion", () => {
  const pool = new Programs();
  const bin = join(pool.lab.folder, "bin");
  const home = join(pool.lab.folder, "home");

  /** Runs a script in a shell that finds `proteus`; gives what it says. */
  const run = (words: readonly string[], more: NodeJS.ProcessEnv = {}): string => {
    const [program = "", ...rest] = words;
    const { PROTEUS_LAB: _, ...environment } = process.env;
    const { status, stdout, stderr } = spawnSync(program, rest, {
      encoding: "utf8",
      timeout: deadlineMs,
      cwd: home,
      env: {
        ...{ ...environment, HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, TERM: "xterm" },
        ...{ PATH: `${bin}:${process.env.PATH}`, PROTEUS_LAB_STATE: pool.lab.state, ...more },
      },
    });
    expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
    return stdout.trimEnd();
  };

  /** What becomes of lines when Tab is pressed at their ends; each ends with a bar. */
  const tab = (shell: keyof typeof shells, lines: readonly string[]): string[] => {
    const { start, ready } = shells[shell];
    return run(["zsh", "-f", "-c", typeInto, "-", start, ready, ...lines.map((line) => `${line}\t`)]).split(
      "\n",
    );
  };

  beforeAll(async () => {
    for (const folder of [bin, home]) mkdirSync(folder);
    writeFileSync(join(bin, "proteus"), `#!/bin/sh\nexec "${process.execPath}" "${mainPath}" "$@"\n`);
    chmodSync(join(bin, "proteus"), 0o755);
    const file = join(home, "tab.yaml");
    writeFileSync(
      file,
      `name: tab
networks: { lan0: {} }
nodes:
  alpha: { kind: pool, networks: [lan0] }
  beta: { kind: host, networks: [lan0] }
`,
    );
    await pool.lab.run(["lab", "up", file, "--isolation", "memory"]);
  });
  afterAll(() => pool.close());

  it.each(["bash", "zsh"] as const)("in %s finishes commands, options and what there is now", (shell) => {
    const finished = {
      "proteus lab ki": "proteus lab kill |",
      "proteus lab kill a": "proteus lab kill alpha |",
      "proteus capture alpha:e": "proteus capture alpha:eth0 |",
      "proteus segment create alpha:seg": "proteus segment create alpha:segment |",
      "proteus lab exec --lab=t": "proteus lab exec --lab=tab |",
      "proteus lab exec --lab t": "proteus lab exec --lab tab |",
      "proteus lab apply ta": "proteus lab apply tab.yaml |",
      "proteus lab kill gamma": "proteus lab kill gamma|",
      "proteus group send $(touch made) `touch made` 'x": "proteus group send $(touch made) `touch made` 'x|",
    };
    expect(tab(shell, Object.keys(finished))).toEqual(Object.values(finished));
    expect(readdirSync(home)).not.toContain("made");
  });

  it("in fish too", () => {
    const found = {
      "proteus lab ki": ["kill"],
      "proteus lab exec ": ["alpha", "beta"],
      "proteus capture alpha:": ["alpha:eth0"],
      "proteus lab apply ta": ["tab.yaml"],
      "proteus group send chat (touch made)": [],
    };
    const asked = Object.keys(found).map((line) => `complete -C '${line}'; echo .`);
    const load = "proteus completion fish | source";
    const lines = run(["fish", "-c", [load, load, ...asked].join("; ")]).split("\n");
    expect(lines.map((line) => line.split("\t")[0])).toEqual(
      Object.values(found).flatMap((names) => [...names, "."]),
    );
    expect(readdirSync(home)).not.toContain("made");
  });
});
