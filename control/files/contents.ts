// Contents of files on Bullet servers: any of several servers takes a new one, any that has a
// copy gives it.
//
// - A server that does not answer, is full or is being emptied is passed over; when all were,
//   they are tried again after a pause while the patience lasts. What can be read only once is
//   sent only once.
// - Copies: the second and further ones are made from the first, and are on different servers. With
//   fewer servers than copies there are fewer: the set says how many there were to be.
// - A read begins at the nearest member of the set (nearness.ts), and goes on at the next one, at
//   the byte where the one before stopped; when all failed, after a pause, as writing does, at those
//   that may answer yet. What could not be read is told to `damaged`.

import { type Capability, capabilityHex } from "../capability/capability.js";
import { type CapabilitySet, inOrder } from "../capability/set.js";
import { bulletTable } from "../interface/bullet.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "../stub/client.js";
import { createFile, fileBytes, readFile, type TransferWatch } from "../stub/files.js";
import { Nearness } from "./nearness.js";
import { Patience, type PatienceOptions } from "./patience.js";
import type { Contents, Opened, ReadRange } from "./places.js";

export interface BulletOptions extends PatienceOptions {
  /** Bullet servers that may get new files, the best first; a promise when they must be looked for. */
  readonly servers: () => Promise<readonly Capability[]>;
  /** On so many servers; default 1. */
  readonly copies?: number;
  readonly call?: CallOptions;
  /** Told of a copy that its server cannot read, when there are others. */
  readonly damaged?: (copy: Capability) => void;
}

