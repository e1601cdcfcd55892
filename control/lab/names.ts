// What a lab, a node or a network may be called. Nothing else, and no library: reading the state
// of labs for a Tab must not load the checks of lab files.

export const nameLengthMax = 12;

const namePattern = /^[a-z0-9][a-z0-9-]*$/;
export const nameRule = `1 to ${nameLengthMax} of a-z, 0-9 and "-", and no "-" in front`;

/** Is this a name that a lab, a node or a network may have? */
export function isName(text: string): boolean {
  return text.length <= nameLengthMax && namePattern.test(text);
}
