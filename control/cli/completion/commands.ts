// The commands as plain data, for completion: the build writes it down, so that a Tab need not
// load the commands themselves.

import type { Command as Plain } from "commander";
import { type Value, valueOfArgument, valueOfOption } from "./values.js";

export interface OptionEntry {
  /** `-w`, `--write` */
  readonly flags: readonly string[];
  readonly about: string;
  /** How many words behind it are its own: none, one, perhaps one, or all up to the next option. */
  readonly takes: "none" | "one" | "maybe" | "many";
  readonly value?: Value | undefined;
}

export interface ArgumentEntry {
  readonly many: boolean;
  readonly value?: Value | undefined;
}

export interface CommandEntry {
  readonly about: string;
  readonly commands: Readonly<Record<string, CommandEntry>>;
  readonly options: readonly OptionEntry[];
  readonly arguments: readonly ArgumentEntry[];
}

function argumentsOf(command: Plain, path: string): ArgumentEntry[] {
  return command.registeredArguments.map((argument) => ({
    many: argument.variadic,
    value: valueOfArgument(path, argument),
  }));
}

/** Everything of a command that can be typed, with all that is below it. */
export function commandEntry(command: Plain, above: readonly string[] = []): CommandEntry {
  const help = command.createHelp();
  const path = above.join(" ");
  const below = help.visibleCommands(command);
  const names = below.map((child) => child.name()).filter((name) => name !== "help");
  return {
    about: command.description(),
    commands: Object.fromEntries(
      below.map((child) => {
        const name = child.name();
        const entry = commandEntry(child, [...above, name]);
        if (name !== "help") return [name, entry];
        return [name, { ...entry, arguments: [{ many: false, value: { words: names } }] }];
      }),
    ),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
      about: option.description,
      takes: option.variadic ? "many" : option.required ? "one" : option.optional ? "maybe" : "none",
      value: valueOfOption(path, option),
    })),
    arguments: argumentsOf(command, path),
  };
}
