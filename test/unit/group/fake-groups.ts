// Groups without a network: what the kernel promises of grp_*, and no more, so that what is
// built on it can be tested against every order of events that the promises allow.
//
// - One list of messages a group is the order. A send is ordered when the test's random says
//   so; a crash aborts all members, and what was under way is ordered or not, per sender a
//   prefix, and ends with BC_FAIL either way.
// - A reset makes the next incarnation of those that are alive; its message ends the old one.
//   It takes round trips: what a crash ended has ended for everyone before.
// - What ends, ends at the next `step`, never within the call.

import type { GroupCompleted, GroupInfo, GroupParameters } from "../../../control/kernel/groups.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import * as layout from "../../../core-wasm/layout.js";
import {
  BC_ABORT,
  BC_FAIL,
  BC_ILLRESET,
  BC_NOEXIST,
  BC_TOOBIG,
  BC_TOOMANY,
} from "../../../core-wasm/status.js";

interface Ordered {
  readonly seqno: number;
  readonly member: number;
  readonly kind: number;
  readonly message: number;
  readonly header: Uint8Array;
  readonly data: Uint8Array;
  readonly view: bigint;
  readonly incarnation: number;
}

interface Send {
  readonly message: number;
  readonly header: Uint8Array;
  readonly data: Uint8Array;
  readonly done: (status: number, length: number, pointer: number) => void;
}

interface Receive {
  readonly delivery: number;
  readonly buffer: number;
  readonly done: (status: number, length: number, pointer: number) => void;
}

class Member {
  aborted = false;
  leaving = false;
  gone = false;
  messages = 0;
  readonly sends: Send[] = [];
  readonly receives: Receive[] = [];

  constructor(
    readonly host: FakeGroups,
    readonly id: number,
    readonly gid: number,
    public expect: number,
  ) {}
}

class Group {
  readonly order: Ordered[] = [];
  members: Member[] = [];
  incarnation = 1;
  sequencer = 0;

  constructor(
    readonly port: Uint8Array,
    readonly parameters: GroupParameters,
  ) {}

  get view(): bigint {
    const staying = this.members.filter(({ leaving }) => !leaving);
    return staying.reduce((view, { id }) => view | (1n << BigInt(id)), 0n);
  }

  append(
    member: number,
    kind: number,
    message: number,
    header: Uint8Array,
    data: Uint8Array = new Uint8Array(0),
  ): number {
    const seqno = this.order.length + 1;
    const { view, incarnation } = this;
    this.order.push({ seqno, member, kind, message, header, data, view, incarnation });
    return seqno;
  }
}

const key = (port: Uint8Array): string => port.join(".");

/** All groups of a test. */
export class FakeNetwork {
  readonly groups = new Map<string, Group>();
  readonly hosts: FakeGroups[] = [];
  /** Resets that are under way. */
  readonly resets: (() => void)[] = [];

  /** `chance(of)`: a number from 0 to of - 1. */
  constructor(readonly chance: (of: number) => number) {}

  /** Gives a kernel groups of this network instead of its own. */
  attach(kernel: Kernel): FakeGroups {
    const fake = new FakeGroups(this, kernel);
    Object.defineProperty(kernel, "groups", { value: fake });
    this.hosts.push(fake);
    return fake;
  }

  /** Whether a machine is in some group now; its program may not have heard yet that it is not. */
  holds(host: FakeGroups): boolean {
    return [...this.groups.values()].some(({ members }) => members.some((member) => member.host === host));
  }

  /** Everything goes on a little. */
  step(): void {
    for (const group of this.groups.values()) {
      for (const member of group.members) {
        if (!member.aborted && this.chance(2) === 0) this.#order(group, member, this.chance(4));
      }
      for (const member of group.members) this.#deliver(group, member);
      group.members = group.members.filter(({ gone }) => !gone);
    }
    for (const host of this.hosts) host.complete();
    for (const reset of this.resets.splice(0)) reset();
  }

