// Cells: where the vice servers of a network are found by whoever knows no capability of theirs, and what
// they say there.
//
// - A server of a cell has a place among those of the whole network, and one among those of its cell; the
//   ports of places follow from numbers and the cell's name: addresses, no secrets (SECURITY.md). Whoever
//   holds a place says what cell it is of and at which put-port it serves (CELL), and nothing else.
// - What a cell shares is asked at that put-port (SHARED): nobody else can serve it, whatever is said at a
//   place. A server that names another cell there than it did at its place counts for none.

import { z } from "zod";
import { PORT_BYTES } from "../../core-wasm/wire/formats.js";

/** Places of a network, and of one cell: so many servers can be found. */
export const CELL_PLACES = 32;
export const CELL_SERVERS_MAX = 8;
/** Most volumes that one server shares. */
export const SHARED_MAX = 500;

/** What a cell or a volume may be called: a name of a folder, too. */
export const cellNameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The kernel, or one without a network. */
export interface PortMaker {
  publicPort(getPort: Uint8Array): Uint8Array;
}

/** Six bytes at a time, one-way. */
function mixed(maker: PortMaker, first: Uint8Array, text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  let port = first;
  for (let at = 0; at < bytes.length; at += PORT_BYTES)
    port = maker.publicPort(port.map((byte, index) => byte ^ (bytes[at + index] ?? 0)));
  return port;
}

/** The get-port of a place of the network. */
export const networkPlace = (maker: PortMaker, place: number): Uint8Array =>
  maker.publicPort(Uint8Array.of(0x63, 0x65, 0x6c, 0x6c, 0x73, place)); // cells

/** The get-port of a place of a cell. */
export const cellPlace = (maker: PortMaker, cell: string, place: number): Uint8Array =>
  mixed(maker, Uint8Array.of(0x63, 0x65, 0x6c, 0x6c, cell.length, place), cell); // cell

const nameSchema = z.string().regex(cellNameForm);

/** What a server says of itself. */
export const cellSchema = z.object({
  cell: nameSchema,
  /** Its put-port: 12 hex digits. */
  server: z.string().regex(/^[0-9a-f]{12}$/),
});
export type CellDocument = z.infer<typeof cellSchema>;

export const sharedVolumeSchema = z.object({
  name: nameSchema,
  /** With the rights that are shared. */
  capability: z.string().regex(/^[0-9a-f]{32}$/),
});
export type SharedVolume = z.infer<typeof sharedVolumeSchema>;

export const sharedSchema = z.object({
  cell: nameSchema,
  volumes: z.array(sharedVolumeSchema).max(SHARED_MAX),
});
export type SharedDocument = z.infer<typeof sharedSchema>;
