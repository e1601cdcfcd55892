// A shell's patterns for names: `*`, `?`, `[a-z]`.
//
// - Takes time in proportion to the pattern times the name at most, whatever they are.

type Token = (character: string) => boolean | "many";

/**
 * A shell's pattern as a test of names: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of
 * some, `\` takes the next as it is.
 */
export function patternOf(pattern: string): (name: string) => boolean {
  const tokens: Token[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    const close = character === "[" ? characters.indexOf("]", at + 2) : -1;
    if (character === "*") tokens.push(() => "many");
    else if (character === "?") tokens.push(() => true);
    else if (close > 0) {
      tokens.push(oneOf(characters.slice(at + 1, close)));
      at = close;
    } else {
      const taken = character === "\\" && at + 1 < characters.length ? characters[++at] : character;
      tokens.push((each) => each === taken);
    }
  }
  return (name) => matches(tokens, [...name]);
}

function oneOf(set: readonly string[]): (character: string) => boolean {
  const isNot = set[0] === "!" || set[0] === "^";
  const members = isNot ? set.slice(1) : set;
  return (character) => {
    let found = false;
    for (let at = 0; at < members.length; at++) {
      const [from = "", dash, to] = members.slice(at, at + 3);
      if (dash === "-" && to !== undefined) {
        found ||= from <= character && character <= to;
        at += 2;
      } else found ||= from === character;
    }
    return found !== isNot;
  };
}

/** Each `*` takes as little as it can; when the rest does not fit, the last one takes more. */
function matches(tokens: readonly Token[], name: readonly string[]): boolean {
  let [at, token, star, starAt] = [0, 0, -1, 0];
  while (at < name.length) {
    const says = tokens[token]?.(name[at] ?? "");
    if (says === "many") {
      star = token++;
      starAt = at;
    } else if (says === true) {
      at++;
      token++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else return false;
  }
  return tokens.slice(token).every((each) => each("") === "many");
}
