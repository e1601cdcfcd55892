// What a member answers by RPC: to other members and joiners on its own port, to everybody on
// the port that all members of the group listen to. control/interface/group.ts is the table.
//
// - A member without the group's state does not stand for the group: it describes nothing, and
//   listens to another port, where a joiner sees that it had better wait (founding.ts).

import { STD_ARGBAD, STD_COMBAD, STD_NOTNOW, STD_OK } from "../../core-wasm/status.js";
import {
  anyMemberPort,
  enteringPort,
  GROUP_DESCRIBE,
  GROUP_SNAPSHOT,
  GROUP_SNAPSHOT_DONE,
  GROUP_SUBMIT,
  type GroupDocument,
  memberPort,
  SNAPSHOT_PIECE_BYTES,
} from "../interface/group.js";
import type { Kernel } from "../kernel/kernel.js";
import { Service } from "../kernel/service.js";
import { type Answer, type Asked, answering } from "../stub/answers.js";
import type { KeptSnapshots } from "./snapshots.js";

export interface MemberServerOptions {
  readonly kernel: Kernel;
  readonly port: Uint8Array;
  /** The member's id. */
  readonly id: number;
  readonly messageBytesMax: number;
  readonly snapshots: KeptSnapshots;
  readonly describe: () => GroupDocument | null;
  /** Sends what a non-member wants sent; null: this group takes nothing from non-members. */
  readonly submit: ((message: Uint8Array) => Promise<Answer>) | null;
  readonly failed: (error: unknown) => void;
}

export class MemberServer {
  readonly #options: MemberServerOptions;
  readonly #own: Service;
  #everybody: Service;

  /** Begins to listen, as a member without state. Throws ProteusError when a table is full. */
  constructor(options: MemberServerOptions) {
    this.#options = options;
    const { kernel, port, id } = options;
    this.#own = this.#listen(memberPort(kernel, port, id));
    this.#everybody = this.#listen(enteringPort(kernel, port));
  }

  #listen(getPort: Uint8Array): Service {
    const { kernel, messageBytesMax, failed } = this.#options;
    const handler = answering((asked) => this.#respond(asked), failed);
    const requestBytesMax = Math.max(SNAPSHOT_PIECE_BYTES, messageBytesMax);
    return new Service(kernel, getPort, handler, { threads: 3, requestBytesMax });
  }

  /** It has the group's state, and stands for the group. Throws ProteusError when a table is full. */
  entered(): void {
    this.#everybody.close();
    this.#everybody = this.#listen(anyMemberPort(this.#options.kernel, this.#options.port));
  }

  #respond({ command, offset, data }: Asked): Answer | Promise<Answer> {
    const { snapshots, describe, submit } = this.#options;
    switch (command) {
      case GROUP_DESCRIBE: {
        const document = describe();
        if (document === null) return { status: STD_NOTNOW };
        return { status: STD_OK, data: new TextEncoder().encode(JSON.stringify(document)) };
      }
      case GROUP_SUBMIT:
        return submit === null ? { status: STD_COMBAD } : submit(data);
      case GROUP_SNAPSHOT: {
        const kept = snapshots.get(data);
        if (kept === undefined) return { status: STD_NOTNOW };
        if (offset < 0 || offset > kept.length) return { status: STD_ARGBAD };
        const piece = kept.subarray(offset, offset + SNAPSHOT_PIECE_BYTES);
        return { status: STD_OK, data: piece, offset: kept.length };
      }
      case GROUP_SNAPSHOT_DONE:
        snapshots.drop(data);
        return { status: STD_OK };
      default:
        return { status: STD_COMBAD };
    }
  }

  close(): void {
    this.#own.close();
    this.#everybody.close();
  }
}
