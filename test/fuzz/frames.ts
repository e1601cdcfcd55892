// Frames made up from the formats: right in most places, wrong or extreme in some.
//
// - A Dictionary holds what a kernel would believe: MAC and FLIP addresses, ports, kernel
//   ids, transaction and message ids, thread numbers. What is on the wire fills it.
// - Every number is near something that matters: 0, a limit, 2^31, 2^32.
// - seal() makes the check of a CHECKED or HELLO frame right again, so that what is
//   behind it gets in.

import { offlineKernel } from "../../control/cli/package-files.js";
import { view } from "../../control/kernel/bytes.js";
import * as formats from "../../core-wasm/wire/formats.js";
import type { SeededRandom } from "../../drivers/fault/random.js";

const kernel = offlineKernel();
const broadcastMac = Uint8Array.of(255, 255, 255, 255, 255, 255);
const nullAddress = new Uint8Array(8);
const remembered = 24;

export function pick<T>(random: SeededRandom, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

export function randomBytes(random: SeededRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.next() >>> 24;
  return bytes;
}

/** Numbers at which code goes wrong. */
export function extreme(random: SeededRandom): number {
  const base = pick(random, [0, 0, 1, 8, 24, 56, 255, 1454, 1458, 1460, 4096, 65535, 2 ** 31, 2 ** 32]);
  return (base + random.below(5) - 2) >>> 0;
}

/** What a frame may be about; the most recent of each kind. */
export class Dictionary {
  readonly macs: Uint8Array[] = [];
  readonly addresses: Uint8Array[] = [];
  readonly kernelIds: Uint8Array[] = [];
  readonly ports: Uint8Array[] = [];
  readonly tids: number[] = [];
  readonly threads: number[] = [0, 1, 2, 3];
  readonly messageIds: number[] = [];
  readonly totals: number[] = [];

  /** Learns from a frame that a kernel sent. */
  learn(frame: Uint8Array): void {
    const at = flipAt(frame);
    if (at === undefined || frame.length < at + formats.FLIP_HEADER + formats.RPC_HEADER) return;
    const fields = view(frame);
    this.#keep(this.messageIds, fields.getUint32(at + formats.FLIP_MESSAGE_ID_AT, true));
    this.#keep(this.totals, fields.getUint32(at + formats.FLIP_TOTAL_AT, true));
    if (fields.getUint32(at + formats.FLIP_OFFSET_AT, true) !== 0) return;
    const rpc = at + formats.FLIP_HEADER;
    this.#keep(this.tids, fields.getUint32(rpc + formats.RPC_TID_AT, true));
    this.#keep(this.threads, fields.getUint16(rpc + formats.RPC_FROM_AT, true));
    this.#keep(this.ports, frame.slice(rpc + formats.RPC_PORT_AT, rpc + formats.RPC_PORT_AT + 6));
    this.#keep(this.kernelIds, frame.slice(rpc, rpc + 8));
  }

  #keep<T>(list: T[], value: T): void {
    list.push(value);
    if (list.length > remembered) list.shift();
  }
}

/** Where the FLIP header of a frame is, by its fragment control. */
export function flipAt(frame: Uint8Array): number | undefined {
  const type = frame[formats.FRAGMENT_TYPE];
  const at = type === formats.FC_DATA ? 16 : type === formats.FC_CHECKED ? 20 : undefined;
  return at !== undefined && frame.length >= at + formats.FLIP_HEADER ? at : undefined;
}

/** Makes the check of a CHECKED or HELLO frame right, where the frame is long enough to have one. */
export function seal(frame: Uint8Array): void {
  const fields = view(frame);
  if (frame[formats.FRAGMENT_TYPE] === formats.FC_HELLO && frame.length >= 32) {
    fields.setUint32(28, kernel.frameCheck(frame.slice(16, 28)), true);
  }
  if (frame[formats.FRAGMENT_TYPE] !== formats.FC_CHECKED || frame.length < 60) return;
  const end = 60 + fields.getUint32(20 + formats.FLIP_LENGTH_AT, true);
  if (end > frame.length) return;
  fields.setUint32(16, 0, true);
  fields.setUint32(16, kernel.frameCheck(frame.subarray(0, end)), true);
}

