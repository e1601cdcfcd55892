// What a Tab asks for: the words before the cursor against the commands as data. Pure.
//
// - Words are read as commander reads them: options of a command behind its name, a value with
//   `=` or as the next word, nothing but operands behind `--`.
// - An unknown option is taken to have no value: the rest can still be completed.

import type { CommandEntry, OptionEntry } from "./commands.js";
import type { Value } from "./values.js";

export interface Candidate {
  readonly value: string;
  readonly about: string;
}

export interface Question {
  /** What the candidates must begin with. */
  readonly typed: string;
  /** Commands or options that fit here. */
  readonly fixed: readonly Candidate[];
  /** The value that fits here. */
  readonly value: Value | undefined;
}

const isOption = (word: string): boolean => word.length > 1 && word.startsWith("-");

/** Where one is on the line. */
interface Place {
  command: CommandEntry;
  operands: number;
  /** Its values are being given. */
  option: OptionEntry | undefined;
  /** Behind `--`. */
  plain: boolean;
}

const optionOf = ({ options }: CommandEntry, flag: string): OptionEntry | undefined =>
  options.find(({ flags }) => flags.includes(flag));

function pass(place: Place, word: string): void {
  if (!place.plain && word === "--") {
    place.plain = true;
    place.option = undefined;
  } else if (!place.plain && isOption(word)) {
    const [flag = "", ...given] = word.split("=");
    const option = optionOf(place.command, flag);
    place.option = given.length > 0 || option?.takes === "none" ? undefined : option;
  } else if (place.option !== undefined) {
    if (place.option.takes !== "many") place.option = undefined;
  } else {
    const below = place.operands === 0 && !place.plain ? place.command.commands : {};
    const child = Object.hasOwn(below, word) ? below[word] : undefined;
    if (child === undefined) place.operands++;
    else place.command = child;
  }
}

const commandsOf = ({ commands }: CommandEntry): Candidate[] =>
  Object.entries(commands).map(([value, { about }]) => ({ value, about }));

const optionsOf = ({ options }: CommandEntry): Candidate[] =>
  options.map(({ flags, about }) => ({ value: flags.at(-1) ?? "", about }));

/** What the last of the words could become; the words begin behind the program's name. */
export function questionOf(program: CommandEntry, words: readonly string[]): Question {
  const place: Place = { command: program, operands: 0, option: undefined, plain: false };
  for (const word of words.slice(0, -1)) pass(place, word);
  const typed = words.at(-1) ?? "";
  const { command, option, operands, plain } = place;
  if (!plain && isOption(typed) && typed.includes("=")) {
    const at = typed.indexOf("=");
    return { typed: typed.slice(at + 1), fixed: [], value: optionOf(command, typed.slice(0, at))?.value };
  }
  if (option?.takes === "one") return { typed, fixed: [], value: option.value };
  if (!plain && typed.startsWith("-")) return { typed, fixed: optionsOf(command), value: undefined };
  if (option?.value !== undefined) return { typed, fixed: [], value: option.value };
  const last = command.arguments.at(-1);
  const argument = command.arguments[operands] ?? (last?.many ? last : undefined);
  const fixed = operands === 0 && !plain ? commandsOf(command) : [];
  return { typed, fixed, value: argument?.value };
}
