// Frames that were right until someone on the wire changed them.
//
// - Blind: bits, bytes, numbers, length. Knowing: one field of one format gets a value
//   that means something else (another type, address, transaction, range, credit).
// - The check of a CHECKED frame is made right again in half of the cases, so that the
//   change gets past it; else it must be found.

import { view } from "../../control/kernel/bytes.js";
import * as formats from "../../core-wasm/wire/formats.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { type Dictionary, extreme, FrameMaker, flipAt, pick, randomBytes, seal } from "./frames.js";

const u16 = (frame: Uint8Array, at: number, value: number): void => {
  if (at + 2 <= frame.length) view(frame).setUint16(at, value & 0xffff, true);
};
const u32 = (frame: Uint8Array, at: number, value: number): void => {
  if (at + 4 <= frame.length) view(frame).setUint32(at, value >>> 0, true);
};
const put = (frame: Uint8Array, at: number, bytes: Uint8Array): void => {
  if (at + bytes.length <= frame.length) frame.set(bytes, at);
};

export class Mutator {
  readonly #maker: FrameMaker;

  constructor(
    readonly random: SeededRandom,
    readonly words: Dictionary,
    readonly frameMax: number,
  ) {
    this.#maker = new FrameMaker(random, words, frameMax);
  }

  /** A changed copy of a frame. */
  mutate(frame: Uint8Array): Uint8Array {
    const { random } = this;
    let changed: Uint8Array = frame.slice();
    for (let times = 1 + random.below(3); times > 0; times--) {
      const kind = random.below(20);
      if (kind < 3) this.#flipBit(changed);
      else if (kind < 5) this.#overwrite(changed);
      else if (kind < 7) changed = this.#resize(changed);
      else if (kind < 12) this.#flipField(changed);
      else this.#rpcField(changed);
    }
    if (random.chance(0.5)) seal(changed);
    return changed;
  }

  #flipBit(frame: Uint8Array): void {
    const bit = this.random.below(frame.length * 8);
    frame[bit >> 3] = (frame[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  }

  #overwrite(frame: Uint8Array): void {
    const { random } = this;
    const at = random.below(frame.length);
    put(frame, at, randomBytes(random, Math.min(1 + random.below(8), frame.length - at)));
  }

