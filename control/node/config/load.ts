// The configuration of this machine: flag over environment over file over default, each
// value with where it came from.
//
// - Files: the one that is named, else config.{toml,yaml,yml,json} in the user's XDG folder,
//   then the system's XDG folders, then /etc/proteus; the first that sets a key wins.
//   `none` reads no file.
// - A key that is no setting, or a value that its schema refuses, is an error that names
//   file and line, variable or flag. Everything is checked, also what something else hides.
// - Empty variables are not set.

import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { unreadable } from "../../kernel/file-errors.js";
import { type Leaf, readDocument } from "./document.js";
import { isLocal, parseListen } from "./listen.js";
import {
  type ConfigValues,
  isSettingKey,
  type SettingKey,
  sections,
  settingKeys,
  settings,
} from "./settings.js";

/** Where a value came from. */
export type Origin =
  | { readonly kind: "flag"; readonly flag: string }
  | { readonly kind: "environment"; readonly variable: string }
  | { readonly kind: "file"; readonly path: string; readonly line: number }
  | { readonly kind: "default" };

/** What is set, and where. */
export interface Config {
  readonly values: ConfigValues;
  readonly origins: Readonly<Record<SettingKey, Origin>>;
  /** The files that were read, the strongest first. */
  readonly files: readonly string[];
}

export interface LoadOptions {
  /** Values of flags that were given, as text (a list: several texts). */
  readonly flags?: Partial<Record<SettingKey, string | readonly string[] | boolean>>;
  /** --config: a path, or `none`. */
  readonly file?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
  /** The folder of the machine's own file. */
  readonly systemFolder?: string;
}

const endings = ["toml", "yaml", "yml", "json"] as const;
const fileBytesMax = 1024 * 1024;

/** A value that was found, before it is judged. */
interface Found {
  readonly key: SettingKey;
  readonly value: unknown;
  readonly origin: Origin;
}

/** Words for an origin: `/etc/proteus/config.toml:3`, `PROTEUS_NODE`, `--name`, `default`. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case "flag":
      return origin.flag;
    case "environment":
      return origin.variable;
    case "file":
      return `${origin.path}:${origin.line}`;
    case "default":
      return "default";
  }
}

function invalid(where: string, message: string, why: string, others = 0): ProteusError {
  const more = others > 0 ? `; ${others} more ${others === 1 ? "fault" : "faults"} after this one` : "";
  return new ProteusError({
    code: "CONFIG_INVALID",
    exit: exitCodes.usage,
    message: `${where}: ${message}`,
    why: `${why}${more}`,
    unchanged: "nothing was started",
    hint: "`proteus config show --help` lists the settings and what sets them",
  });
}

/** Folders that may hold a config file, the strongest first. */
export function configFolders(environment: NodeJS.ProcessEnv, systemFolder = "/etc/proteus"): string[] {
  const home = environment.XDG_CONFIG_HOME || (environment.HOME ? join(environment.HOME, ".config") : "");
  const shared = (environment.XDG_CONFIG_DIRS || "/etc/xdg").split(":");
  const folders = [home, ...shared].filter((folder) => folder.startsWith("/"));
  return [...new Set([...folders.map((folder) => join(folder, "proteus")), systemFolder])];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The files to read, the strongest first. Throws CONFIG_AMBIGUOUS. */
function filesToRead({ file, environment = {}, systemFolder }: LoadOptions): string[] {
  const named = file ?? environment.PROTEUS_CONFIG;
  if (named === "none") return [];
  if (named) return [resolve(named)];
  return configFolders(environment, systemFolder).flatMap((folder) => {
    const there = endings.map((ending) => join(folder, `config.${ending}`)).filter(isFile);
    if (there.length > 1)
      throw new ProteusError({
        code: "CONFIG_AMBIGUOUS",
        exit: exitCodes.usage,
        message: `${folder} has more than one config file`,
        why: there.join(", "),
        unchanged: "nothing was started",
        hint: "keep one of them, or name one with --config",
      });
    return there;
  });
}

function readFile(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > fileBytesMax)
      throw new Error(`it has ${size} bytes; a config file has at most ${fileBytesMax}`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(`the config file ${path}`, cause, {
      code: "CONFIG_UNREADABLE",
      unchanged: "nothing was started",
      hint: "name another with --config or PROTEUS_CONFIG; `none` reads no file",
    });
  }
}

