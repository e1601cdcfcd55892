// Group packets made up from what members say to each other: right in most fields, wrong or
// extreme in some, from a member's address or a stranger's.
//
// - Learns addresses, member ids and numbers from the frames of the kernels themselves: what
//   comes from an address that is no kernel's own is a group's.
// - Packets fit one frame. Fragments of longer ones come from frames that were heard.
// - The RPC of the same machines is the business of frames.ts and mutate.ts.

import { view } from "../../control/kernel/bytes.js";
import * as formats from "../../core-wasm/wire/formats.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { type Dictionary, extreme, FrameMaker, flipAt, pick, randomBytes, seal } from "./frames.js";
import { Mutator } from "./mutate.js";
import type { Forger } from "./world.js";

const remembered = 32;
const types = formats.GROUP_DEAD + 1;
const header = formats.GROUP_HEADER;
const protocol = formats.RPC_BROADCAST;

/** A place in a frame that was heard: the group header, and who says it. */
interface Heard {
  readonly frame: Uint8Array;
  readonly flip: number;
  readonly group: number;
}

export class GroupForger implements Forger {
  readonly #addresses: Uint8Array[] = [];
  readonly #heard: Heard[] = [];
  readonly #seqnos: number[] = [];
  readonly #maker: FrameMaker;
  readonly #mutator: Mutator;

  constructor(
    readonly random: SeededRandom,
    readonly words: Dictionary,
    frameMax: number,
    /** Slots of the member tables that members would believe. */
    readonly membersMax: number,
  ) {
    this.#maker = new FrameMaker(random, words, frameMax);
    this.#mutator = new Mutator(random, words, frameMax);
  }

