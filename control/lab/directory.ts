// The directory servers of a lab: which machines have one, and the secret that all of them share.
//
// - The first machine's start makes the secret, in the lab's folder; every machine gets a copy in its
//   state folder, as an operator does it on real ones (docs/DEPLOY.md).

import { randomBytes } from "node:crypto";
import { constants, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openSecrets, secretPath } from "../node/secrets.js";
import { labFolder } from "./state.js";
import type { Topology } from "./topology.js";

const server = "directory";

/** Machines with a directory server, in the order of the file. */
export const directoryNodes = ({ nodes }: Topology): string[] =>
  nodes.flatMap(({ name, directory = false }) => (directory ? [name] : []));

/** Gives a machine with this state folder the secret of the lab's directory servers, unless it has it. */
export function shareDirectorySecret(lab: string, state: string): void {
  const shared = join(labFolder(lab), "secrets");
  openSecrets(shared, server, randomBytes);
  const own = join(state, "secrets");
  mkdirSync(own, { recursive: true, mode: 0o700 });
  try {
    copyFileSync(secretPath(shared, server), secretPath(own, server), constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
