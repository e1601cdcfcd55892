// What a pool machine says of itself: the document of its status service, for everybody who
// looks at machines.
//
// - Who it is (name, kernel, MAC addresses), what it speaks (versions), its clock, its
//   interfaces with MTU and drops, and the kernel's counters.
// - An older machine leaves out what it does not know; that is unknown, not a fault.

import { z } from "zod";
import { ABI } from "../../core-wasm/layout.js";
import { EXTENSIONS_ALL } from "../../core-wasm/limits.js";
import { FLIP_VERSION } from "../../core-wasm/wire/formats.js";

const count = z.number().nonnegative();
const hex = z.string().regex(/^[0-9a-f]*$/);

export const nodeInterfaceSchema = z.looseObject({
  name: z.string(),
  mac: hex.optional(),
  mtu: count.optional(),
  /** Its IPv4 networks, as `10.1.0.0/24`: interfaces that share one are on the same wire. */
  subnets: z.array(z.string()).optional(),
  received: count.optional(),
  sent: count.optional(),
  receiveDropped: count.optional(),
  sendDropped: count.optional(),
  damaged: count.optional(),
});

export const nodeDocumentSchema = z.looseObject({
  name: z.string().min(1),
  /** FLIP address of its kernel: new at every start, so no two machines have the same. */
  address: hex.optional(),
  /** Of the package. */
  version: z.string().optional(),
  /** Of kernel.wasm. */
  abi: count.optional(),
  wire: z.object({ flip: count, extensions: count }).optional(),
  /** Its calendar's time when it answered, milliseconds since 1970. */
  clockMs: z.number().optional(),
  uptimeSeconds: count.optional(),
  /** It takes no new segments: an administrator is emptying it. */
  draining: z.boolean().optional(),
  threadsBusy: count.optional(),
  executions: count.optional(),
  /** Its media, how many of them cannot be opened now, and the storages that it serves. */
  disks: z.object({ media: count, closed: count, serves: z.array(z.string()).readonly() }).optional(),
  interfaces: z.array(nodeInterfaceSchema).optional(),
  counters: z.record(z.string(), z.number()).optional(),
});

export type NodeInterface = z.infer<typeof nodeInterfaceSchema>;
/** A pool machine, as it describes itself. */
export type NodeDocument = z.infer<typeof nodeDocumentSchema>;

/** What this program speaks: the `abi` and `wire` of its documents. */
export const spoken = { abi: ABI, wire: { flip: FLIP_VERSION, extensions: EXTENSIONS_ALL } } as const;
