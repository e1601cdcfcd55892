// A log whose first records vice refuses as a whole: what is said of it, to people and to programs.
//
// - The codes are vice's own. What a person can do about each is told by `fs status`.
// - Programs that wait for an answer get an errno; what was done here stays in the log.

import { errno } from "../../drivers/file-system.js";

/** Vice refuses the first records as a whole. */
export interface Stuck {
  readonly code: string;
  readonly hint: string;
  /** How often they were refused, one time after the other. */
  readonly times: number;
  /** Until the next try. */
  readonly nextMs: number;
}

/** What a person can do about a log that vice does not take. */
const advice: Readonly<Record<string, string>> = {
  STD_NOSPACE: "make room at the server, or raise the volume's quota",
  STD_DENIED: "mount again, with the same cache and a capability that may write",
  STD_ARGBAD: "copy what you need elsewhere, keep the cache's folder and report this",
};

export const hintOf = (code: string): string =>
  advice[code] ?? "see what the server says; proteus fs connect tries again at once";

/** What a program gets. */
export function errnoOf(code: string): number {
  if (code === "STD_NOSPACE") return errno.ENOSPC;
  return code === "STD_DENIED" ? errno.EROFS : errno.EIO;
}
