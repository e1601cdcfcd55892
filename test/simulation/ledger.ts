// The judge of a run: what every call asked for, how often it was executed, how it ended.
//
// - The servers count executions here themselves; replies prove nothing.
// - Request and reply data are pieces of one random table, chosen by the call's id, which
//   stands in the data as well: an answer that belongs to another call shows.
// - Faults found are sentences; none is an exception, so that a run shows them all.

import {
  RPC_ABORTED,
  RPC_FAILURE,
  RPC_NOTFOUND,
  RPC_TRYAGAIN,
  RPC_UNSAFE,
  STD_OK,
} from "../../core-wasm/status.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import type { CallEnd, Incoming, Outgoing } from "../../simulation/engine/programs.js";

const documented = new Set([STD_OK, RPC_FAILURE, RPC_NOTFOUND, RPC_ABORTED, RPC_TRYAGAIN, RPC_UNSAFE]);
const notExecuted = new Set([RPC_NOTFOUND, RPC_ABORTED, RPC_TRYAGAIN, RPC_UNSAFE]);

const tableBytes = 1 << 22;
const table = new Uint8Array(tableBytes);
const random = new SeededRandom(1);
for (let i = 0; i < tableBytes; i++) table[i] = random.next();

/** The data of a call's request (way 0) or reply (way 1): its id first, then its piece of the table. */
export function dataOf(id: number, way: 0 | 1, length: number): Uint8Array {
  const start = Math.imul(id * 2 + way + 1, 0x9e3779b1) >>> 11; // below 2 Mi
  const data = table.slice(start, start + length);
  if (length >= 4) new DataView(data.buffer).setUint32(0, id * 2 + way);
  return data;
}

/** The private part of the header: what length the request has and the reply is to have. */
export function lengths(request: number, reply: number): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, request, true);
  view.setUint32(4, reply, true);
  return bytes;
}

export interface Call {
  readonly id: number;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** Both ends are ours: no execution after RPC_NOTFOUND is then promised. */
  readonly strict: boolean;
  executions: number;
  status: number | null;
  /** Its machine crashed while it was under way. */
  lost: boolean;
}

const command = 1;
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export class Ledger {
  readonly calls: Call[] = [];
  readonly faults: string[] = [];
  readonly statuses = new Map<number, number>();

  /** A new call; its header fields and data. */
  begin(requestBytes: number, replyBytes: number, strict: boolean): Call {
    const id = this.calls.length;
    const call = { id, requestBytes, replyBytes, strict, executions: 0, status: null, lost: false };
    this.calls.push(call);
    return call;
  }

  request(call: Call): Outgoing {
    return {
      command,
      offset: call.id,
      extra: call.id & 0x7fff,
      private: lengths(call.requestBytes, call.replyBytes),
      data: dataOf(call.id, 0, call.requestBytes),
    };
  }

  /** A server executes a request; its reply. */
  execute({ header, data, machine }: Incoming): Outgoing {
    const call = this.calls[header.offset];
    const right =
      call !== undefined &&
      header.command === command &&
      header.extra === (call.id & 0x7fff) &&
      same(header.private ?? data, lengths(call.requestBytes, call.replyBytes)) &&
      same(data, dataOf(call.id, 0, call.requestBytes));
    if (!right) this.faults.push(`${machine.name} executed a damaged request (call ${header.offset})`);
    if (call === undefined) return {};
    call.executions++;
    if (call.executions > 1) this.faults.push(`call ${call.id} was executed ${call.executions} times`);
    return {
      command: 0,
      offset: call.id,
      extra: header.extra + 1,
      data: dataOf(call.id, 1, call.replyBytes),
    };
  }

  end(call: Call, { status, header, data }: CallEnd): void {
    if (call.status !== null) this.faults.push(`call ${call.id} ended twice`);
    call.status = status;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (!documented.has(status)) this.faults.push(`call ${call.id} ended with undocumented status ${status}`);
    if (status !== STD_OK) return;
    const right =
      header.offset === call.id &&
      header.extra === (call.id & 0x7fff) + 1 &&
      same(data, dataOf(call.id, 1, call.replyBytes));
    if (!right) this.faults.push(`call ${call.id} got a wrong reply`);
    if (call.executions === 0) this.faults.push(`call ${call.id} was answered and never executed`);
  }

  /** Calls that have not ended, on machines that lived. */
  get open(): readonly Call[] {
    return this.calls.filter((call) => call.status === null && !call.lost);
  }

  /** The sentences about everything that is wrong; to be read when all has ended. */
  verdict(): readonly string[] {
    for (const call of this.open) this.faults.push(`call ${call.id} never ended`);
    for (const { id, status, strict, executions } of this.calls) {
      if (strict && status !== null && notExecuted.has(status) && executions > 0) {
        this.faults.push(`call ${id} was executed, but its caller was told ${status}`);
      }
    }
    return this.faults;
  }
}