  #order(group: Group, member: Member, count: number): void {
    for (const send of member.sends.splice(0, count)) {
      const seqno = group.append(member.id, layout.DELIVERED_DATA, send.message, send.header, send.data);
      send.done(0, seqno, send.message);
    }
  }

  #deliver(group: Group, member: Member): void {
    while (!member.aborted && member.receives.length > 0) {
      const next = group.order[member.expect - 1];
      if (next === undefined) return;
      const receive = member.receives.shift() as Receive;
      member.host.write(receive, group, next);
      member.expect++;
      if (next.kind === layout.DELIVERED_LEAVE && next.member === member.id) member.gone = true;
      receive.done(0, next.data.length, 0);
    }
  }

  /** A machine dies, or one is cut off: all members of its groups notice. */
  crash(victim: FakeGroups): void {
    for (const group of this.groups.values()) {
      if (!group.members.some(({ host }) => host === victim)) continue;
      group.members = group.members.filter(({ host }) => host !== victim);
      for (const member of group.members) this.#abort(group, member);
      if (group.members.length === 0) this.groups.delete(key(group.port));
    }
  }

  /** A machine loses the others, and notices: they go on without it, it is in no group any more. */
  cutOff(victim: FakeGroups): void {
    for (const group of this.groups.values()) {
      const member = group.members.find(({ host }) => host === victim);
      if (member === undefined) continue;
      const survive = this.chance(member.sends.length + 1);
      for (const [index, { message, header, data, done }] of member.sends.splice(0).entries()) {
        if (index < survive) group.append(member.id, layout.DELIVERED_DATA, message, header, data);
        done(BC_FAIL, 0, 0);
      }
      for (const { done } of member.receives.splice(0)) done(BC_ABORT, 0, 0);
    }
    this.crash(victim);
  }

  #abort(group: Group, member: Member): void {
    if (member.aborted) return;
    const survive = this.chance(member.sends.length + 1);
    for (const [index, send] of member.sends.splice(0).entries()) {
      if (index < survive)
        group.append(member.id, layout.DELIVERED_DATA, send.message, send.header, send.data);
      send.done(BC_FAIL, 0, 0);
    }
    member.aborted = true;
    for (const { done } of member.receives.splice(0)) done(BC_ABORT, 0, 0);
  }
}

/** Stands for `kernel.groups`. */
export class FakeGroups {
  readonly #network: FakeNetwork;
  readonly #kernel: Kernel;
  #handles = 0;
  #gids = 0;
  #ended: (() => void)[] = [];
  /** Joins end with this status instead, when set. */
  joinStatus = 0;

  constructor(network: FakeNetwork, kernel: Kernel) {
    this.#network = network;
    this.#kernel = kernel;
  }

  /** Calls back for what has ended. */
  complete(): void {
    for (const end of this.#ended.splice(0)) end();
  }

  /** The bytes of a header, and of nothing when it is 0. */
  #header(at: number): Uint8Array {
    return this.#kernel.bytes.slice(at, at + 32);
  }

