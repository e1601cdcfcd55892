// What directories do, for the linearizability checker: every operation on one of them, or on
// two, is one step. Directories are known by their objects' numbers, things by values.
//
// - An answer is a status by its name, `ok`, or what was read as text.
// - The masks of rows count as far as they close the way along a path: capabilities here have all
//   rights, and a row gives at most what its masks of both columns have together.

import type { Model } from "./linearizable.js";

/** What stands in a row: `thing 5`, `dir 17`. */
export interface TreeRow {
  readonly is: string;
  readonly masks: readonly number[];
}

/** Names of each directory that there is. */
export type Trees = Readonly<Record<number, Readonly<Record<string, TreeRow>>>>;

/** A row that INSTALL changes; without `expected` whatever it has. */
export interface TreeInstall {
  readonly at: number;
  readonly name: string;
  readonly is: string;
  readonly expected?: string;
}

export type TreeInput =
  /** Answers the number of the new directory. */
  | { readonly do: "create" }
  | { readonly do: "discard" | "list"; readonly at: number }
  | { readonly do: "lookup"; readonly at: number; readonly path: readonly string[] }
  | { readonly do: "append"; readonly at: number; readonly name: string; readonly row: TreeRow }
  | { readonly do: "replace"; readonly at: number; readonly name: string; readonly is: string }
  | { readonly do: "install"; readonly rows: readonly TreeInstall[] }
  | { readonly do: "chmod"; readonly at: number; readonly name: string; readonly masks: readonly number[] }
  | { readonly do: "delete"; readonly at: number; readonly name: string }
  | {
      readonly do: "rename";
      readonly at: number;
      readonly name: string;
      readonly to: number;
      readonly newName: string;
    };

export const dirText = (object: number): string => `dir ${object}`;
const objectIn = (is: string): number | null => (is.startsWith("dir ") ? Number(is.slice(4)) : null);

/** A listing as text. */
export const listText = (rows: readonly { readonly name: string; readonly masks: readonly number[] }[]) =>
  rows
    .map(({ name, masks }) => `${name} ${masks.join()}`)
    .toSorted()
    .join("; ");
/** What a look-up leads to, and what of the path is left, as text. */
export const lookupText = (is: string, rest: readonly string[]): string => [is, ...rest].join("/");

const withRow = (trees: Trees, at: number, name: string, row: TreeRow): Trees => ({
  ...trees,
  [at]: { ...trees[at], [name]: row },
});

function withoutRow(trees: Trees, at: number, name: string): Trees {
  const { [name]: _, ...rows } = trees[at] ?? {};
  return { ...trees, [at]: rows };
}

/** The state after an operation that may take place, and its answer; or why it may not. */
type Done = { readonly after: Trees; readonly answer: string } | string;

function lookup(trees: Trees, start: number, path: readonly string[]): string {
  let [at, held] = [start, 0xff];
  for (const [index, name] of path.entries()) {
    if ((held & 0x03) === 0) return "STD_DENIED";
    const row = trees[at]?.[name];
    if (row === undefined) return "STD_NOTFOUND";
    const rest = path.slice(index + 1);
    const below = objectIn(row.is);
    if (rest.length === 0 || below === null || trees[below] === undefined) return lookupText(row.is, rest);
    const columns = row.masks.filter((_, column) => (held & (1 << column)) !== 0);
    [at, held] = [below, columns.reduce((sum, mask) => sum | mask, 0)];
  }
  return "STD_ARGBAD";
}

function install(trees: Trees, rows: readonly TreeInstall[]): Done {
  let after = trees;
  for (const { at, name, is, expected } of rows) {
    const row = trees[at]?.[name];
    if (row === undefined) return "STD_NOTFOUND";
    if (expected !== undefined && row.is !== expected) return "SP_CLASH";
    after = withRow(after, at, name, { ...row, is });
  }
  return { after, answer: "ok" };
}

/** Directories that an operation is about. */
function subjects(input: Exclude<TreeInput, { readonly do: "create" }>): readonly number[] {
  if (input.do === "install") return input.rows.map(({ at }) => at);
  return input.do === "rename" ? [input.at, input.to] : [input.at];
}

function perform(trees: Trees, input: Exclude<TreeInput, { readonly do: "create" }>): Done {
  if (subjects(input).some((at) => trees[at] === undefined)) return "STD_CAPBAD";
  if (input.do === "install") return install(trees, input.rows);
  const { at } = input;
  const rows = trees[at] ?? {};
  switch (input.do) {
    case "list":
      return {
        after: trees,
        answer: listText(Object.entries(rows).map(([name, row]) => ({ name, ...row }))),
      };
    case "lookup":
      return { after: trees, answer: lookup(trees, at, input.path) };
    case "discard": {
      if (Object.keys(rows).length > 0) return "SP_NOTEMPTY";
      const { [at]: _, ...others } = trees;
      return { after: others, answer: "ok" };
    }
    case "append":
      if (rows[input.name] !== undefined) return "STD_EXISTS";
      return { after: withRow(trees, at, input.name, input.row), answer: "ok" };
    default:
  }
  const { name } = input;
  const row = rows[name];
  if (row === undefined) return "STD_NOTFOUND";
  switch (input.do) {
    case "replace":
      return { after: withRow(trees, at, name, { ...row, is: input.is }), answer: "ok" };
    case "chmod":
      return { after: withRow(trees, at, name, { ...row, masks: input.masks }), answer: "ok" };
    case "delete":
      return { after: withoutRow(trees, at, name), answer: "ok" };
    case "rename": {
      const { to, newName } = input;
      if (at === to && name === newName) return { after: trees, answer: "ok" };
      if (trees[to]?.[newName] !== undefined) return "STD_EXISTS";
      return { after: withRow(withoutRow(trees, at, name), to, newName, row), answer: "ok" };
    }
  }
}

/** Directories that begin with none: the first comes by a create. */
export const trees: Model<Trees, TreeInput, string> = {
  initial: {},
  key: (state) =>
    Object.entries(state)
      .map(([at, rows]) => {
        const texts = Object.entries(rows).map(([name, { is, masks }]) => `${name} ${is} ${masks.join()}`);
        return `${at}: ${texts.toSorted().join()}`;
      })
      .join("; "),
  step(state, input, output) {
    // One that nobody has heard of can be seen by nobody.
    if (input.do === "create") return output === undefined ? state : { ...state, [Number(output)]: {} };
    const done = perform(state, input);
    const answer = typeof done === "string" ? done : done.answer;
    if (output !== undefined && output !== answer) return null;
    return typeof done === "string" ? state : done.after;
  },
};
