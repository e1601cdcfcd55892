// Group communication as the kernel offers it, in TypeScript's terms: core-wasm/group/calls.ts
// with a callback in place of the completion ring. Members with promises: control/group.
//
// - `header`, `data`, `delivery` and `buffer` are addresses in the kernel's memory and belong to
//   the kernel until `done` is called; which it is once, unless the call answered a status.
// - A call answers a handle, or a status below zero; grp_end completes what waits.

import * as layout from "../../core-wasm/layout.js";
import { type Header, readHeader } from "./calls.js";
import type { KernelExports } from "./exports.js";
import type { Kernel } from "./kernel.js";
import { Pending } from "./pending.js";

/**
 * Called with 0 or a status below zero when an operation ends. What `length` and `pointer` are
 * depends on it: a send's are seqno and message id, a join's length is the group id.
 */
export type GroupCompleted = (status: number, length: number, pointer: number, handle: number) => void;

/** Parameters of a new group. */
export interface GroupParameters {
  /** Crashes that every delivered message survives: 0 to 31. */
  readonly resilience: number;
  readonly membersMax: number;
  /** log2 of the history's slots; from 4. */
  readonly logHistory: number;
  /** log2 of the bytes of the largest message; from 10. */
  readonly logMessage: number;
}

/** What a group is doing, as GROUP_STATE_* numbers it. */
export const groupStates = [
  "free",
  "locating",
  "joining",
  "normal",
  "aborted",
  "coordinator",
  "cohort",
  "left",
] as const;
/** What a group is doing here: GROUP_STATE_* by name. */
export type GroupState = (typeof groupStates)[number];

/** States of a member, as the wire numbers them. */
export const memberStates = ["unused", "member", "joining", "leaving", "left"] as const;
/** A member's state as the group sees it; "left": its user left, it goes on as sequencer. */
export type MemberState = (typeof memberStates)[number];

/** What is delivered, as DELIVERED_* numbers it. */
export const deliveryKinds = ["data", "join", "leave", "reset"] as const;
export type DeliveryKind = (typeof deliveryKinds)[number];

/** What a group is, seen from here. */
export interface GroupInfo extends GroupParameters {
  readonly state: GroupState;
  /** The seqno that is delivered next here. */
  readonly expect: number;
  /** The seqno that the sequencer gives next. */
  readonly next: number;
  /** The lowest seqno that some member may still need. */
  readonly unstable: number;
  readonly total: number;
  readonly myId: number;
  readonly sequencer: number;
  readonly incarnation: number;
  /** Bytes from which on the sender multicasts (method BB). */
  readonly large: number;
  /** Messages in the history. */
  readonly historyUsed: number;
  /** Extensions that hold in the whole group; 0 with an original in it. */
  readonly features: number;
  /** A bit for every member. */
  readonly view: bigint;
  readonly port: Uint8Array;
}

export interface GroupMemberInfo {
  readonly state: MemberState;
  readonly expect: number;
  /** Its last message id. */
  readonly message: number;
  /** Since it was last heard. */
  readonly silentMs: number;
  readonly address: Uint8Array;
  /** FLIP address of its kernel. */
  readonly rpcAddress: Uint8Array;
}

/** A message as a member gets it. */
export interface Delivery {
  readonly header: Header;
  readonly seqno: number;
  /** Who sent it; of a reset: the coordinator. */
  readonly member: number;
  readonly kind: DeliveryKind;
  /** The sender's message id, as the completion of its send gave it. */
  readonly message: number;
  /** Further messages that are ready. */
  readonly more: number;
  readonly incarnation: number;
  /** Bytes of data that were sent; what did not fit the buffer was cut off. */
  readonly length: number;
  /** A bit for every member once this message is delivered. */
  readonly view: bigint;
}

/** Reads the delivery that grp_receive wrote at an address. */
export function readDelivery(kernel: Kernel, at: number): Delivery {
  const { view } = kernel;
  return {
    header: readHeader(kernel, at),
    seqno: view.getUint32(at + layout.DELIVERY_SEQNO, true),
    member: view.getUint32(at + layout.DELIVERY_MEMBER, true),
    kind: named(deliveryKinds, view.getUint32(at + layout.DELIVERY_KIND, true)),
    message: view.getUint32(at + layout.DELIVERY_MESSAGE, true),
    more: view.getUint32(at + layout.DELIVERY_MORE, true),
    incarnation: view.getUint32(at + layout.DELIVERY_INCARNATION, true),
    length: view.getUint32(at + layout.DELIVERY_LENGTH, true),
    view: view.getBigUint64(at + layout.DELIVERY_VIEW, true),
  };
}

function named<Name>(names: readonly Name[], value: number): Name {
  const name = names[value];
  if (name === undefined) throw new Error(`the kernel says ${value} where there are ${names.length} names`);
  return name;
}

/** What the calls need of their kernel. */
export interface GroupHost {
  readonly exports: KernelExports;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly now: () => number;
  /** Something may wait to be sent. */
  readonly called: () => void;
}

const infoAt = layout.SCRATCH_ADDRESS + 64;

/** The group calls of one kernel. */
export class GroupCalls {
  readonly #host: GroupHost;
  readonly #pending = new Pending<GroupCompleted>();

  constructor(host: GroupHost) {
    this.#host = host;
  }

