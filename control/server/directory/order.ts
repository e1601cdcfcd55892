// How a directory server has its updates ordered and made durable: alone (alone.ts), or together
// with the others of the pool (together.ts).

import { SP_UNAVAIL, STD_NOTNOW } from "../../../core-wasm/status.js";
import { Refused } from "../../stub/refused.js";
import type { Outcome } from "./commands.js";

export interface Order {
  /**
   * Has a command executed everywhere. Resolves when what it did outlives the loss of a minority,
   * and whatever this member answers from now on contains it. Rejects with Refused (SP_UNAVAIL)
   * when that is not known.
   */
  submit(command: Uint8Array): Promise<Outcome>;
  /** Whether the state here contains everything that was acknowledged anywhere before now. */
  isCurrent(): boolean;
  /** Resolves when everything up to a version is as certain as after `submit`; undefined: it is. */
  certain(version: number): undefined | Promise<void>;
  /** The directory servers as this one sees them. */
  describe(): DirectoryMembers;
}

/** What `proteus directory members` tells. */
export interface DirectoryMembers {
  readonly schema: 1;
  readonly name: string;
  readonly state: "serving" | "joining" | "waiting" | "failed";
  /** Members that must be together. */
  readonly majority: number;
  readonly version: number;
  readonly members: readonly {
    readonly name: string;
    readonly state: "serving" | "joining" | "away";
  }[];
}

/** What one of several servers tells, who sees these `present`. */
export function membersAs({
  members,
  present,
  ...own
}: Omit<DirectoryMembers, "schema" | "members"> & {
  readonly members: readonly string[];
  readonly present: readonly string[];
}): DirectoryMembers {
  const isJoining = (name: string) => name === own.name && own.state !== "serving";
  const stateOf = (name: string) =>
    present.includes(name) ? (isJoining(name) ? "joining" : "serving") : "away";
  return { schema: 1, ...own, members: members.map((name) => ({ name, state: stateOf(name) })) };
}

/** It may or may not have been done. */
export const unavailable = (): Refused => new Refused(SP_UNAVAIL);
/** This member cannot say anything at the moment; another one may. */
export const notNow = (): Refused => new Refused(STD_NOTNOW);
