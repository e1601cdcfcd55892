// Unix sockets that another process has made, or left behind when it died.
//
// - Only a socket that nobody listens to is ever removed: a file of that name is somebody's.

import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";

const patienceMs = 5000;
/** What connecting to a socket says when nobody listens, or when there is none. */
const nobody = new Set(["ECONNREFUSED", "ENOENT", "ENOTSOCK"]);

/** Does somebody take connections at a socket? One that is too busy to, or not for us, is there too. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const done = (there: boolean) => () => {
      probe.destroy();
      resolve(there);
    };
    probe.once("connect", done(true)).setTimeout(patienceMs, done(true));
    probe.once("error", (error: NodeJS.ErrnoException) => done(!nobody.has(error.code ?? ""))());
  });
}

/** Makes room for a socket of ours. False: somebody listens there, or it is no socket. */
export async function removeLeftSocket(path: string): Promise<boolean> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return true;
  if (!there.isSocket() || (await isListening(path))) return false;
  rmSync(path, { force: true });
  return true;
}
