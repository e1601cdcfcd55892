// The kernel without a network: one-way functions, capabilities, text forms and the
// wire's own checks, through a module that is never booted.
//
// - Takes the module's bytes; where they lie is the command line's matter.
// - Bytes go in and come out as Uint8Arrays; nothing is kept between calls.
// - The kernel is the one source of truth: nothing here computes a check field or
//   swaps a byte itself.

import { CAPABILITY_BYTES, FLIP_ADDRESS, PORT_BYTES, PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";

const pageBytes = 65536;
const pagesInitial = 64; // room for the module's static data
const workPages = 2; // a frame of 65,536 bytes and the arguments in front of it

type OneToNumber = (a: number) => number;
type TwoToNumber = (a: number, b: number) => number;
type ThreeToNumber = (a: number, b: number, c: number) => number;
type FourToNumber = (a: number, b: number, c: number, d: number) => number;

interface Exports {
  readonly port_one_way: (port: number, out: number) => void;
  readonly flip_one_way: (address: number, out: number) => void;
  readonly private_encode: FourToNumber;
  readonly private_decode: TwoToNumber;
  readonly private_restrict: FourToNumber;
  readonly text_format_port: TwoToNumber;
  readonly text_format_private: TwoToNumber;
  readonly text_format_capability: TwoToNumber;
  readonly text_format_flip: TwoToNumber;
  readonly text_parse_port: ThreeToNumber;
  readonly text_parse_private: ThreeToNumber;
  readonly text_parse_capability: ThreeToNumber;
  readonly text_parse_flip: ThreeToNumber;
  readonly wire_check_flip: TwoToNumber;
  readonly wire_check_rpc: ThreeToNumber;
  readonly wire_check_group: ThreeToNumber;
  readonly wire_frame_check: TwoToNumber;
  readonly wire_turn_flip: OneToNumber;
  readonly wire_turn_rpc: OneToNumber;
  readonly wire_turn_group: TwoToNumber;
}

export type TextForm = "port" | "private" | "capability" | "flip";

const textFormBytes: Readonly<Record<TextForm, number>> = {
  port: PORT_BYTES,
  private: PRIVATE_BYTES,
  capability: CAPABILITY_BYTES,
  flip: FLIP_ADDRESS,
};

// Arguments lie in front of the work area.
const argumentA = 0;
const argumentB = 64;
const result = 128;
const textAt = 256;
const textBytesMax = 256;
const packetAt = 1024;

export class OfflineKernel {
  readonly #exports: Exports;
  readonly #memory: WebAssembly.Memory;
  readonly #base: number;

  /**
   * @param module the bytes of `kernel.wasm`, or the compiled module
   * @param random fills bytes; only asked by calls that need chance, which none here does
   */
  constructor(
    module: Uint8Array | WebAssembly.Module,
    random: (bytes: Uint8Array) => void = (bytes) => bytes.fill(0),
  ) {
    const memory = new WebAssembly.Memory({ initial: pagesInitial });
    const instance = new WebAssembly.Instance(
      module instanceof WebAssembly.Module ? module : new WebAssembly.Module(module),
      {
        env: {
          memory,
          transmit: () => 0,
          random: (pointer: number, length: number) => random(new Uint8Array(memory.buffer, pointer, length)),
          log: () => undefined,
          trap: (code: number) => {
            throw new Error(`the kernel trapped with code ${code}`);
          },
        },
      },
    );
    this.#exports = instance.exports as unknown as Exports; // the tests call each of them
    this.#memory = memory;
    this.#base = memory.grow(workPages) * pageBytes;
  }

  /** The put-port of a get-port; 6 bytes each. */
  portOneWay(port: Uint8Array): Uint8Array {
    this.#put(argumentA, port, PORT_BYTES);
    this.#exports.port_one_way(this.#base + argumentA, this.#base + result);
    return this.#take(result, PORT_BYTES);
  }

  /** The public FLIP address of a private one; 8 bytes each. */
  flipOneWay(address: Uint8Array): Uint8Array {
    this.#put(argumentA, address, FLIP_ADDRESS);
    this.#exports.flip_one_way(this.#base + argumentA, this.#base + result);
    return this.#take(result, FLIP_ADDRESS);
  }

  /** The private part of an object, or a negative status when its number is out of range. */
  encodePrivate(object: number, rights: number, random: Uint8Array): Uint8Array | number {
    if (!Number.isInteger(object) || object < 0 || object > 0x7fffffff) return -1;
    this.#put(argumentA, random, PORT_BYTES);
    const answer = this.#exports.private_encode(object, rights, this.#base + argumentA, this.#base + result);
    return answer < 0 ? answer : this.#take(result, PRIVATE_BYTES);
  }

  /** The rights that the random number vouches for, or a negative status. */
  decodePrivate(privatePart: Uint8Array, random: Uint8Array): number {
    this.#put(argumentA, random, PORT_BYTES);
    this.#put(argumentB, privatePart, PRIVATE_BYTES);
    return this.#exports.private_decode(this.#base + argumentB, this.#base + argumentA);
  }

  /** A private part with the rights that are in the mask too, or a negative status. */
  restrictPrivate(privatePart: Uint8Array, random: Uint8Array, mask: number): Uint8Array | number {
    this.#put(argumentA, random, PORT_BYTES);
    this.#put(argumentB, privatePart, PRIVATE_BYTES);
    const answer = this.#exports.private_restrict(
      this.#base + argumentB,
      this.#base + argumentA,
      mask,
      this.#base + result,
    );
    return answer < 0 ? answer : this.#take(result, PRIVATE_BYTES);
  }

  /** The text form of a port, private part, capability or FLIP address. */
  format(form: TextForm, bytes: Uint8Array): string {
    this.#put(argumentA, bytes, textFormBytes[form]);
    const length = this.#exports[`text_format_${form}`](this.#base + argumentA, this.#base + textAt);
    return String.fromCharCode(...this.#take(textAt, length));
  }

  /** The bytes behind a text form, which must be the whole text; else `undefined`. */
  parse(form: TextForm, text: string): Uint8Array | undefined {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > textBytesMax) return undefined;
    this.#put(textAt, bytes, bytes.length);
    const used = this.#exports[`text_parse_${form}`](this.#base + textAt, bytes.length, this.#base + result);
    return used === bytes.length ? this.#take(result, textFormBytes[form]) : undefined;
  }

  /** A FLIP packet made little-endian, padding included; `undefined` when malformed. */
  checkFlip(packet: Uint8Array): Uint8Array | undefined {
    return this.#packet(packet, (at) => this.#exports.wire_check_flip(at, packet.length));
  }

  /** An RPC message made little-endian; with `broadcast` it begins with the protocol word. */
  checkRpc(message: Uint8Array, broadcast = false): Uint8Array | undefined {
    return this.#packet(message, (at) => this.#exports.wire_check_rpc(at, message.length, broadcast ? 1 : 0));
  }

  /** A group packet made little-endian; with `broadcast` it begins with the protocol word. */
  checkGroup(packet: Uint8Array, broadcast = false): Uint8Array | undefined {
    return this.#packet(packet, (at) => this.#exports.wire_check_group(at, packet.length, broadcast ? 1 : 0));
  }

  /** The check that a CHECKED frame must carry; `frame` is without padding, its check zeros. */
  frameCheck(frame: Uint8Array): number {
    this.#put(packetAt, frame, frame.length);
    return this.#exports.wire_frame_check(this.#base + packetAt, frame.length) >>> 0;
  }

  /** A checked FLIP packet made big-endian. */
  turnFlip(packet: Uint8Array): Uint8Array | undefined {
    return this.#packet(packet, (at) => this.#exports.wire_turn_flip(at));
  }

  /** A checked RPC message made big-endian; no protocol word in front. */
  turnRpc(message: Uint8Array): Uint8Array | undefined {
    return this.#packet(message, (at) => this.#exports.wire_turn_rpc(at));
  }

  /** A checked group packet made big-endian; no protocol word in front. */
  turnGroup(packet: Uint8Array): Uint8Array | undefined {
    return this.#packet(packet, (at) => this.#exports.wire_turn_group(at, packet.length));
  }

  #packet(packet: Uint8Array, change: (at: number) => number): Uint8Array | undefined {
    if (packet.length > pageBytes * workPages - packetAt) return undefined;
    this.#put(packetAt, packet, packet.length);
    return change(this.#base + packetAt) < 0 ? undefined : this.#take(packetAt, packet.length);
  }

  #put(at: number, bytes: Uint8Array, length: number): void {
    if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where ${length} are due`);
    new Uint8Array(this.#memory.buffer).set(bytes, this.#base + at);
  }

  #take(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer).slice(this.#base + at, this.#base + at + length);
  }
}