  #handle(done: GroupCompleted): {
    handle: number;
    end: (status: number, length: number, pointer: number) => void;
  } {
    const handle = layout.HANDLE_GROUP + ++this.#handles;
    return {
      handle,
      end: (status, length, pointer) => {
        this.#ended.push(() => done(status, length, pointer, handle));
      },
    };
  }

  #find(gid: number): { group: Group; member: Member } | null {
    for (const group of this.#network.groups.values()) {
      const member = group.members.find((other) => other.host === this && other.gid === gid);
      if (member !== undefined && !member.gone) return { group, member };
    }
    return null;
  }

  create(port: Uint8Array, parameters: GroupParameters): number {
    const group = new Group(port.slice(0, 6), parameters);
    group.members.push(new Member(this, 0, ++this.#gids, 1));
    this.#network.groups.set(key(group.port), group);
    return this.#gids;
  }

  join(header: number, done: GroupCompleted): number {
    const bytes = this.#header(header);
    const { handle, end } = this.#handle(done);
    const group = this.#network.groups.get(key(bytes.slice(0, 6)));
    const failed = group?.members.some(({ aborted }) => aborted) ? BC_FAIL : this.joinStatus;
    if (group === undefined) end(BC_NOEXIST, 0, 0);
    else if (failed < 0) end(failed, 0, 0);
    else {
      let id = 0;
      while (group.members.some((member) => member.id === id)) id++;
      const member = new Member(this, id, ++this.#gids, group.order.length + 1);
      group.members.push(member);
      group.append(id, layout.DELIVERED_JOIN, 1, bytes);
      end(0, member.gid, 0);
    }
    return handle;
  }

  leave(gid: number, header: number, done: GroupCompleted): number {
    const found = this.#find(gid);
    if (found === null) return BC_NOEXIST;
    const { group, member } = found;
    if (member.aborted) return BC_ABORT;
    const { handle, end } = this.#handle(done);
    const bytes = this.#header(header);
    member.leaving = true;
    group.append(member.id, layout.DELIVERED_LEAVE, ++member.messages, bytes);
    end(0, 0, 0);
    return handle;
  }

  send(gid: number, header: number, data: number, size: number, done: GroupCompleted): number {
    const found = this.#find(gid);
    if (found === null) return BC_NOEXIST;
    const { group, member } = found;
    if (member.aborted) return BC_ABORT;
    if (size > 2 ** group.parameters.logMessage) return BC_TOOBIG;
    if (member.sends.length >= 8) return BC_TOOMANY;
    const { handle, end } = this.#handle(done);
    const bytes = this.#kernel.bytes.slice(data, data + size);
    member.sends.push({ message: ++member.messages, header: this.#header(header), data: bytes, done: end });
    return handle;
  }

  receive(gid: number, delivery: number, buffer: number, _capacity: number, done: GroupCompleted): number {
    const found = this.#find(gid);
    if (found === null) return BC_NOEXIST;
    if (found.member.aborted) return BC_ABORT;
    const { handle, end } = this.#handle(done);
    found.member.receives.push({ delivery, buffer, done: end });
    return handle;
  }

  /** As the kernel does: a reset with the incarnation that it began, others with the group's. */
  write({ delivery, buffer }: { delivery: number; buffer: number }, group: Group, ordered: Ordered): void {
    const { bytes, view } = this.#kernel;
    bytes.set(ordered.header, delivery);
    bytes.set(ordered.data, buffer);
    const fields = [
      [layout.DELIVERY_SEQNO, ordered.seqno],
      [layout.DELIVERY_MEMBER, ordered.member],
      [layout.DELIVERY_KIND, ordered.kind],
      [layout.DELIVERY_MESSAGE, ordered.message],
      [layout.DELIVERY_MORE, 0],
      [
        layout.DELIVERY_INCARNATION,
        ordered.kind === layout.DELIVERED_RESET ? ordered.incarnation : group.incarnation,
      ],
      [layout.DELIVERY_LENGTH, ordered.data.length],
    ] as const;
    for (const [offset, value] of fields) view.setUint32(delivery + offset, value, true);
    view.setBigUint64(delivery + layout.DELIVERY_VIEW, ordered.view, true);
  }

  reset(gid: number, header: number, minimum: number, done: GroupCompleted): number {
    const found = this.#find(gid);
    if (found === null) return BC_NOEXIST;
    const { group, member } = found;
    const { handle, end } = this.#handle(done);
    this.#network.resets.push(() => {
      const count = group.members.length;
      if (!group.members.includes(member)) return end(BC_NOEXIST, 0, 0);
      if (count < minimum) return end(BC_ILLRESET, 0, 0);
      if (member.aborted) {
        group.incarnation++;
        group.sequencer = member.id;
        for (const other of group.members) other.aborted = false;
        group.append(member.id, layout.DELIVERED_RESET, ++member.messages, this.#header(header));
      }
      end(0, count, 0);
    });
    return handle;
  }

  end(gid: number): number {
    const found = this.#find(gid);
    if (found === null) return BC_NOEXIST;
    for (const { done } of found.member.receives.splice(0)) done(BC_ABORT, 0, 0);
    for (const { done } of found.member.sends.splice(0)) done(BC_FAIL, 0, 0);
    const { group, member } = found;
    group.members = group.members.filter((other) => other !== member);
    if (group.members.length === 0) this.#network.groups.delete(key(group.port));
    else this.#network.crash(this);
    return 0;
  }

  set(): number {
    return 0;
  }

  info(gid: number): GroupInfo | null {
    const found = this.#find(gid);
    if (found === null) return null;
    const { group, member } = found;
    return {
      ...group.parameters,
      state: member.aborted ? "aborted" : "normal",
      expect: member.expect,
      next: group.order.length + 1,
      unstable: 1,
      total: group.members.length,
      myId: member.id,
      sequencer: group.sequencer,
      incarnation: group.incarnation,
      large: 10000,
      historyUsed: 0,
      features: 0,
      view: group.view,
      port: group.port,
    };
  }

  member(gid: number, id: number) {
    const other = this.#find(gid)?.group.members.find((member) => member.id === id);
    if (other === undefined) return null;
    const address = other.host.#kernel.address;
    return { state: "member", expect: other.expect, message: 0, silentMs: 0, address, rpcAddress: address };
  }
}
