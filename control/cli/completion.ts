// `proteus completion SHELL`: what bash, zsh and fish need to complete commands, options and the
// names of what there is now. The scripts call `proteus complete -- WORDS` at every Tab
// (completion/answer.ts).
//
// - zsh's and fish's are @bomb.sh/tab's. Bash's is ours: the library's (0.0.22) needs another
//   package, evaluates what stands on the line, cannot complete behind a colon, and complains
//   when it is loaded twice.

import { RootCommand } from "@bomb.sh/tab";
import { Argument, type Command } from "@commander-js/extra-typings";
import { bashScript } from "./completion/bash.js";
import { emit } from "./output.js";

const helpText = `
Commands, options, and the names of running labs, their machines, links, interfaces and servers
are completed. The program must be on the path under its name.

Examples:
  source <(proteus completion bash)       # in ~/.bashrc
  source <(proteus completion zsh)        # in ~/.zshrc, behind compinit
  proteus completion fish > ~/.config/fish/completions/proteus.fish`;

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** In its script for zsh a colon of a name is to be escaped; the library's own text escapes nothing. */
const colon = { meant: `comp=\${comp//:/\\\\:}`, written: `comp=\${comp//:/\\:}` };

/** What the library would print. */
function libraryScript(shell: Shell): string {
  const { log } = console;
  let script = "";
  console.log = (text: string) => {
    script += text;
  };
  try {
    new RootCommand().setup("proteus", "proteus", shell);
  } finally {
    console.log = log;
  }
  return script.replaceAll(colon.written, colon.meant);
}

/** The script that a shell reads at its start. */
export function scriptFor(shell: Shell): string {
  return (shell === "bash" ? bashScript : libraryScript(shell)).trimEnd();
}

/** Adds `completion` to the program. */
export function registerCompletion(program: Command): void {
  program
    .command("completion")
    .description("write what a shell needs to complete commands and names")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", helpText)
    .action((shell, { json }) => {
      const script = scriptFor(shell);
      emit("completion", json, { shell, script }, () => script);
    });
}