/** What another server, or a later try, may do better. */
const passing = new Set([
  ...["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "CONTROL_BUSY", "CONTROL_SILENT"],
  ...["STD_NOTNOW", "STD_NOMEM", "STD_NOSPACE", "STD_NOMEDIUM"],
]);
/** What waiting does not mend: only another server. */
const lasting = new Set(["STD_NOSPACE", "STD_NOMEDIUM"]);
/** Reading elsewhere may help when this copy is damaged or gone. */
const otherCopy = new Set([...passing, "STD_CAPBAD", "STD_SYSERR", "FILE_SHORT"]);
/** Its server has the file, and cannot read it. */
const damage = new Set(["STD_SYSERR", "FILE_SHORT"]);
const callDefaults: CallOptions = { locateTimeoutMs: 1500, pollMs: 250, deadMs: 2000 };

const codeOf = (error: unknown): string => (error instanceof ProteusError ? error.code : "");
const mayMend = (error: unknown): boolean => passing.has(codeOf(error)) && !lasting.has(codeOf(error));

/** A copy that is tried, and what has come of it; whoever comes for the next one has called `failed`. */
interface Try {
  readonly copy: Capability;
  readonly failed: (error: unknown) => void;
  readonly progressed: () => void;
}

const noCopy = (): Error => new Error("the set of a file is empty");

export class BulletContents implements Contents {
  readonly #via: Kernel | Transact;
  readonly #options: BulletOptions;
  readonly #call: CallOptions;
  readonly #nearness: Nearness;
  #servers: Promise<readonly Capability[]> | null = null;
  #next = 0;

  constructor(via: Kernel | Transact, options: BulletOptions) {
    this.#via = via;
    this.#options = options;
    this.#call = { ...callDefaults, ...options.call };
    this.#nearness = new Nearness(via, this.#call);
  }

  async create(content: Opened, watch?: TransferWatch): Promise<CapabilitySet> {
    const { copies = 1 } = this.#options;
    const servers = await this.#inTurn();
    const made = await this.#createAt(servers, content, watch);
    const files = [made.file];
    for (const server of servers) {
      if (files.length >= copies) break;
      if (server === made.server) continue;
      try {
        files.push(await createFile(this.#via, server, this.#readOne(made.file, {}), this.#call));
      } catch (error) {
        if (!passing.has(codeOf(error))) throw error;
      }
    }
    const members = files.map((capability) => ({ capability, current: true }));
    return { initial: copies, final: members.length, members };
  }

  async *read(file: CapabilitySet, range: ReadRange = {}): AsyncGenerator<Uint8Array, void, void> {
    const { position = 0, length = Number.POSITIVE_INFINITY, lent = false } = range;
    let done = 0;
    for await (const { copy, failed, progressed } of this.#tries(file)) {
      const left = {
        ...{ position: position + done, lent },
        ...(Number.isFinite(length) ? { length: length - done } : {}),
      };
      try {
        for await (const piece of this.#readOne(copy, left)) {
          yield piece;
          done += piece.length;
          progressed();
        }
        return;
      } catch (error) {
        failed(error);
      }
    }
  }

  bytes(file: CapabilitySet): Promise<number> {
    return this.#any(file, (capability) => fileBytes(this.#via, capability, this.#call));
  }

  async destroy(file: CapabilitySet): Promise<void> {
    for (const capability of inOrder(file))
      await stub(this.#via, bulletTable, capability, this.#call).destroy();
  }

  /** The servers, another one first each time. */
  async #inTurn(): Promise<readonly Capability[]> {
    this.#servers ??= this.#options.servers();
    const servers = await this.#servers;
    const first = servers.length === 0 ? 0 : this.#next++ % servers.length;
    return [...servers.slice(first), ...servers.slice(0, first)];
  }

  async #createAt(
    servers: readonly Capability[],
    content: Opened,
    watch: TransferWatch | undefined,
  ): Promise<{ readonly file: Capability; readonly server: Capability }> {
    const patience = new Patience(this.#options);
    let opened = false;
    for (;;) {
      let last: unknown = noServer();
      let isHopeful = false;
      for (const server of servers) {
        if (opened && !content.again) throw last;
        try {
          opened = true;
          const options = watch === undefined ? this.#call : { ...this.#call, watch };
          return { file: await createFile(this.#via, server, content.open(), options), server };
        } catch (error) {
          last = error;
          if (!passing.has(codeOf(error))) throw error;
          isHopeful ||= mayMend(error);
        }
      }
      if (!isHopeful || !content.again || !(await patience.wait())) throw last;
    }
  }

  #readOne(file: Capability, range: ReadRange): AsyncGenerator<Uint8Array, void, void> {
    return readFile(this.#via, file, { ...range, ...this.#call });
  }

  async #any<Reply>(file: CapabilitySet, ask: (capability: Capability) => Promise<Reply>): Promise<Reply> {
    for await (const { copy, failed } of this.#tries(file)) {
      try {
        return await ask(copy);
      } catch (error) {
        failed(error);
      }
    }
    throw noCopy();
  }

  /** The copies of a file, the nearest first; after a pause those again that may answer yet. Ends by throwing. */
  async *#tries(file: CapabilitySet): AsyncGenerator<Try, void, void> {
    const patience = new Patience(this.#options);
    const hopeless = new Set<string>();
    for (;;) {
      let last: unknown = noCopy();
      let isHopeful = false;
      const copies = await this.#nearness.order(file);
      for (const copy of copies.filter((each) => !hopeless.has(capabilityHex(each)))) {
        let failure: unknown = null;
        const failed = (error: unknown) => {
          failure = error;
        };
        yield { copy, failed, progressed: () => patience.progressed() };
        if (!otherCopy.has(codeOf(failure))) throw failure;
        this.#missed(copy, failure, copies.length);
        last = failure;
        if (mayMend(failure)) isHopeful = true;
        else hopeless.add(capabilityHex(copy));
      }
      if (!isHopeful || !(await patience.wait())) throw last;
    }
  }

  /** A copy could not be read. */
  #missed(copy: Capability, error: unknown, copies: number): void {
    if (damage.has(codeOf(error))) {
      if (copies > 1) this.#options.damaged?.(copy);
    } else this.#nearness.failed(copy);
  }
}

function noServer(): ProteusError {
  return new ProteusError({
    code: "FILES_NO_SERVER",
    exit: exitCodes.notFound,
    message: "there is no Bullet server for new files",
    why: "none was named, none stands in /profile/cap/bulletsvr, and no machine of a lab has one",
    unchanged: "nothing was stored",
    hint: "give one: --server NODE, or proteus ln NODE:bullet /profile/cap/bulletsvr/NODE",
  });
}