  #begun(handle: number, done: GroupCompleted): number {
    if (handle >= 0) this.#pending.add(handle, done);
    this.#host.called();
    return handle;
  }

  #answered(status: number): number {
    this.#host.called();
    return status;
  }

  /** Makes a group with its first member. A group id, or a status below zero. */
  create(port: Uint8Array, parameters: GroupParameters): number {
    const { exports, bytes, now } = this.#host;
    const { resilience, membersMax, logHistory, logMessage } = parameters;
    bytes.set(port.subarray(0, 6), layout.SCRATCH_ADDRESS);
    return this.#answered(
      exports.grp_create(layout.SCRATCH_ADDRESS, resilience, membersMax, logHistory, logMessage, now()),
    );
  }

  /** Joins the group whose port is in the header; `done`: length is the group id. */
  join(header: number, done: GroupCompleted): number {
    const { exports, now } = this.#host;
    return this.#begun(exports.grp_join(header, now()), done);
  }

  /** Leaves; the header is delivered to all as the last message. */
  leave(gid: number, header: number, done: GroupCompleted): number {
    const { exports, now } = this.#host;
    return this.#begun(exports.grp_leave(gid, header, now()), done);
  }

  /** Sends to all; `done`: length is the seqno, pointer the message id. */
  send(gid: number, header: number, data: number, size: number, done: GroupCompleted): number {
    const { exports, now } = this.#host;
    return this.#begun(exports.grp_send(gid, header, data, size, now()), done);
  }

  /** Waits for the next message: `readDelivery` reads it; `done`: length is the bytes in the buffer. */
  receive(gid: number, delivery: number, buffer: number, capacity: number, done: GroupCompleted): number {
    const { exports, now } = this.#host;
    return this.#begun(exports.grp_receive(gid, delivery, buffer, capacity, now()), done);
  }

  /** Rebuilds the group with at least `minimum` members; `done`: length is their number. */
  reset(gid: number, header: number, minimum: number, done: GroupCompleted): number {
    const { exports, now } = this.#host;
    return this.#begun(exports.grp_reset(gid, header, minimum, now()), done);
  }

  /** Ends an operation that waits: a receive with BC_ABORT, the others with BC_FAIL. */
  signal(handle: number): number {
    return this.#answered(this.#host.exports.grp_signal(handle, this.#host.now()));
  }

  /** The member dies at once, and the others are told. */
  end(gid: number): number {
    return this.#answered(this.#host.exports.grp_end(gid, this.#host.now()));
  }

  /** Sets one of GROUP_SET_* of layout.ts; 0 takes the standard again. */
  set(gid: number, setting: number, value: number): number {
    return this.#answered(this.#host.exports.grp_set(gid, setting, value, this.#host.now()));
  }

  /** Hands the request of a service to another member's process. */
  forward(gid: number, handle: number, member: number): number {
    return this.#answered(this.#host.exports.grp_forward(gid, handle, member, this.#host.now()));
  }

  /** What a group is, or null when this kernel has none of that id. */
  info(gid: number): GroupInfo | null {
    const { exports, bytes, view } = this.#host;
    if (exports.grp_info(gid, infoAt) < 0) return null;
    const field = (offset: number) => view.getUint32(infoAt + offset, true);
    const portAt = infoAt + layout.GROUP_INFO_PORT;
    return {
      state: named(groupStates, field(layout.GROUP_INFO_STATE)),
      expect: field(layout.GROUP_INFO_EXPECT),
      next: field(layout.GROUP_INFO_NEXT),
      unstable: field(layout.GROUP_INFO_UNSTABLE),
      total: field(layout.GROUP_INFO_TOTAL),
      myId: field(layout.GROUP_INFO_MY_ID),
      sequencer: field(layout.GROUP_INFO_SEQUENCER),
      incarnation: field(layout.GROUP_INFO_INCARNATION),
      resilience: field(layout.GROUP_INFO_RESILIENCE),
      membersMax: field(layout.GROUP_INFO_MEMBERS_MAX),
      logHistory: field(layout.GROUP_INFO_LOG_HISTORY),
      logMessage: field(layout.GROUP_INFO_LOG_MESSAGE),
      large: field(layout.GROUP_INFO_LARGE),
      historyUsed: field(layout.GROUP_INFO_HISTORY_USED),
      features: field(layout.GROUP_INFO_FEATURES),
      view: view.getBigUint64(infoAt + layout.GROUP_INFO_VIEW, true),
      port: bytes.slice(portAt, portAt + 6),
    };
  }

  /** What the group knows of one member, or null. */
  member(gid: number, id: number): GroupMemberInfo | null {
    const { exports, bytes, view, now } = this.#host;
    if (exports.grp_member(gid, id, infoAt, now()) < 0) return null;
    const field = (offset: number) => view.getUint32(infoAt + offset, true);
    const address = (offset: number) => bytes.slice(infoAt + offset, infoAt + offset + 8);
    return {
      state: named(memberStates, field(layout.GROUP_MEMBER_INFO_STATE)),
      expect: field(layout.GROUP_MEMBER_INFO_EXPECT),
      message: field(layout.GROUP_MEMBER_INFO_MESSAGE),
      silentMs: field(layout.GROUP_MEMBER_INFO_SILENT_MS),
      address: address(layout.GROUP_MEMBER_INFO_ADDRESS),
      rpcAddress: address(layout.GROUP_MEMBER_INFO_RPC_ADDRESS),
    };
  }

  /** For the kernel's drain: an operation has ended. */
  complete(handle: number, status: number, pointer: number, length: number): void {
    this.#pending.take(handle)?.(status, length, pointer, handle);
  }
}
