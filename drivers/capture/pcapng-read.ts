// Reads a pcapng stream as it comes, in pieces of any size: what pcapng.ts writes, from a process
// on another machine.
//
// - Little-endian, microseconds, one section. Blocks of other types are passed over; a stream that
//   breaks the format is an error, and nothing after it is read.
// - Source: draft-ietf-opsawg-pcapng, PCAP Next Generation Capture File Format.

const sectionHeader = 0x0a0d0d0a;
const byteOrderMagic = 0x1a2b3c4d;
const interfaceDescription = 1;
const interfaceStatistics = 5;
const enhancedPacket = 6;

const optionEnd = 0;
const optionName = 2;
const optionFlags = 2;
const optionDropped = 5;
const directionMask = 3;
const outbound = 2;

const blockBytesMin = 12;
const blockBytesMax = 1 << 20;
/** Where the options begin, from the block's begin on. */
const descriptionOptionsAt = 16;
const statisticsOptionsAt = 20;
const frameAt = 28;

/** What a block says. `place` is that of the interface. */
export type PcapngBlock =
  | { readonly kind: "interface"; readonly name: string }
  | {
      readonly kind: "frame";
      readonly place: number;
      readonly timeUs: number;
      readonly outgoing: boolean | undefined;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "statistics"; readonly place: number; readonly dropped: number };

function fail(why: string): never {
  throw new Error(`this is no capture: ${why}`);
}

/** The value of an option, or undefined. */
function option(block: Buffer, from: number, wanted: number): Buffer | undefined {
  const end = block.length - 4;
  for (let at = from; at + 4 <= end; ) {
    const code = block.readUInt16LE(at);
    const length = block.readUInt16LE(at + 2);
    if (code === optionEnd) return undefined;
    if (at + 4 + length > end) fail("an option is longer than its block");
    if (code === wanted) return block.subarray(at + 4, at + 4 + length);
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return undefined;
}

function frame(block: Buffer): PcapngBlock {
  if (block.length < frameAt + 4) fail("a frame's block is too short");
  const length = block.readUInt32LE(20);
  const optionsAt = frameAt + Math.ceil(length / 4) * 4;
  if (optionsAt > block.length - 4) fail("a frame is longer than its block");
  const flags = option(block, optionsAt, optionFlags);
  return {
    ...{ kind: "frame", place: block.readUInt32LE(8) },
    timeUs: block.readUInt32LE(12) * 2 ** 32 + block.readUInt32LE(16),
    outgoing: flags?.length === 4 ? (flags.readUInt32LE() & directionMask) === outbound : undefined,
    bytes: block.subarray(frameAt, frameAt + length),
  };
}

function statistics(block: Buffer): PcapngBlock {
  if (block.length < statisticsOptionsAt + 4) fail("a block of statistics is too short");
  const dropped = option(block, statisticsOptionsAt, optionDropped);
  const count = dropped?.length === 8 ? Number(dropped.readBigUInt64LE()) : 0;
  return { kind: "statistics", place: block.readUInt32LE(8), dropped: count };
}

export class PcapngReader {
  #waiting: Buffer = Buffer.alloc(0);
  #begun = false;

  /** Takes bytes and gives the blocks that they complete. Throws when this is no such stream. */
  push(bytes: Uint8Array): PcapngBlock[] {
    const all = this.#waiting.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#waiting, bytes]);
    const blocks: PcapngBlock[] = [];
    let at = 0;
    while (at + 8 <= all.length) {
      const length = all.readUInt32LE(at + 4);
      if (!this.#begun && all.readUInt32LE(at) !== sectionHeader) fail("it begins with something else");
      if (length < blockBytesMin || length > blockBytesMax || length % 4 !== 0)
        fail(`a block of ${length} bytes`);
      if (at + length > all.length) break;
      blocks.push(...this.#block(all.subarray(at, at + length)));
      at += length;
    }
    this.#waiting = all.subarray(at);
    return blocks;
  }

  #block(block: Buffer): PcapngBlock[] {
    if (block.readUInt32LE(block.length - 4) !== block.length) fail("a block has two lengths");
    switch (block.readUInt32LE(0)) {
      case sectionHeader:
        if (block.length < 28 || block.readUInt32LE(8) !== byteOrderMagic) fail("another byte order");
        this.#begun = true;
        return [];
      case interfaceDescription:
        return [
          { kind: "interface", name: option(block, descriptionOptionsAt, optionName)?.toString() ?? "" },
        ];
      case enhancedPacket:
        return [frame(block)];
      case interfaceStatistics:
        return [statistics(block)];
      default:
        return [];
    }
  }
}
