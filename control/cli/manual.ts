// `proteus manual`: the reference of every command, as Markdown or as pages for man(1), written
// from the same tables as --help. `npm run docs` writes both into build/docs; none is kept in
// the repository, so none can be stale.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { errorCodes } from "./manual/errors.js";
import { errorsText, manualPage, markdown, pagesOf } from "./manual/pages.js";
import { emit } from "./output.js";
import { packageVersion } from "./package-files.js";

const helpText = `
Without --output the reference goes to standard output in Markdown. With it the folder gets
reference.md and man1/*.1, which man finds when its parent is in MANPATH.

Examples:
  proteus manual | less
  proteus manual --errors --json
  proteus manual --output ~/.local/share/man && man proteus-lab`;

/** Adds `manual` to the program; `whole` gives the program with all its commands. */
export function registerManual(program: Command, whole: () => Promise<Command>): void {
  program
    .command("manual")
    .description("write the reference of all commands, and manual pages")
    .option("--output <folder>", "write files into this folder")
    .option("--errors", "only the codes of errors, and what they mean", false)
    .option("--json", "one JSON document: the pages, the codes, or the files written", false)
    .addHelpText("after", helpText)
    .action(async ({ output, errors, json }) => {
      if (errors && output !== undefined)
        throw usageError(
          "--errors and --output exclude each other",
          "the reference of --output has the codes",
        );
      if (errors) {
        emit("manual", json, { errors: errorCodes }, errorsText);
        return;
      }
      const pages = pagesOf(await whole());
      const version = packageVersion();
      if (output === undefined) {
        emit("manual", json, { pages }, () => markdown(pages, version).trimEnd());
        return;
      }
      const files = [
        { path: join(output, "reference.md"), text: markdown(pages, version) },
        ...pages.map((page) => ({
          path: join(output, "man1", `${page.name}.1`),
          text: manualPage(page, version),
        })),
      ];
      writeFiles(join(output, "man1"), files);
      const paths = files.map(({ path }) => path);
      emit("manual", json, { files: paths }, () => `${paths.length} files in ${output}`);
    });
}

function writeFiles(folder: string, files: readonly { path: string; text: string }[]): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text);
  } catch (cause) {
    throw new ProteusError({
      code: "MANUAL_UNWRITABLE",
      exit: (cause as NodeJS.ErrnoException).code === "EACCES" ? exitCodes.denied : exitCodes.failed,
      message: `the manual cannot be written into ${folder}`,
      why: cause instanceof Error ? cause.message : String(cause),
      unchanged: "files written before it stay",
      hint: "choose another folder with --output",
      cause,
    });
  }
}
