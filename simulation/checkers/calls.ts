// The judge of calls: what each asked for, how often it was executed, how it ended.
//
// - The servers count executions here themselves; replies prove nothing.
// - Request and reply data are pieces of one random table, chosen by the call's id: an answer
//   that belongs to another call shows. Nothing is copied to compare.
// - A call's data is forgotten some time after its end, how often it was executed never:
//   two bytes a call, so a run may go on for as long as one likes.

import {
  RPC_ABORTED,
  RPC_FAILURE,
  RPC_NOTFOUND,
  RPC_TRYAGAIN,
  RPC_UNSAFE,
  STD_OK,
} from "../../core-wasm/status.js";
import type { CallEnd, Incoming, Outgoing } from "../engine/programs.js";
import { dataOf } from "./data.js";

const documented = new Set([STD_OK, RPC_FAILURE, RPC_NOTFOUND, RPC_ABORTED, RPC_TRYAGAIN, RPC_UNSAFE]);
const notExecuted = new Set([RPC_NOTFOUND, RPC_ABORTED, RPC_TRYAGAIN, RPC_UNSAFE]);

/** The private part of the header: what length the request has and the reply is to have. */
function lengths(request: number, reply: number): Uint8Array {
  const bytes = new Uint8Array(10);
  for (let i = 0; i < 3; i++) {
    bytes[i] = request >> (8 * i);
    bytes[5 + i] = reply >> (8 * i);
  }
  return bytes;
}

/** Whether a header's private part says so. */
function saysLengths(given: Uint8Array | undefined, request: number, reply: number): boolean {
  if (given === undefined) return false;
  const at = (place: number): number =>
    (given[place] ?? 0) | ((given[place + 1] ?? 0) << 8) | ((given[place + 2] ?? 0) << 16);
  return at(0) === request && at(5) === reply;
}

export interface Call {
  readonly id: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Both ends are ours: no execution after RPC_NOTFOUND is then promised. */
  readonly strict: boolean;
  status: number | null;
  /** Its machine crashed while it was under way. */
  lost: boolean;
}

/** Hears what is wrong: which checker says so, and what. */
export type Verdict = (checker: string, what: string) => void;

const command = 1;
const extraOf = (id: number): number => id & 0x7fff;
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
/** Calls whose data is kept, the open ones aside. */
const keptMax = 4096;

export class CallLedger {
  /** How many calls there were. */
  begun = 0;
  /** How many executions. */
  executed = 0;
  readonly statuses = new Map<number, number>();
  readonly #fail: Verdict;
  readonly #recent = new Map<number, Call>();
  readonly #open = new Set<Call>();
  #executions = new Uint8Array(1024);
  /** 1: a caller was told that its call was not executed, and may rely on it. */
  #denied = new Uint8Array(1024);

  constructor(fail: Verdict) {
    this.#fail = fail;
  }

  /** A new call. */
  begin(requestBytes: number, replyBytes: number, strict: boolean): Call {
    const id = this.begun++;
    if (id === this.#executions.length) {
      this.#executions = grown(this.#executions);
      this.#denied = grown(this.#denied);
    }
    const call: Call = { id, requestBytes, replyBytes, strict, status: null, lost: false };
    this.#recent.set(id, call);
    this.#open.add(call);
    if (this.#recent.size > keptMax) this.#forget();
    return call;
  }

  /** Forgets the older half of the calls that have ended. */
  #forget(): void {
    let left = keptMax >> 1;
    for (const [id, call] of this.#recent) {
      if (left-- === 0) return;
      if (!this.#open.has(call)) this.#recent.delete(id);
    }
  }

  /** Its header fields and data. */
  request(call: Call): Outgoing {
    return {
      command,
      offset: call.id,
      extra: extraOf(call.id),
      private: lengths(call.requestBytes, call.replyBytes),
      data: dataOf(2 * call.id, call.requestBytes),
    };
  }

  /** A server executes a request; its reply. */
  execute({ header, data, machine }: Incoming): Outgoing {
    const id = header.offset;
    this.executed++;
    if (id < 0 || id >= this.begun) {
      this.#fail("answers", `${machine.name} executed a request that nobody made (call ${id})`);
      return {};
    }
    const times = Math.min((this.#executions[id] ?? 0) + 1, 255);
    this.#executions[id] = times;
    if (times > 1)
      this.#fail("at-most-once", `call ${id} was executed ${times} times, now by ${machine.name}`);
    if (this.#denied[id] === 1) this.#deniedYet(id);
    const call = this.#recent.get(id);
    if (call === undefined) {
      this.#fail("at-most-once", `${machine.name} executed call ${id} long after its end`);
      return {};
    }
    const right =
      header.command === command &&
      header.extra === extraOf(id) &&
      saysLengths(header.private, call.requestBytes, call.replyBytes) &&
      same(data, dataOf(2 * id, call.requestBytes));
    if (!right) this.#fail("answers", `${machine.name} executed a damaged request (call ${id})`);
    return { command: 0, offset: id, extra: header.extra + 1, data: dataOf(2 * id + 1, call.replyBytes) };
  }

  #deniedYet(id: number): void {
    this.#fail("answers", `call ${id} was executed, but its caller was told that it was not`);
  }

  /** A call ends at its caller. */
  end(call: Call, { status, header, data }: CallEnd): void {
    const { id } = call;
    if (call.status !== null) this.#fail("answers", `call ${id} ended twice`);
    call.status = status;
    this.#open.delete(call);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (!documented.has(status)) this.#fail("answers", `call ${id} ended with undocumented status ${status}`);
    const executions = this.#executions[id] ?? 0;
    if (call.strict && notExecuted.has(status)) {
      this.#denied[id] = 1;
      if (executions > 0) this.#deniedYet(id);
    }
    if (status !== STD_OK) return;
    const right =
      header.offset === id &&
      header.extra === extraOf(id) + 1 &&
      same(data, dataOf(2 * id + 1, call.replyBytes));
    if (!right) this.#fail("answers", `call ${id} got a wrong reply`);
    if (executions === 0) this.#fail("answers", `call ${id} was answered and never executed`);
  }

  /** The machine of a call crashed: nobody waits for its end. */
  lose(call: Call): void {
    call.lost = true;
    this.#open.delete(call);
  }

  /** Calls that have not ended, on machines that lived. */
  get open(): ReadonlySet<Call> {
    return this.#open;
  }
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
