// What the errors of the files' engine come to for a client.
//
// - Only errors with a code VOLUME_* are the medium's; any other is a bug and stays what it is.
// - A file that is corrupt, and a medium that is gone, are told to `failed` as well: the server's
//   log says where.

import {
  STD_CAPBAD,
  STD_NOMEDIUM,
  STD_NOMEM,
  STD_NOSPACE,
  STD_NOTNOW,
  STD_SYSERR,
} from "../../../core-wasm/status.js";
import { Refused } from "../../stub/refused.js";

const statuses: ReadonlyMap<unknown, number> = new Map([
  ["VOLUME_FULL", STD_NOSPACE],
  ["VOLUME_INODES", STD_NOSPACE],
  ["VOLUME_NOMEM", STD_NOMEM],
  ["VOLUME_BUSY", STD_NOTNOW],
  ["VOLUME_GONE", STD_NOMEDIUM],
  ["VOLUME_CORRUPT", STD_SYSERR],
  ["VOLUME_UNKNOWN", STD_CAPBAD],
]);

/** Does something with the engine; what the medium says no to is refused. */
export type OnMedium = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** How a server does what its medium may say no to. */
export function onMediumOf(failed: (error: unknown) => void): OnMedium {
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      const status = error instanceof Error && "code" in error ? statuses.get(error.code) : undefined;
      if (status === undefined) throw error;
      if (status === STD_SYSERR || status === STD_NOMEDIUM) failed(error);
      throw new Refused(status);
    }
  };
}
