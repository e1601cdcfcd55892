// One directory server on a machine in memory, its store, and a client elsewhere.

import type { Capability } from "../../../../control/capability/capability.js";
import { setOf } from "../../../../control/capability/set.js";
import { directoryTable, ROOT_OBJECT, standardColumns } from "../../../../control/interface/directory.js";
import { Alone } from "../../../../control/server/directory/alone.js";
import { encodeCommand } from "../../../../control/server/directory/commands.js";
import { Journal } from "../../../../control/server/directory/journal.js";
import { DirectoryServer } from "../../../../control/server/directory/server.js";
import { DirectoryState } from "../../../../control/server/directory/state.js";
import { MemoryStore } from "../../../../control/store/memory.js";
import { stub } from "../../../../control/stub/client.js";
import { Directories } from "../../../../control/stub/directories.js";
import { Pool } from "../../stub/pool.js";

export class LoneDirectory {
  readonly pool = new Pool();
  readonly store = new MemoryStore();
  readonly #getPort = this.pool.random(6);
  readonly #key = this.pool.random(32);
  time = 1_800_000_000;
  server!: DirectoryServer;
  state!: DirectoryState;
  order!: Alone;

  /** Starts the server on its store, as after a restart. */
  async start(): Promise<this> {
    const { far: kernel, random, failed } = this.pool;
    this.server?.close();
    const journal = await Journal.open(this.store, failed);
    this.state = new DirectoryState(kernel.publicPort(this.#getPort));
    if (journal.loaded !== null) this.state.load(journal.loaded);
    this.order = new Alone("n1", this.state, journal);
    this.server = new DirectoryServer({
      ...{ kernel, getPort: this.#getPort, key: this.#key, random, failed, threads: 8 },
      ...{ state: this.state, order: this.order, time: () => this.time },
    });
    if (this.state.get(ROOT_OBJECT) === undefined)
      await this.order.submit(
        encodeCommand({
          ...{ kind: "found", root: random(8), server: random(8), columns: standardColumns },
          ...{ request: new Uint8Array(6), digest: 0, time: 0 },
        }),
      );
    this.server.open();
    return this;
  }

  root(rights = 0xff): Capability {
    return this.server.capability(ROOT_OBJECT, rights);
  }

  names(rights = 0xff): Directories {
    return new Directories(this.pool.near, setOf(this.root(rights)));
  }

  stub(capability: Capability) {
    return stub(this.pool.near, directoryTable, capability);
  }
}
