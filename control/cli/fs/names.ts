// Names of files at the command line: inside programs they are bytes, a character each (latin1); people
// give and read them as UTF-8.
//
// - What is no UTF-8 is shown with replacement characters: such names are for programs.

/** Text as people give it, a character a byte. */
export const nameBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** A name or path of bytes, as people read it. */
export const shownName = (name: string): string => Buffer.from(name, "latin1").toString("utf8");
