// Where two groups of control daemons of one pool find each other: a partition, or a start in
// two places at once, may have made two, each of which goes on by itself.
//
// - The watching daemon of a group is sometimes found at the pool's meeting port, and sometimes
//   looks who is there, by lot. Nobody is there as a rule: that costs a broadcast or two every
//   few seconds, of one daemon.
// - Once one has seen the other they need no lot: who was seen looks, and who saw a group that
//   has to yield stays to be found, for a few rounds.
// - Of two groups the smaller ends, and its daemons join the other (control/group/document.ts
//   says which it is); what each knows goes along (records.ts).

import { STD_COMBAD, STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import { yieldsTo } from "../../group/document.js";
import type { After } from "../../group/timer.js";
import { GROUP_DESCRIBE, type GroupDocument } from "../../interface/group.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Service } from "../../kernel/service.js";
import { type Answer, type Asked, answering } from "../../stub/answers.js";
import { describeGroup } from "../../stub/group.js";

const roundMs = 2000;
/** Rounds without a lot, after a contact: who looks does so at least twice while the other stays. */
const certainRounds = 3;
const lookOptions = { locateTimeoutMs: 250, deadMs: 1000 };
const requestBytesMax = 32768;

export interface MeetingOptions {
  readonly kernel: Kernel;
  readonly after: After;
  readonly random: (bytes: number) => Uint8Array;
  /** The get-port where they meet. */
  readonly port: Uint8Array;
  /** Our group, when this daemon speaks for it; else null. */
  readonly own: () => GroupDocument | null;
  /** Another group goes on, and ours is to end. */
  readonly yields: () => void;
  readonly failed: (error: unknown) => void;
}

export class Meeting {
  readonly #options: MeetingOptions;
  #service: Service | null = null;
  #closed = false;
  #looks = 0; // rounds in which we look, whatever the lot
  #stays = 0; // rounds in which we are to be found

  constructor(options: MeetingOptions) {
    this.#options = options;
    this.#next();
  }

  #next(): void {
    const { after, random } = this.#options;
    const [wait = 0, lot = 0] = random(2);
    after(roundMs + wait * 4, () => {
      if (this.#closed) return;
      try {
        this.#round(this.#looksNow(lot % 2 === 0));
      } catch (error) {
        if (!(error instanceof ProteusError)) throw error;
        this.#options.failed(error); // no room for the port: the next round does
      }
      this.#next();
    });
  }

  #looksNow(lot: boolean): boolean {
    if (this.#stays > 0) {
      this.#stays--;
      return false;
    }
    if (this.#looks === 0) return lot;
    this.#looks--;
    return true;
  }

  #round(looks: boolean): void {
    const { kernel, port, own, failed } = this.#options;
    if (looks || own() === null) {
      this.#service?.close();
      this.#service = null;
      if (looks && own() !== null) this.#look().catch(failed);
      return;
    }
    const handler = answering((asked) => this.#respond(asked), failed);
    this.#service ??= new Service(kernel, port, handler, { threads: 1, requestBytesMax });
  }

  #respond({ command }: Asked): Answer {
    if (command !== GROUP_DESCRIBE) return { status: STD_COMBAD };
    const document = this.#options.own();
    if (document === null) return { status: STD_NOTNOW };
    this.#looks = certainRounds;
    return { status: STD_OK, data: new TextEncoder().encode(JSON.stringify(document)) };
  }

  async #look(): Promise<void> {
    const { kernel, port, own, yields } = this.#options;
    try {
      const other = await describeGroup(kernel, port, lookOptions);
      const document = own();
      if (document === null || this.#closed) return;
      // Another member of ours, which took itself for the one who speaks a moment ago.
      const ours = toHex(kernel.address);
      if (other.members.some((member) => member.kernel === ours)) return;
      if (yieldsTo(document, other)) yields();
      else this.#stays = certainRounds;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error; // nobody is there
    }
  }

  close(): void {
    this.#closed = true;
    this.#service?.close();
  }
}