/** What a file sets. Throws CONFIG_SYNTAX, CONFIG_INVALID for keys that are no settings. */
function fromFile(path: string): Found[] {
  if (!endings.some((ending) => path.endsWith(`.${ending}`)))
    throw invalid(path, "what kind of file it is, is not clear", `its name ends in ${endings.join(", ")}`);
  const known = sections();
  const unknown: Leaf[] = [];
  const found: Found[] = [];
  for (const leaf of readDocument(path, readFile(path))) {
    const key = leaf.path.join(".");
    const origin: Origin = { kind: "file", path, line: leaf.line };
    const isEmptySection = leaf.path.length === 1 && known.has(key) && isEmpty(leaf.value);
    if (isSettingKey(key) && leaf.path.length === 2) found.push({ key, value: leaf.value, origin });
    else if (!isEmptySection) unknown.push(leaf);
  }
  const [first] = unknown;
  if (first === undefined) return found;
  const [section = ""] = first.path;
  const names = known.get(section);
  const why =
    names === undefined
      ? `the sections are ${[...known.keys()].join(", ")}`
      : `${section} has ${names.map((name) => `${section}.${name}`).join(", ")}`;
  throw invalid(`${path}:${first.line}`, `"${first.path.join(".")}" is no setting`, why, unknown.length - 1);
}

const isEmpty = (value: unknown): boolean =>
  value === null || (typeof value === "object" && Object.keys(value).length === 0);

function fromEnvironment(environment: NodeJS.ProcessEnv): Found[] {
  return settingKeys.flatMap((key): Found[] => {
    const { environment: variable, fromText } = settings[key];
    const text = environment[variable];
    return text ? [{ key, value: fromText(text), origin: { kind: "environment", variable } }] : [];
  });
}

function fromFlags(flags: NonNullable<LoadOptions["flags"]>): Found[] {
  return settingKeys.flatMap((key): Found[] => {
    const given = flags[key];
    if (given === undefined) return [];
    const value = typeof given === "string" ? settings[key].fromText(given) : given;
    return [{ key, value, origin: { kind: "flag", flag: settings[key].flag } }];
  });
}

/** Reads and checks everything. Throws ProteusError CONFIG_*. */
export function loadConfig(options: LoadOptions = {}): Config {
  const environment = options.environment ?? process.env;
  const files = filesToRead({ ...options, environment });
  const found = [
    ...fromFlags(options.flags ?? {}),
    ...fromEnvironment(environment),
    ...files.flatMap(fromFile),
  ];
  const values: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Origin>> = {};
  const faults: { found: Found; why: string }[] = [];
  for (const each of found) {
    const judged = settings[each.key].schema.safeParse(each.value);
    if (!judged.success) faults.push({ found: each, why: judged.error.issues[0]?.message ?? "it is wrong" });
    else if (!(each.key in values)) {
      values[each.key] = judged.data;
      origins[each.key] = each.origin;
    }
  }
  const [first] = faults;
  if (first !== undefined) {
    const { key, value, origin } = first.found;
    const shown = JSON.stringify(value) ?? String(value);
    throw invalid(originText(origin), `${key} cannot be ${shown.slice(0, 80)}`, first.why, faults.length - 1);
  }
  for (const key of settingKeys) {
    if (key in values) continue;
    values[key] = settings[key].fallback();
    origins[key] = { kind: "default" };
  }
  const config = { values: values as ConfigValues, origins: origins as Config["origins"], files };
  checkPublic(config);
  return config;
}

/** Metrics go beyond this machine only when that was asked for. */
function checkPublic({ values, origins }: Config): void {
  if (values["metrics.public"] || isLocal(parseListen(values["metrics.listen"]).listen)) return;
  throw invalid(
    originText(origins["metrics.listen"]),
    `metrics.listen is ${values["metrics.listen"]}, which other machines reach`,
    "metrics are for this machine unless metrics.public is true: nothing protects them",
  );
}
