// How a receive region is cut into slots.
//
//   region   block 0                      block 1 …
//            slot 0  slot 1 … (rest)      slot n …
//   slot     struct tpacket2_hdr, struct sockaddr_ll, gap | frame at 66 (payload at 80)
//
// - Blocks are the ring's unit of allocation: whole pages, a multiple of 64 KiB here, so
//   that a region is one too. A slot never crosses a block.
// - Slots are a multiple of 64 bytes: no two share a cache line, and they do not all fall
//   into the same cache sets as a power of two would make them.

export const FRAME_OFFSET = 66;
const HEADER_BYTES = 14;
const SLOT_ALIGNMENT = 64;
const WASM_PAGE = 65_536;
const BLOCK_BYTES_MAX = 1 << 20;
const REGION_BYTES_MAX = 16 << 20;

export interface Geometry {
  readonly slotBytes: number;
  readonly slots: number;
  readonly blockBytes: number;
  readonly regionBytes: number;
}

function usualSlots(mtu: number): number {
  if (mtu <= 2048) return 1024;
  if (mtu <= 16_384) return 256;
  return 128;
}

/** The smallest block in which at most a tenth is left over. */
function blockFor(slotBytes: number): number {
  for (let bytes = WASM_PAGE; bytes < BLOCK_BYTES_MAX; bytes *= 2) {
    if (bytes >= slotBytes && bytes % slotBytes <= bytes / 10) return bytes;
  }
  return BLOCK_BYTES_MAX;
}

/** Slots for frames of `mtu` bytes behind the Ethernet header; at least `wanted` when that fits in 16 MiB. */
export function geometry(mtu: number, wanted = usualSlots(mtu)): Geometry {
  const slotBytes = Math.ceil((FRAME_OFFSET + HEADER_BYTES + mtu) / SLOT_ALIGNMENT) * SLOT_ALIGNMENT;
  const blockBytes = blockFor(slotBytes);
  const slotsABlock = Math.floor(blockBytes / slotBytes);
  const blocks = Math.max(1, Math.min(Math.ceil(wanted / slotsABlock), REGION_BYTES_MAX / blockBytes));
  return { slotBytes, slots: blocks * slotsABlock, blockBytes, regionBytes: blocks * blockBytes };
}

/** A socket buffer for as many frames as there are slots: the system counts its own overhead too. */
export function bufferBytes(mtu: number, slots: number): number {
  return Math.min(slots * (mtu + 1024) * 2, 64 << 20);
}