/** Makes frames for one machine to receive. */
export class FrameMaker {
  constructor(
    readonly random: SeededRandom,
    readonly words: Dictionary,
    /** The longest frame that the network carries. */
    readonly frameMax: number,
  ) {}

  address(): Uint8Array {
    const { random, words } = this;
    if (random.chance(0.05)) return nullAddress;
    return random.chance(0.06) ? randomBytes(random, 8) : pick(random, words.addresses);
  }

  mac(): Uint8Array {
    const { random, words } = this;
    return random.chance(0.04) ? randomBytes(random, 6) : pick(random, words.macs);
  }

  known(list: readonly number[]): number {
    const { random } = this;
    if (list.length === 0 || random.chance(0.1)) return extreme(random);
    return (pick(random, list) + (random.chance(0.2) ? random.below(5) - 2 : 0)) >>> 0;
  }

  /** A whole frame; `to` is the machine's own MAC. */
  frame(to: Uint8Array): Uint8Array {
    const { random } = this;
    if (random.chance(0.03)) return randomBytes(random, random.below(200));
    const control = this.#control();
    const data = control === formats.FC_DATA || control === formats.FC_CHECKED;
    const body = data ? this.flip() : this.#controlBody(control);
    const at = control === formats.FC_CHECKED ? 20 : 16;
    const frame = new Uint8Array(Math.max(60, at + body.length));
    frame.set(random.chance(0.9) ? to : random.chance(0.6) ? broadcastMac : this.mac());
    frame.set(this.mac(), 6);
    view(frame).setUint16(12, random.chance(0.99) ? formats.ETHERTYPE_FLIP : extreme(random));
    frame[14] = control;
    frame[15] = random.chance(0.5) ? 0 : random.below(256);
    frame.set(body, at);
    if (random.chance(0.95)) seal(frame);
    return random.chance(0.03) ? frame.subarray(0, random.below(frame.length + 1)) : frame;
  }