  #resize(frame: Uint8Array): Uint8Array {
    const { random } = this;
    if (random.chance(0.6)) return frame.slice(0, random.below(frame.length + 1));
    const longer = new Uint8Array(Math.min(frame.length + random.below(300), this.frameMax));
    longer.set(frame.subarray(0, longer.length));
    return longer;
  }

  #flipField(frame: Uint8Array): void {
    const { random, words } = this;
    const maker = this.#maker;
    const at = flipAt(frame);
    if (at === undefined || random.chance(0.15)) {
      this.#control(frame);
      return;
    }
    switch (random.below(11)) {
      case 0:
        frame[at + 1] = random.below(8);
        break;
      case 1:
        frame[at + 2] = (frame[at + 2] ?? 0) ^ pick(random, [1, 4, 0x10, 0x20]);
        break;
      case 2:
        u16(frame, at + 4, extreme(random));
        break;
      case 3:
        u16(frame, at + 6, extreme(random));
        break;
      case 4:
        put(frame, at + 8, maker.address());
        break;
      case 5:
        put(frame, at + 16, maker.address());
        break;
      case 6:
        u32(frame, at + 24, maker.known(words.messageIds));
        break;
      case 7:
        u32(frame, at + 28, random.chance(0.5) ? extreme(random) : random.below(frame.length));
        break;
      case 8:
        u32(frame, at + 32, random.chance(0.5) ? extreme(random) : 1454 * random.below(150));
        break;
      case 9:
        u32(frame, at + 36, maker.known(words.totals));
        break;
      default:
        put(frame, at, maker.flip().subarray(0, formats.FLIP_HEADER));
    }
  }

  #control(frame: Uint8Array): void {
    const { random } = this;
    if (frame.length < 16) return;
    if (frame[14] === formats.FC_HELLO) {
      if (random.chance(0.4)) u32(frame, 20, pick(random, [576, 600, 1500, 9000, 65535]));
      else if (random.chance(0.5)) u16(frame, 18, random.below(64));
      else u32(frame, 24, random.next());
      if (random.chance(0.8)) seal(frame);
      return;
    }
    if (random.chance(0.4)) frame[15] = random.below(256);
    else if (random.chance(0.5)) frame[14] = pick(random, [0, 1, 2, 3, 4, 5, 6, 0x50, 0x51]);
    else put(frame, random.chance(0.5) ? 6 : 0, this.#maker.mac());
  }

  #rpcField(frame: Uint8Array): void {
    const { random, words } = this;
    const maker = this.#maker;
    const at = flipAt(frame);
    if (at === undefined) {
      this.#control(frame);
      return;
    }
    const broadcast = frame[at + 1] === formats.FLIP_MULTIDATA ? formats.RPC_BROADCAST : 0;
    const rpc = at + formats.FLIP_HEADER + broadcast;
    if (frame.length < rpc + formats.RPC_HEADER) return;
    switch (random.below(10)) {
      case 0:
      case 1:
        frame[rpc + formats.RPC_TYPE_AT] = random.below(14);
        break;
      case 2:
      case 3:
        frame[rpc + formats.RPC_FLAGS_AT] = (frame[rpc + 15] ?? 0) ^ (1 << random.below(8));
        break;
      case 4:
        u32(frame, rpc + formats.RPC_TID_AT, maker.known(words.tids));
        break;
      case 5:
        u16(frame, rpc + formats.RPC_DEST_AT, maker.known(words.threads));
        break;
      case 6:
        u16(frame, rpc + formats.RPC_FROM_AT, maker.known(words.threads));
        break;
      case 7:
        if (words.ports.length > 0) put(frame, rpc + formats.RPC_PORT_AT, pick(random, words.ports));
        break;
      case 8:
        // The nonce of a LOCATE, the proof of a HEREIS, the kernel id of a REQUEST.
        put(frame, rpc, random.chance(0.5) ? randomBytes(random, 8) : pick(random, words.kernelIds));
        break;
      default:
        this.#become(frame, at, rpc);
    }
  }

  /** Another kind of message altogether, about the same transaction. */
  #become(frame: Uint8Array, at: number, rpc: number): void {
    const { random } = this;
    const type = 2 + random.below(11);
    const made = this.#maker.rpc(type);
    const room = frame.length - rpc;
    if (made.length > room) return;
    const kept = frame.slice(rpc + formats.RPC_TID_AT, rpc + formats.RPC_HEADER);
    put(frame, rpc, made);
    if (random.chance(0.8)) put(frame, rpc + formats.RPC_TID_AT, kept);
    if (random.chance(0.5)) {
      // Sent back to where it came from.
      const destination = frame.slice(at + 8, at + 16);
      frame.copyWithin(at + 8, at + 16, at + 24);
      frame.set(destination, at + 16);
      const mac = frame.slice(0, 6);
      frame.copyWithin(0, 6, 12);
      frame.set(mac, 6);
      const dest = view(frame).getUint16(rpc + formats.RPC_DEST_AT, true);
      u16(frame, rpc + formats.RPC_DEST_AT, view(frame).getUint16(rpc + formats.RPC_FROM_AT, true));
      u16(frame, rpc + formats.RPC_FROM_AT, dest);
    }
    u32(frame, at + formats.FLIP_LENGTH_AT, made.length);
    u32(frame, at + formats.FLIP_OFFSET_AT, 0);
    u32(frame, at + formats.FLIP_TOTAL_AT, made.length);
    if (random.chance(0.9)) seal(frame);
  }
}
