// A command before it is loaded: its name and summary suffice to list it.
//
// - Loading one costs up to half a second, so that only those are that the arguments name. Those of
//   `proteus` are in program.ts, and lab.ts has some more.

/** Whether the arguments ask for this command of several. */
export type Wanted = (name: string) => boolean;

export interface Entry {
  readonly summary: string;
  /**
   * Adds the command to its parent; commander's plain and extra types both fit. What it has below
   * it may in turn be loaded only when it is wanted.
   */
  readonly load: () => Promise<(parent: never, isWanted: Wanted) => void | Promise<void>>;
}