  #control(): number {
    const { random } = this;
    if (random.chance(0.4)) return formats.FC_DATA;
    if (random.chance(0.6)) return formats.FC_CHECKED;
    if (random.chance(0.05)) return random.below(256);
    return pick(random, [1, 2, 3, 4, 5, 6, 6, 7, 8, formats.FC_HELLO, formats.FC_HELLO]);
  }

  #controlBody(control: number): Uint8Array {
    const { random } = this;
    const bytes = new Uint8Array(random.chance(0.95) ? 16 : random.below(17));
    if (bytes.length < 16) return bytes;
    const fields = view(bytes);
    if (control === formats.FC_HELLO) {
      bytes[0] = random.chance(0.95) ? 1 : random.below(3);
      bytes[1] = random.below(2);
      fields.setUint16(2, random.chance(0.5) ? 0x3f : random.below(65536), true);
      fields.setUint32(4, pick(random, [575, 576, 1500, 9000, 65535, 65536, extreme(random)]), true);
      fields.setUint32(8, random.below(4), true);
      return bytes;
    }
    const address = this.address();
    if (control === formats.FC_MCREQ) {
      bytes.set([0x55, 0x55, ...address.subarray(2, 6)]);
      bytes.set(address, 8);
    } else bytes.set(address);
    return bytes;
  }

  /** A FLIP packet with its payload. */
  flip(): Uint8Array {
    const { random, words } = this;
    const type = random.chance(0.7) ? formats.FLIP_UNIDATA : 1 + random.below(6);
    const offset = random.chance(0.75) ? 0 : this.#offset();
    const toAll = type === formats.FLIP_MULTIDATA && random.chance(0.6);
    const payload = type === formats.FLIP_HEREIS ? this.#counts() : this.#payload(offset, toAll);
    const packet = new Uint8Array(formats.FLIP_HEADER + payload.length);
    const fields = view(packet);
    packet[0] = 1;
    packet[1] = random.chance(0.99) ? type : random.below(256);
    packet[2] = random.chance(0.7) ? 0 : pick(random, [4, 0x10, 0x20, 0x24, 0x14, 2]);
    const most = pick(random, [3, 3, 6, 9, 25, 26, extreme(random)]) & 0xffff;
    fields.setUint16(4, random.chance(0.7) ? pick(random, [0, 3, most]) : extreme(random) & 0xffff, true);
    fields.setUint16(6, most, true);
    packet.set(toAll ? nullAddress : this.address(), 8);
    packet.set(this.address(), 16);
    fields.setUint32(24, this.known(words.messageIds), true);
    const length = random.chance(0.96) ? payload.length : extreme(random);
    fields.setUint32(28, length, true);
    fields.setUint32(32, offset, true);
    const whole = offset === 0 && random.chance(0.6) ? length : this.known(words.totals);
    fields.setUint32(36, random.chance(0.9) ? Math.max(whole, offset + length) : whole, true);
    packet.set(payload, formats.FLIP_HEADER);
    return random.chance(0.06) ? bigEndian(packet) : packet;
  }

  #offset(): number {
    const { random } = this;
    return random.chance(0.8) ? pick(random, [1454, 1458]) * random.below(40) : extreme(random);
  }

  #counts(): Uint8Array {
    const { random } = this;
    const counts = new Uint8Array(4);
    view(counts).setUint16(0, pick(random, [1, 1, 1, 2, 0, 65535]), true);
    view(counts).setUint16(2, pick(random, [1, 1, 0, 2, 65535]), true);
    return counts;
  }

  #payload(offset: number, broadcast: boolean): Uint8Array {
    const { random } = this;
    const most = this.frameMax - 60;
    if (offset > 0)
      return randomBytes(random, random.chance(0.5) ? Math.min(1454, most) : random.below(most));
    if (!broadcast) return this.rpc(random.chance(0.02) ? extreme(random) & 0xff : 1 + random.below(12));
    const rpc = this.rpc(random.chance(0.9) ? formats.RPC_LOCATE : random.below(13));
    return Uint8Array.of(0, 0, 0, random.chance(0.9) ? 1 : random.below(4), ...rpc);
  }

  /** An RPC message, header first. */
  rpc(type: number): Uint8Array {
    const { random, words } = this;
    const carries = type === formats.RPC_REQUEST || type === formats.RPC_REPLY;
    const extra = carries ? 32 : type === formats.RPC_FORWARD ? 8 : type === formats.RPC_REPEAT ? 48 : 0;
    const behind = random.chance(0.95) ? extra : random.below(extra + 1);
    const data = carries && random.chance(0.6) ? random.below(this.frameMax - 160) : random.below(3);
    const bytes = new Uint8Array(formats.RPC_HEADER + behind + data);
    const fields = view(bytes);
    if (words.kernelIds.length > 0) bytes.set(pick(random, words.kernelIds), 0);
    if (words.ports.length > 0) bytes.set(pick(random, words.ports), formats.RPC_PORT_AT);
    bytes[formats.RPC_TYPE_AT] = type;
    bytes[formats.RPC_FLAGS_AT] = random.chance(0.8)
      ? pick(random, [0, 0x20, 0x22, 2, 4, 0x24, 8, 0x28, 0x10, 0x30])
      : random.below(256);
    fields.setUint32(formats.RPC_TID_AT, this.known(words.tids), true);
    fields.setUint16(formats.RPC_DEST_AT, this.known(words.threads) & 0xffff, true);
    fields.setUint16(formats.RPC_FROM_AT, this.known(words.threads) & 0xffff, true);
    if (type === formats.RPC_REPEAT) {
      for (let at = 24; at + 8 <= bytes.length; at += 8) {
        const start = this.#offset();
        fields.setUint32(at, start, true);
        fields.setUint32(at + 4, random.chance(0.8) ? start + random.below(4000) : extreme(random), true);
      }
    } else if (type === formats.RPC_FORWARD && bytes.length >= 32) bytes.set(this.address(), 24);
    return bytes;
  }
}

/** The same packet as a big-endian machine sends it, where the kernel can read it. */
function bigEndian(packet: Uint8Array): Uint8Array {
  const read = kernel.checkFlip(packet);
  return (read && kernel.turnFlip(read)) ?? packet;
}