  learn(frame: Uint8Array): void {
    this.words.learn(frame);
    const heard = groupPacket(frame, this.words.addresses);
    if (heard === undefined) return;
    keep(this.#heard, heard);
    const { flip, group } = heard;
    for (const at of [flip + 8, flip + 16]) {
      const address = frame.slice(at, at + 8);
      if (address.some((byte) => byte !== 0) && !this.#addresses.some((known) => same(known, address)))
        keep(this.#addresses, address);
    }
    keep(this.#seqnos, view(frame).getUint32(group + formats.GROUP_SEQNO_AT, true));
  }

  mutate(frame: Uint8Array): Uint8Array {
    const heard = groupPacket(frame, this.words.addresses);
    if (heard === undefined || this.random.chance(0.15)) return this.#mutator.mutate(frame);
    const copy = frame.slice();
    for (let left = 1 + this.random.below(2); left > 0; left--) this.#change(copy, heard.flip, heard.group);
    if (this.random.chance(0.95)) seal(copy);
    return copy;
  }

  frame(to: Uint8Array): Uint8Array {
    const { random } = this;
    if (this.#heard.length === 0 || random.chance(0.1)) return this.#maker.frame(to);
    const { frame, flip } = pick(random, this.#heard);
    const type = random.below(types);
    const front = type === formats.GROUP_LOCATE ? protocol : 0;
    const payload = this.#payload(type);
    const packet = new Uint8Array(Math.max(60, flip + formats.FLIP_HEADER + front + header + payload.length));
    packet.set(frame.subarray(0, flip + formats.FLIP_HEADER));
    packet.set(random.chance(0.85) ? to : packet.subarray(0, 6));
    const at = flip + formats.FLIP_HEADER + front;
    const length = front + header + payload.length;
    const fields = view(packet);
    packet[flip + 1] = front > 0 || random.chance(0.2) ? formats.FLIP_MULTIDATA : formats.FLIP_UNIDATA;
    if (front > 0) {
      packet.fill(0, flip + 8, flip + 16);
      packet[at - 1] = 2;
    } else if (random.chance(0.6)) packet.set(this.#address(), flip + 8);
    if (random.chance(0.4)) packet.set(this.#address(), flip + 16);
    fields.setUint32(flip + formats.FLIP_MESSAGE_ID_AT, random.next(), true);
    fields.setUint32(flip + formats.FLIP_LENGTH_AT, length, true);
    fields.setUint32(flip + formats.FLIP_OFFSET_AT, 0, true);
    fields.setUint32(flip + formats.FLIP_TOTAL_AT, random.chance(0.95) ? length : extreme(random), true);
    this.#header(packet, at, type);
    packet.set(payload, at + header);
    if (random.chance(0.97)) seal(packet);
    return packet;
  }

  #address(): Uint8Array {
    const { random } = this;
    if (this.#addresses.length === 0 || random.chance(0.05)) return randomBytes(random, 8);
    return pick(random, random.chance(0.9) ? this.#addresses : this.words.addresses);
  }

  /** A number near those that are in use. */
  #number(): number {
    const { random } = this;
    if (this.#seqnos.length === 0 || random.chance(0.1)) return extreme(random);
    if (random.chance(0.1)) return 0;
    return (pick(random, this.#seqnos) + random.below(9) - 4) >>> 0;
  }

  #member(): number {
    const { random } = this;
    return random.chance(0.9) ? random.below(this.membersMax + 1) : extreme(random) & 0xffff;
  }

  #header(packet: Uint8Array, at: number, type: number): void {
    const { random } = this;
    const fields = view(packet);
    packet[at + formats.GROUP_TYPE_AT] = type;
    packet[at + formats.GROUP_FLAGS_AT] = random.chance(0.9) ? 0 : random.below(256);
    fields.setUint16(
      at + formats.GROUP_RESERVED_AT,
      pick(random, [0, 0x60, 0x60, random.below(65536)]),
      true,
    );
    fields.setUint16(at + formats.GROUP_CPU_AT, this.#member(), true);
    const incarnation = random.chance(0.9) ? random.below(4) : extreme(random) & 0xffff;
    fields.setUint16(at + formats.GROUP_INCARNATION_AT, incarnation, true);
    const seqno = random.chance(0.05) ? 0xffffffff - random.below(2) : this.#number();
    fields.setUint32(at + formats.GROUP_SEQNO_AT, seqno, true);
    fields.setUint32(at + formats.GROUP_MESSAGE_ID_AT, this.#number(), true);
    fields.setUint32(at + formats.GROUP_EXPECT_AT, this.#number(), true);
  }

  /** What a packet of this type carries, of about the right length. */
  #payload(type: number): Uint8Array {
    const { random, membersMax } = this;
    const slots = random.chance(0.85) ? membersMax : random.below(20);
    switch (type) {
      case formats.GROUP_LOCATE:
        return this.#sized(formats.GROUP_LOCATE_BYTES);
      case formats.GROUP_HEREIS:
        return this.#hereis();
      case formats.GROUP_JOIN:
      case formats.GROUP_JOINREQ:
        if (random.chance(0.3)) return this.#sized(formats.HEADER);
        return this.#join(slots);
      case formats.GROUP_RESULT:
        if (random.chance(0.2)) return new Uint8Array(0);
        return this.#result(slots);
      case formats.GROUP_SYNC:
        return this.#members(random.below(6));
      case formats.GROUP_BCAST:
      case formats.GROUP_BCASTREQ:
      case formats.GROUP_LEAVE:
      case formats.GROUP_LEAVEREQ:
        return random.chance(0.3) ? new Uint8Array(0) : this.#sized(formats.HEADER + random.below(800));
      default:
        return new Uint8Array(random.chance(0.95) ? 0 : random.below(40));
    }
  }

  #sized(length: number): Uint8Array {
    const { random, words } = this;
    const bytes = new Uint8Array(random.chance(0.95) ? length : random.below(length + 1));
    if (words.ports.length > 0 && bytes.length >= 6) bytes.set(pick(random, words.ports));
    if (bytes.length >= 48) bytes.set(this.#address(), 40);
    return bytes;
  }

  #hereis(): Uint8Array {
    const { random } = this;
    const bytes = randomBytes(random, formats.GROUP_HEREIS_BYTES);
    const fields = view(bytes);
    const small = (usual: readonly number[]): number =>
      random.chance(0.8) ? pick(random, usual) : extreme(random) & 0xffff;
    fields.setUint16(formats.GROUP_HEREIS_MEMBERS_MAX_AT, small([2, this.membersMax, 64, 65]), true);
    fields.setUint16(formats.GROUP_HEREIS_LOG_HISTORY_AT, small([0, 1, 4, 5, 16, 29, 30, 31, 32]), true);
    fields.setUint16(formats.GROUP_HEREIS_LOG_MESSAGE_AT, small([0, 10, 13, 29, 30, 31, 32]), true);
    fields.setUint16(formats.GROUP_HEREIS_RESILIENCE_AT, small([0, 1, 2]), true);
    fields.setUint16(formats.GROUP_HEREIS_INDEX_AT, this.#member(), true);
    fields.setUint16(formats.GROUP_HEREIS_SEQUENCER_AT, this.#member(), true);
    return bytes;
  }

  #join(slots: number): Uint8Array {
    const { random } = this;
    const tail = formats.GROUP_JOIN_MEMBERS_AT + slots * formats.GROUP_MEMBER_BYTES;
    const bytes = new Uint8Array(tail + formats.GROUP_JOIN_TAIL);
    const fields = view(bytes);
    bytes.set(this.#address(), formats.GROUP_JOIN_ADDRESS_AT);
    for (let i = 0; i < slots; i++) {
      const at = formats.GROUP_JOIN_MEMBERS_AT + i * formats.GROUP_MEMBER_BYTES;
      bytes.set(this.#address(), at + formats.GROUP_MEMBER_ADDRESS_AT);
      fields.setUint32(
        at + formats.GROUP_MEMBER_STATE_AT,
        random.chance(0.9) ? random.below(5) : extreme(random),
        true,
      );
      fields.setUint32(at + formats.GROUP_MEMBER_EXPECT_AT, this.#number(), true);
    }
    bytes.set(this.#address(), tail + formats.GROUP_JOIN_ALL_ADDRESS_AT);
    fields.setUint16(tail + formats.GROUP_JOIN_TOTAL_AT, this.#member(), true);
    fields.setUint16(tail + formats.GROUP_JOIN_SEQUENCER_AT, this.#member(), true);
    return bytes;
  }

  #result(slots: number): Uint8Array {
    const { random } = this;
    const tail = formats.GROUP_RESULT_STATES_AT + slots * 4;
    const bytes = new Uint8Array(tail + formats.GROUP_RESULT_TAIL);
    const fields = view(bytes);
    for (let i = 0; i < slots; i++) {
      const state = random.chance(0.9) ? random.below(2) : extreme(random);
      fields.setUint32(formats.GROUP_RESULT_STATES_AT + i * 4, state, true);
    }
    bytes.set(randomBytes(random, 8), tail + formats.GROUP_RESULT_GROUP_ADDRESS_AT);
    fields.setUint16(tail + formats.GROUP_RESULT_SEQUENCER_AT, this.#member(), true);
    fields.setUint16(tail + formats.GROUP_RESULT_INCARNATION_AT, random.below(5), true);
    return bytes;
  }

  #members(count: number): Uint8Array {
    const bytes = new Uint8Array(count * 2);
    for (let i = 0; i < count; i++) view(bytes).setUint16(i * 2, this.#member(), true);
    return bytes;
  }

  /** One field of a packet that a kernel sent. */
  #change(frame: Uint8Array, flip: number, group: number): void {
    const { random } = this;
    const fields = view(frame);
    switch (random.below(10)) {
      case 0:
        frame[group + formats.GROUP_TYPE_AT] = random.below(types + 1);
        break;
      case 1:
        frame[group + formats.GROUP_FLAGS_AT] = random.below(4);
        break;
      case 2:
        fields.setUint16(group + formats.GROUP_CPU_AT, this.#member(), true);
        break;
      case 3:
        fields.setUint16(group + formats.GROUP_INCARNATION_AT, random.below(5), true);
        break;
      case 4:
        fields.setUint32(group + formats.GROUP_SEQNO_AT, this.#number(), true);
        break;
      case 5:
        fields.setUint32(group + formats.GROUP_MESSAGE_ID_AT, this.#number(), true);
        break;
      case 6:
        fields.setUint32(group + formats.GROUP_EXPECT_AT, this.#number(), true);
        break;
      case 7:
        frame.set(this.#address(), flip + (random.chance(0.5) ? 8 : 16));
        break;
      case 8:
        fields.setUint16(group + formats.GROUP_RESERVED_AT, random.below(65536), true);
        break;
      default:
        if (frame.length > group + header)
          frame[group + header + random.below(frame.length - group - header)] = random.below(256);
    }
  }
}

function keep<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > remembered) list.shift();
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index]);

/** The first fragment of a group packet: what comes from an address that is no kernel's own. */
function groupPacket(frame: Uint8Array, kernels: readonly Uint8Array[]): Heard | undefined {
  const flip = flipAt(frame);
  if (flip === undefined || frame.length < flip + formats.FLIP_HEADER + protocol + header) return undefined;
  const type = frame[flip + 1];
  if (type !== formats.FLIP_UNIDATA && type !== formats.FLIP_MULTIDATA) return undefined;
  if (view(frame).getUint32(flip + formats.FLIP_OFFSET_AT, true) !== 0) return undefined;
  const source = frame.subarray(flip + 16, flip + 24);
  if (kernels.some((address) => same(address, source))) return undefined;
  const toAll = frame.subarray(flip + 8, flip + 16).every((byte) => byte === 0);
  return { frame, flip, group: flip + formats.FLIP_HEADER + (toAll ? protocol : 0) };
}
