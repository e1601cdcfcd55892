// A config file as a list of keys with their values and lines: TOML, YAML or JSON, by the
// ending of its name. What the keys mean is none of its business.
//
// - The libraries parse; here their trees are walked, because errors name the line.
// - JSON is read strictly and located by the YAML parser, of which it is a part.
// - A map is walked into, a list is a value. An empty map is a value too: it may be a
//   section that nobody knows.

import { getStaticTOMLValue, parseTOML } from "toml-eslint-parser";
import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { exitCodes, ProteusError } from "../../kernel/errors.js";

/** One key of a file. */
export interface Leaf {
  readonly path: readonly string[];
  readonly value: unknown;
  /** From 1. */
  readonly line: number;
}

/** Deeper than any setting; an alias that contains itself ends here. */
const depthMax = 8;

/** The error for a file that is no TOML, YAML or JSON. */
function syntaxError(path: string, line: number | undefined, why: string): ProteusError {
  return new ProteusError({
    code: "CONFIG_SYNTAX",
    exit: exitCodes.usage,
    message: `${path}${line === undefined ? "" : `:${line}`} cannot be read`,
    why: why.split("\n")[0],
    unchanged: "nothing was started",
    hint: "mend that line; `proteus config show` tells whether it is right",
  });
}

/** The keys of a file's text. Throws ProteusError CONFIG_SYNTAX. */
export function readDocument(path: string, text: string): Leaf[] {
  if (path.endsWith(".toml")) return readToml(path, text);
  if (path.endsWith(".json")) checkJson(path, text);
  return readYaml(path, text);
}

function readToml(path: string, text: string): Leaf[] {
  let ast: ReturnType<typeof parseTOML>;
  try {
    ast = parseTOML(text);
  } catch (error) {
    const { index = 0, message } = error as Error & { index?: number };
    // A value that is missing is noticed behind the end of its line.
    const mayBeginLine = /[\w"'[#\s-]/.test(text[index] ?? " ");
    const at =
      text[index - 1] === "\n" && mayBeginLine && /^Un(specified|expected ch)/.test(message)
        ? index - 1
        : index;
    throw syntaxError(path, text.slice(0, at).split("\n").length, message);
  }
  const found: Leaf[] = [];
  type KeyValue = Parameters<typeof tomlPair>[1];
  const take = (base: readonly string[], pair: KeyValue): void => tomlPair(base, pair, found);
  for (const node of ast.body[0].body) {
    if (node.type === "TOMLKeyValue") take([], node);
    else {
      const base = node.resolvedKey.map(String);
      if (node.body.length === 0) found.push({ path: base, value: {}, line: node.loc.start.line });
      for (const pair of node.body) take(base, pair);
    }
  }
  return found;
}

type TomlTop = ReturnType<typeof parseTOML>["body"][0]["body"][number];

function tomlPair(
  base: readonly string[],
  pair: Extract<TomlTop, { type: "TOMLKeyValue" }>,
  found: Leaf[],
): void {
  const own = pair.key.keys.map((key) => (key.type === "TOMLBare" ? key.name : key.value));
  const path = [...base, ...own];
  const { value } = pair;
  if (value.type === "TOMLInlineTable" && value.body.length > 0 && path.length < depthMax) {
    for (const inner of value.body) tomlPair(path, inner, found);
  } else {
    found.push({ path, value: getStaticTOMLValue(value), line: pair.loc.start.line });
  }
}

/** YAML allows more than JSON: a .json file must be JSON. */
function checkJson(path: string, text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const position = /at position (\d+)/.exec(message)?.[1];
    const end = /end of JSON input/.test(message) ? text.length : undefined;
    const at = position === undefined ? end : Number(position);
    throw syntaxError(path, at === undefined ? undefined : text.slice(0, at).split("\n").length, message);
  }
}

function readYaml(path: string, text: string): Leaf[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw syntaxError(path, error.linePos?.[0].line, error.message);
  const found: Leaf[] = [];
  const lineOf = (node: Node | null): number => lines.linePos(node?.range?.[0] ?? 0).line;
  const visit = (at: readonly string[], node: Node | null, line: number): void => {
    const whole = isAlias(node) ? (node.resolve(document) ?? null) : node;
    if (!isMap<Node, Node | null>(whole) || whole.items.length === 0 || at.length >= depthMax) {
      found.push({ path: at, value: plainValue(path, whole, document, line), line });
      return;
    }
    for (const { key, value } of whole.items) {
      const own = isScalar(key) ? String(key.value) : String(key);
      visit([...at, own], value, lineOf(key));
    }
  };
  const top = document.contents;
  if (isMap(top)) visit([], top, 1);
  else if (top !== null && !(isScalar(top) && top.value === null))
    throw syntaxError(path, lineOf(top), "a config file is a map of sections");
  return found.filter((leaf) => leaf.path.length > 0);
}

function plainValue(
  path: string,
  node: Node | null,
  document: ReturnType<typeof parseDocument>,
  line: number,
): unknown {
  try {
    return node === null ? null : node.toJS(document);
  } catch (error) {
    throw syntaxError(path, line, (error as Error).message); // aliases out of bounds
  }
}
