// A group's place on the roster, where groups are found by somebody who knows no name.
//
// - The roster is a row of well-known ports. A member serves the place that its group's port
//   hashes to, or the next one when another group has that. All members of a group may.
// - Who lists the groups asks all places at once (control/stub/group.ts, listGroups).

import { STD_COMBAD, STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import {
  GROUP_DESCRIBE,
  type GroupDocument,
  ROSTER_PLACES,
  rosterPlace,
  rosterPort,
} from "../../interface/group.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Service } from "../../kernel/service.js";
import { type Answer, type Asked, answering } from "../../stub/answers.js";
import { describeGroup } from "../../stub/group.js";

const locateTimeoutMs = 200;
const answerBytesMax = 32768;

export interface RosterOptions {
  readonly kernel: Kernel;
  /** The group's port. */
  readonly port: Uint8Array;
  readonly describe: () => GroupDocument | null;
  readonly failed: (error: unknown) => void;
}

export class RosterServer {
  readonly #options: RosterOptions;
  #service: Service | null = null;
  #closed = false;

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Looks for the group's place and serves it. Answers false when all places are taken. */
  async claim(): Promise<boolean> {
    const { kernel, port, failed } = this.#options;
    for (let tried = 0; tried < ROSTER_PLACES && !this.#closed; tried++) {
      const place = rosterPort(kernel, rosterPlace(port) + tried);
      if (await this.#isOthers(place)) continue;
      if (this.#closed) return false;
      const handler = answering((asked) => this.#respond(asked), failed);
      this.#service = new Service(kernel, place, handler, { threads: 2, requestBytesMax: answerBytesMax });
      return true;
    }
    return false;
  }

  /** True when another group has the place. */
  async #isOthers(place: Uint8Array): Promise<boolean> {
    const { kernel, port } = this.#options;
    try {
      const { port: found } = await describeGroup(kernel, place, { locateTimeoutMs, deadMs: 1000 });
      return found !== toHex(port);
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      // Whoever listens but says nothing useful may be of another group.
      return !error.code.startsWith("RPC_");
    }
  }

  #respond({ command }: Asked): Answer {
    if (command !== GROUP_DESCRIBE) return { status: STD_COMBAD };
    const document = this.#options.describe();
    if (document === null) return { status: STD_NOTNOW };
    return { status: STD_OK, data: new TextEncoder().encode(JSON.stringify(document)) };
  }

  close(): void {
    this.#closed = true;
    this.#service?.close();
  }
}
