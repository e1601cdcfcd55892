// `proteus config show`: what this machine is set to, and what set it. The settings
// themselves are control/node/config/settings.ts; here are their flags and how they look.

import type { Command } from "@commander-js/extra-typings";
import { type Config, type LoadOptions, loadConfig, originText } from "../node/config/load.js";
import { type SettingKey, settingKeys, settings } from "../node/config/settings.js";
import { collect } from "./foreground.js";
import { emit } from "./output.js";
import { table } from "./table.js";

const rules = `
A flag is stronger than a variable, a variable than a file, a file than the default. Files:
the one of --config or PROTEUS_CONFIG, else config.toml (or .yaml, .yml, .json) in
$XDG_CONFIG_HOME/proteus, in the proteus folders of $XDG_CONFIG_DIRS, and in /etc/proteus;
for each setting the first of them that has it counts. --config none reads no file.`;

const fileExample = `
A config file, /etc/proteus/config.toml:
  [node]
  name = "n1"
  interfaces = ["eth0"]

  [log]
  format = "json"`;

/** The settings, what sets them, and what they mean; for the help of every command that has them. */
export function settingsHelp(among: readonly Section[] = allSections): string {
  const rows = settingKeys
    .filter((key) => isIn(key, among))
    .map((key) => [key, settings[key].environment, settings[key].about]);
  return `\nSettings:\n${table(["KEY", "VARIABLE", "MEANING"], rows)}\n${rules}\n${fileExample}`;
}

/** What a machine's agent is set to. */
export const nodeSections = [
  ...(["node", "bullet", "directory", "replication", "disk"] as const),
  ...(["pool", "log", "metrics"] as const),
] as const;
/** What a control daemon is set to: its name in the log is its machine's. */
export const controlSections = ["control", "pool", "log"] as const;
const allSections = [...nodeSections, "control"] as const;

/** Sections of the settings, for commands that concern some of them. */
export type Section = (typeof allSections)[number];

const isIn = (key: SettingKey, among: readonly Section[]): boolean =>
  among.some((section) => key.startsWith(`${section}.`));

/** The settings that have flags in a command: of two that share a flag, that of the first section. */
function flagged(among: readonly Section[]): SettingKey[] {
  const taken = new Set<string>();
  const ordered = among.flatMap((section) => settingKeys.filter((key) => isIn(key, [section])));
  return ordered.filter((key) => {
    const { flag } = settings[key];
    if (taken.has(flag)) return false;
    taken.add(flag);
    return true;
  });
}

/** Adds --config and a flag for every setting of these sections. */
export function withSettings(command: Command, among: readonly Section[] = allSections): Command {
  command.option("--config <file>", "config file; none: no file");
  for (const key of flagged(among)) {
    const { flag, about } = settings[key];
    if (key === "metrics.public") command.option(flag, about);
    else if (key === "node.interfaces" || key === "control.interfaces")
      command.option(`${flag} <name>`, `${about}; may be repeated`, collect);
    else command.option(`${flag} <value>`, about);
  }
  return command as unknown as Command;
}

/** The name under which commander keeps the value of a flag. */
function optionName(flag: string): string {
  return flag.replace(/^--/, "").replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The configuration that a command's flags, the environment and the files make. */
export function configOf(
  options: Readonly<Record<string, unknown>>,
  among: readonly Section[] = allSections,
): Config {
  const flags: Record<string, string | readonly string[] | boolean> = {};
  for (const key of flagged(among)) {
    const value = options[optionName(settings[key].flag)];
    if (typeof value === "string" || typeof value === "boolean") flags[key] = value;
    else if (Array.isArray(value)) flags[key] = value.map(String);
  }
  const file = typeof options.config === "string" ? options.config : undefined;
  return loadConfig({ flags: flags as LoadOptions["flags"], file } as LoadOptions);
}

/** A value as TOML writes it; JSON writes strings, lists of them, numbers and booleans alike. */
const valueText = (value: unknown): string => JSON.stringify(value);

function showText({ values, origins }: Config, origin: boolean): string {
  if (!origin) return settingKeys.map((key) => `${key} = ${valueText(values[key])}`).join("\n");
  const rows = settingKeys.map((key) => [key, valueText(values[key]), originText(origins[key])]);
  return table(["KEY", "VALUE", "ORIGIN"], rows);
}

function showDocument({ values, origins, files }: Config, origin: boolean): object {
  const row = (key: SettingKey) => ({ key, value: values[key], ...(origin ? { origin: origins[key] } : {}) });
  return { files, settings: settingKeys.map(row) };
}

/** Adds `config` and its subcommands to the program. */
export function registerConfig(program: Command): void {
  const config = program.command("config").description("what this machine is set to, and what set it");
  const show = config
    .command("show")
    .description("every setting with its value, checked; without --origin as lines of a config.toml");
  withSettings(show as unknown as Command);
  show
    .option("--origin", "where each value came from", false)
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", () => settingsHelp())
    .addHelpText(
      "after",
      "\nExamples:\n  proteus config show --origin\n  proteus config show --config n1.yaml --json",
    )
    .action((options: Readonly<Record<string, unknown>>) => {
      const made = configOf(options);
      const origin = options.origin === true;
      emit("config show", options.json === true, showDocument(made, origin), () => showText(made, origin));
    });
}
