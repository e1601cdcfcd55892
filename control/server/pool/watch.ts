// Asks every machine's sys server how it fares, every second, and keeps the answers.
//
// - A machine is silent when it has not answered a question for `silentMs`, although the kernel
//   asked again in between: one that died is noticed within two seconds (a second until the next
//   question, eight tenths of silence). One whose processor is fully loaded answers in some ten
//   milliseconds, because its system gives every process a share; to be taken for dead it must
//   get none for eight tenths of a second, and then it is back with its next answer.
// - A refusal is an answer. That our own kernel has no room for a call says nothing.
// - Silent machines are asked ever more rarely, at least every `silentEveryMs`: each question
//   costs a broadcast or two. Of them few are asked at a time, so that the others do not wait.
// - What to make of it is the caller's.

import { type Capability, portOnly } from "../../capability/capability.js";
import type { After } from "../../group/timer.js";
import { type NodeDocument, nodeDocumentSchema } from "../../interface/node.js";
import { systemTable } from "../../interface/system.js";
import { fromHex } from "../../kernel/bytes.js";
import type { CallOptions } from "../../kernel/calls.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { stub } from "../../stub/client.js";

/** Whom to ask. */
export interface Watched {
  readonly address: string;
  /** Put-port of its sys server; undefined: it has none, and cannot be asked. */
  readonly port: string | undefined;
}

/** The last answer of a machine. */
export interface Answered {
  readonly document: NodeDocument;
  /** The daemon's calendar when it asked and when it had the answer. */
  readonly askedMs: number;
  readonly answeredMs: number;
}

export interface WatchTiming {
  readonly everyMs: number;
  readonly silentMs: number;
  readonly silentEveryMs: number;
}

export const watchTiming: WatchTiming = { everyMs: 1000, silentMs: 800, silentEveryMs: 4000 };

export interface WatchOptions {
  readonly kernel: Kernel;
  readonly after: After;
  /** Milliseconds since 1970, and milliseconds that only grow. */
  readonly now: () => number;
  readonly elapsed: () => number;
  readonly machines: () => readonly Watched[];
  /** Told after every question. */
  readonly asked: (address: string, answers: boolean) => void;
  readonly failed: (error: unknown) => void;
  readonly timing?: Partial<WatchTiming>;
}

interface Known {
  /** When it is asked next, and when it last answered. */
  due: number;
  answered: number | null;
  silences: number; // in a row
  asking: boolean;
  last: Answered | null;
}

const tickMs = 100;
const askedAtOnce = 24;
const silentAtOnce = 8;

/** What a machine says to a question: its document, that it answers something else, or nothing. */
export type Saying = Answered | "refuses" | "silent" | "unknown";

/** Asks the sys server at a port. */
export async function ask(
  kernel: Kernel,
  capability: Capability,
  now: () => number,
  options: CallOptions,
): Promise<Saying> {
  const askedMs = now();
  try {
    const { text } = await stub(kernel, systemTable, capability, options).status();
    const parsed = nodeDocumentSchema.safeParse(JSON.parse(text));
    return parsed.success ? { document: parsed.data, askedMs, answeredMs: now() } : "refuses";
  } catch (error) {
    if (error instanceof SyntaxError) return "refuses";
    if (!(error instanceof ProteusError)) throw error;
    if (error.code === "RPC_TRYAGAIN" || error.code === "RPC_ABORTED") return "unknown";
    return error.code.startsWith("RPC_") ? "silent" : "refuses";
  }
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #timing: WatchTiming;
  readonly #known = new Map<string, Known>();
  #closed = false;

  /** Begins to ask. */
  constructor(options: WatchOptions) {
    this.#options = options;
    this.#timing = { ...watchTiming, ...options.timing };
    this.#tick();
  }

  /** The last answer of a machine, and how long it is silent since; null: it never answered. */
  last(address: string): { readonly last: Answered | null; readonly silentMs: number } | null {
    const known = this.#known.get(address);
    if (known === undefined || known.answered === null) return null;
    return { last: known.last, silentMs: Math.max(0, Math.round(this.#options.elapsed() - known.answered)) };
  }

  /** It seems to be there: it is asked at once. */
  hint(address: string): void {
    const known = this.#known.get(address);
    if (known !== undefined) known.due = 0;
  }

  /** Whether a server answers there as that machine. */
  async verify(address: string, port: string): Promise<Answered | null> {
    const said = await this.#question(port);
    return typeof said === "object" && said.document.address === address ? said : null;
  }

  #question(port: string): Promise<Saying> {
    const { kernel, now } = this.#options;
    const { silentMs } = this.#timing;
    return ask(kernel, portOnly(fromHex(port) ?? new Uint8Array(6)), now, {
      locateTimeoutMs: silentMs,
      deadMs: silentMs,
      pollMs: Math.ceil(silentMs / 4),
    });
  }

  #tick(): void {
    if (this.#closed) return;
    const machines = this.#options.machines();
    const here = new Set(machines.map(({ address }) => address));
    for (const address of this.#known.keys()) if (!here.has(address)) this.#known.delete(address);
    const asking = [...this.#known.values()].filter((known) => known.asking);
    let room = askedAtOnce - asking.length;
    let silentRoom = silentAtOnce - asking.filter(({ silences }) => silences > 0).length;
    const now = this.#options.elapsed();
    const due = machines
      .map((machine) => ({ machine, known: this.#of(machine.address) }))
      .filter(({ machine, known }) => machine.port !== undefined && !known.asking && known.due <= now)
      .sort((a, b) => a.known.due - b.known.due);
    for (const { machine, known } of due) {
      if (room <= 0) break;
      if (known.silences > 0 && silentRoom-- <= 0) continue;
      room--;
      this.#ask(machine, known);
    }
    this.#options.after(tickMs, () => this.#tick());
  }

  #of(address: string): Known {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const made: Known = { due: 0, answered: null, silences: 0, asking: false, last: null };
    this.#known.set(address, made);
    return made;
  }

  #ask({ address, port }: Watched, known: Known): void {
    const { elapsed, asked, failed } = this.#options;
    const { everyMs, silentEveryMs } = this.#timing;
    const begun = elapsed();
    known.asking = true;
    this.#question(port ?? "")
      .then((said) => {
        known.asking = false;
        // The port may be another machine's by now.
        const wrong = typeof said === "object" && said.document.address !== address;
        const silent = said === "silent" || wrong;
        if (!silent && said !== "unknown") {
          known.answered = elapsed();
          known.silences = 0;
          if (typeof said === "object") known.last = said;
        } else if (silent) known.silences++;
        const wait = known.silences < 2 ? everyMs : everyMs * 2 ** Math.min(known.silences - 1, 8);
        known.due = begun + Math.min(wait, Math.max(everyMs, silentEveryMs));
        if (!this.#closed && said !== "unknown") asked(address, !silent);
      })
      .catch((error: unknown) => {
        known.asking = false;
        known.due = begun + everyMs;
        failed(error);
      });
  }

  close(): void {
    this.#closed = true;
  }
}
