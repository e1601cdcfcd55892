// The directory server of a machine: its store in the machine's state folder, its secrets, and
// the others of the pool, by name.
//
// - All directory servers of a pool have the same secrets file: whoever sets up the second machine
//   copies it from the first. So any of them serves any capability, under one port.
// - It serves when a majority of its members is together; the machine does not wait for that.

import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Capability } from "../capability/capability.js";
import type { ServerSecrets } from "../capability/secrets.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { Alone } from "../server/directory/alone.js";
import { type Command, encodeCommand, foundation } from "../server/directory/commands.js";
import { Journal } from "../server/directory/journal.js";
import type { Order } from "../server/directory/order.js";
import { DirectoryServer } from "../server/directory/server.js";
import { DirectoryState } from "../server/directory/state.js";
import { Together } from "../server/directory/together.js";
import { type OpenDirectoryStore, openDirectoryStore } from "./directory-store.js";
import { after } from "./timer.js";

export interface NodeDirectoryOptions {
  readonly kernel: Kernel;
  /** Of this machine. */
  readonly name: string;
  /** Machines with directory servers. */
  readonly members: readonly string[];
  /** The machine's state folder; empty: it has none. */
  readonly state: string;
  readonly secrets: (server: string) => ServerSecrets;
  readonly failed: (error: unknown) => void;
}

export interface NodeDirectory {
  readonly putPort: Uint8Array;
  /** The pool's root, with all rights. */
  root(): Capability;
  /** The directory servers themselves, with all rights: for what is done to all directories, as ageing is. */
  itself(): Capability;
  /** Leaves the others with a word, and closes the store. */
  leave(): Promise<void>;
}

/** Starts it when this machine is one of the members. Rejects with DIRECTORY_STATE, SECRET_FILE or STORE_*. */
export async function startDirectory(options: NodeDirectoryOptions): Promise<NodeDirectory | undefined> {
  const { kernel, name, members, state: folder, secrets, failed } = options;
  if (!members.includes(name)) return undefined;
  if (folder === "") throw noState(name);
  const { getPort, key } = secrets("directory");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const opened = await openDirectoryStore(join(folder, "directory.store"));
  const journal = await Journal.open(opened.store, failed);
  const state = new DirectoryState(kernel.publicPort(getPort));
  if (journal.loaded !== null) state.load(journal.loaded);
  const given = { kernel, getPort, state, random: randomBytes, failed };
  const serve = (order: Order) =>
    new DirectoryServer({ ...given, key, order, time: () => Date.now() / 1000 });
  if (members.length === 1) {
    const order = new Alone(name, state, journal);
    const nobody = { request: new Uint8Array(6), digest: 0, time: 0 };
    await order.submit(encodeCommand({ ...foundation, ...nobody } as Command));
    const server = serve(order);
    server.open();
    return lifeOf(server, opened, async () => server.close());
  }
  const order = new Together({
    ...{ ...given, journal, after, name, members },
    now: () => performance.now(),
    changed: (serving) => {
      if (serving) server.open();
      else server.close();
    },
  });
  const server = serve(order);
  return lifeOf(server, opened, async () => {
    await order.leave();
    server.close();
  });
}

function lifeOf(server: DirectoryServer, store: OpenDirectoryStore, end: () => Promise<void>): NodeDirectory {
  return {
    putPort: server.putPort,
    root: () => server.root(),
    itself: () => server.itself(),
    leave: async () => {
      await end();
      await store.close();
    },
  };
}

function noState(name: string): ProteusError {
  return new ProteusError({
    code: "DIRECTORY_STATE",
    exit: exitCodes.usage,
    message: `${name} is to have a directory server, and has no folder for what must outlive it`,
    why: "directory.members names it, and node.state is not set",
    unchanged: "the machine was not started",
    hint: "set node.state (--state, PROTEUS_STATE) to a folder",
  });
}
