// The reference of all commands as data, and the two forms that it takes: a page in Markdown,
// and manual pages for man(1), one a command. Made from the same objects that --help shows.
//
// - Pure: the caller says which program, and writes the files.
// - A name of a page is the words of its command: proteus-lab-up.
// - Source for the second form: man(7), macros TH, SH, TP, nf.

import type { EventEmitter } from "node:events";
import type { Command } from "@commander-js/extra-typings";
import { variables } from "./environment.js";
import { type ErrorCode, errorCodes } from "./errors.js";

interface Entry {
  readonly term: string;
  readonly description: string;
}

export interface Page {
  /** proteus-lab-up */
  readonly name: string;
  /** proteus lab up */
  readonly command: string;
  readonly summary: string;
  readonly usage: string;
  readonly arguments: readonly Entry[];
  readonly options: readonly Entry[];
  /** Subcommands; `term` is their page's command. */
  readonly commands: readonly Entry[];
  /** What --help says behind the options: notes and examples. */
  readonly notes: string;
}

/** What addHelpText has put behind the help of a command. */
function notesOf(command: Command): string {
  let text = "";
  const write = (part: string): void => {
    text += part;
  };
  const emitter = command as unknown as EventEmitter; // commander's own way to ask for it
  emitter.emit("afterHelp", { error: false, command, write });
  return text.replace(/^\n+|\s+$/g, "");
}

/** The pages of a command and of everything below it, parents first. */
export function pagesOf(command: Command, above: readonly string[] = []): Page[] {
  const words = [...above, command.name()];
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== "help");
  const page: Page = {
    name: words.join("-"),
    command: words.join(" "),
    summary: command.description(),
    usage: `${words.join(" ")} ${command.usage()}`,
    arguments: help.visibleArguments(command).map((argument) => ({
      term: help.argumentTerm(argument),
      description: help.argumentDescription(argument),
    })),
    options: help.visibleOptions(command).map((option) => ({
      term: help.optionTerm(option),
      description: help.optionDescription(option),
    })),
    commands: children.map((child) => ({
      term: [...words, child.name()].join(" "),
      description: child.description(),
    })),
    notes: notesOf(command as Command),
  };
  return [page, ...children.flatMap((child) => pagesOf(child as Command, words))];
}

const anchor = (command: string): string => command.replaceAll(" ", "-");
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function markdownTable(head: string, entries: readonly Entry[], link = false): string[] {
  if (entries.length === 0) return [];
  const rows = entries.map(({ term, description }) =>
    link
      ? `| [${term}](#${anchor(term)}) | ${cell(description)} |`
      : `| \`${cell(term).replaceAll("&lt;", "<")}\` | ${cell(description)} |`,
  );
  return [`| ${head} | |`, "|---|---|", ...rows, ""];
}

/** All pages as one document in Markdown. */
export function markdown(pages: readonly Page[], version: string): string {
  const sections = pages.flatMap((page) => [
    `## ${page.command}`,
    "",
    `${page.summary[0]?.toUpperCase() ?? ""}${page.summary.slice(1)}.`,
    "",
    "```",
    page.usage,
    "```",
    "",
    ...markdownTable("Command", page.commands, true),
    ...markdownTable("Argument", page.arguments),
    ...markdownTable("Option", page.options),
    ...(page.notes === "" ? [] : ["```", page.notes, "```", ""]),
  ]);
  const environment = variables.map(({ name, meaning }) => ({ term: name, description: meaning }));
  return [
    `# Commands of Proteus ${version}`,
    "",
    "Written by `npm run docs` from the commands themselves.",
    "",
    ...sections,
    "## Environment",
    "",
    ...markdownTable("Variable", environment),
    "## Errors",
    "",
    errorsNote,
    "",
    ...markdownTable("Code", errorCodes.map(termOf)),
  ].join("\n");
}

const errorsNote = `An error has a stable code. With --json it is one document on standard error:
{"schema":1,"error":{"code":"LAB_NONE","exit":3,"message":"…","why":"…","unchanged":"…","hint":"…"}}.
Errors of the system keep its codes, such as ENOENT.`;

const termOf = ({ code, meaning }: ErrorCode): Entry => ({ term: code, description: meaning });

/** The codes alone, as text. */
export function errorsText(): string {
  const width = Math.max(...errorCodes.map(({ code }) => code.length));
  return errorCodes.map(({ code, meaning }) => `${code.padEnd(width)}  ${meaning}`).join("\n");
}

/** Text as troff takes it: no escape, no request, no typographic dash. */
function troff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(
      /[^\n -~]/gu,
      (character) => `\\[u${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}]`,
    )
    .split("\n")
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join("\n");
}

function troffList(title: string, entries: readonly Entry[]): string[] {
  if (entries.length === 0) return [];
  return [
    `.SH ${title}`,
    ...entries.flatMap(({ term, description }) => [".TP", `.B ${troff(term)}`, troff(description || "-")]),
  ];
}

/** One page for man(1). */
export function manualPage(page: Page, version: string): string {
  const above = page.name.includes("-") ? [page.name.slice(0, page.name.lastIndexOf("-"))] : [];
  const others = [...above, ...page.commands.map(({ term }) => anchor(term))];
  const environment = variables.map(({ name, meaning }) => ({ term: name, description: meaning }));
  return `${[
    `.TH ${troff(page.name.toUpperCase())} 1 "" "Proteus ${version}" "Proteus"`,
    ".SH NAME",
    `${troff(page.name)} \\- ${troff(page.summary)}`,
    ".SH SYNOPSIS",
    `.B ${troff(page.usage)}`,
    ...troffList("COMMANDS", page.commands),
    ...troffList("ARGUMENTS", page.arguments),
    ...troffList("OPTIONS", page.options),
    ...(page.notes === "" ? [] : [".SH NOTES", ".nf", troff(page.notes), ".fi"]),
    ...(above.length === 0
      ? [...troffList("ENVIRONMENT", environment), ...troffList("ERRORS", errorCodes.map(termOf))]
      : []),
    ...(others.length === 0
      ? []
      : [
          ".SH SEE ALSO",
          others
            .map((name) => `.BR ${troff(name)} (1)`)
            .join(" ,\n")
            .replaceAll(" ,", " ,"),
        ]),
  ].join("\n")}\n`;
}
