// The contract of a block device: a file, a partition, a disk elsewhere, a disk in simulation.
//
// - Whole blocks only; a call's bytes are a multiple of `blockBytes`, and a call may cover
//   several blocks in a row. Buffers are the device's until the call has ended.
// - A write has happened for readers when it has ended. It survives a power cut only after a
//   `flush` that began later has ended; until then each of its blocks, and of these each 512
//   bytes, may be kept or not, in any order among the writes that were not flushed.
// - Calls may overlap; what overlapping calls to one block do to each other is not defined.
// - A call rejects with BlockError. Checksums are the business of what is above.

/** Bytes that a medium writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** Stable codes of what can go wrong. */
export type BlockErrorCode =
  /** The medium cannot read this block. */
  | "BLOCK_UNREADABLE"
  /** The medium cannot write this block. */
  | "BLOCK_UNWRITABLE"
  /** What the device lies on has no room for this block, which it never held: nothing was written. */
  | "BLOCK_FULL"
  /** Outside the device, or not whole blocks: a bug of the caller. */
  | "BLOCK_RANGE"
  /** The device is closed, without power, or not there. */
  | "BLOCK_GONE";

export class BlockError extends Error {
  override readonly name = "BlockError";

  constructor(
    readonly code: BlockErrorCode,
    message: string,
    /** The first block that it concerns. */
    readonly block: number,
  ) {
    super(message);
  }
}

export interface BlockDevice {
  /** Bytes of a block: a power of two, at least SECTOR_BYTES. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** Fills `buffer` with the blocks from `block` on. */
  read(block: number, buffer: Uint8Array): Promise<void>;
  /** Writes the blocks in `data` from `block` on. */
  write(block: number, data: Uint8Array): Promise<void>;
  /** Ends when everything written before it began is on the medium. */
  flush(): Promise<void>;
  /** Writes as `write` does, and ends when these blocks are on the medium: where that is one step. */
  writeThrough?(block: number, data: Uint8Array): Promise<void>;
  /** Makes blocks zeros that take no room, as a write would; false: it cannot, and they are as they were. */
  punch?(block: number, blocks: number): Promise<boolean>;
}

/** Writes blocks, and ends when they are on the medium; of earlier writes it says nothing. */
export async function writeThrough(device: BlockDevice, block: number, data: Uint8Array): Promise<void> {
  if (device.writeThrough !== undefined) return device.writeThrough(block, data);
  await device.write(block, data);
  return device.flush();
}

/** Throws BLOCK_RANGE unless so many bytes from a block on are whole blocks of the device. */
export function checkBlocks(
  { blockBytes, blocks }: Pick<BlockDevice, "blockBytes" | "blocks">,
  block: number,
  bytes: number,
): void {
  const whole = Number.isInteger(block) && block >= 0 && bytes % blockBytes === 0;
  if (whole && block + bytes / blockBytes <= blocks) return;
  throw new BlockError(
    "BLOCK_RANGE",
    `${bytes} bytes from block ${block} on are not whole blocks of ${blockBytes} bytes among ${blocks}`,
    block,
  );
}
