// The kernel's tables by name: what core-wasm/tables.ts copies out, as objects. For the sys
// server, for metrics, and for whoever looks for a fault; it changes nothing.
//
// - A table is read entry by entry, at most as many as it has places. Hex strings for addresses
//   and ports; ages in milliseconds.

import * as layout from "../../core-wasm/layout.js";
import { toHex } from "./bytes.js";
import type { KernelExports } from "./exports.js";

export interface RouteEntry {
  /** FLIP address. */
  readonly address: string;
  /** Endpoints here that have it. */
  readonly local: number;
  readonly idleMs: number;
  /** Places elsewhere; the first eight of them. */
  readonly places: readonly {
    readonly mac: string;
    readonly network: number;
    readonly hops: number;
    readonly count: number;
    readonly trusted: number;
  }[];
}

export interface NeighbourEntry {
  readonly mac: string;
  readonly network: number;
  readonly mtu: number;
  readonly credits: number;
  /** It speaks our extensions. */
  readonly ours: boolean;
  /** Frames between us carry a check. */
  readonly checked: boolean;
  readonly idleMs: number;
}

export interface PortEntry {
  /** The put-port. */
  readonly port: string;
  /** Threads that wait or serve. */
  readonly threads: number;
  /** At least one waits for a request. */
  readonly waiting: boolean;
}

export interface PlaceEntry {
  readonly port: string;
  /** FLIP address of its server. */
  readonly address: string;
  /** 0: not measured. */
  readonly roundtripUs: number;
  readonly idleMs: number;
}

export interface ThreadEntry {
  readonly port: string;
  /** FLIP address of the other side. */
  readonly peer: string;
  readonly state: ThreadState;
  readonly transaction: number;
}

export interface NetworkEntry {
  readonly mac: string;
  readonly mtu: number;
  readonly weight: number;
  readonly up: boolean;
  readonly trusted: boolean;
}

/** States of a thread, in the order of core-wasm/rpc/threads.ts. */
export const threadStates = [
  "free",
  "locating",
  "verifying",
  "refused",
  "calling",
  "awaiting reply",
  "owing ack",
  "calling here",
  "listening",
  "receiving",
  "serving",
  "replying",
] as const;
export type ThreadState = (typeof threadStates)[number];

const outAt = layout.SCRATCH_ADDRESS;
const macBytes = 6;
const addressBytes = 8;

type Read<Entry> = (entry: DataView, hex: (at: number, length: number) => string) => Entry;

const u32 = (entry: DataView, at: number): number => entry.getUint32(at, true);

const readRoute: Read<RouteEntry> = (entry, hex) => {
  const kept = Math.min(u32(entry, layout.ROUTE_ENTRY_PLACES), layout.ROUTE_PLACES_MAX);
  return {
    address: hex(layout.ROUTE_ENTRY_ADDRESS, addressBytes),
    local: u32(entry, layout.ROUTE_ENTRY_LOCAL),
    idleMs: u32(entry, layout.ROUTE_ENTRY_IDLE_MS),
    places: Array.from({ length: kept }, (_, index) => {
      const at = layout.ROUTE_ENTRY_FIRST + index * layout.ROUTE_PLACE_BYTES;
      return {
        mac: hex(at + layout.ROUTE_PLACE_MAC, macBytes),
        network: u32(entry, at + layout.ROUTE_PLACE_NETWORK),
        hops: u32(entry, at + layout.ROUTE_PLACE_HOPS),
        count: u32(entry, at + layout.ROUTE_PLACE_COUNT),
        trusted: u32(entry, at + layout.ROUTE_PLACE_TRUSTED),
      };
    }),
  };
};

const readNeighbour: Read<NeighbourEntry> = (entry, hex) => ({
  mac: hex(layout.NEIGHBOUR_ENTRY_MAC, macBytes),
  network: u32(entry, layout.NEIGHBOUR_ENTRY_NETWORK),
  mtu: u32(entry, layout.NEIGHBOUR_ENTRY_MTU),
  credits: entry.getInt32(layout.NEIGHBOUR_ENTRY_CREDITS, true),
  ours: u32(entry, layout.NEIGHBOUR_ENTRY_KNOWN) !== 0,
  checked: u32(entry, layout.NEIGHBOUR_ENTRY_CHECKED) !== 0,
  idleMs: u32(entry, layout.NEIGHBOUR_ENTRY_IDLE_MS),
});

const readPort: Read<PortEntry> = (entry, hex) => ({
  port: hex(layout.PORT_ENTRY_PORT, macBytes),
  threads: u32(entry, layout.PORT_ENTRY_THREADS),
  waiting: u32(entry, layout.PORT_ENTRY_WAITING) !== 0,
});

const readPlace: Read<PlaceEntry> = (entry, hex) => ({
  port: hex(layout.PLACE_ENTRY_PORT, macBytes),
  address: hex(layout.PLACE_ENTRY_ADDRESS, addressBytes),
  roundtripUs: u32(entry, layout.PLACE_ENTRY_ROUNDTRIP_US),
  idleMs: u32(entry, layout.PLACE_ENTRY_IDLE_MS),
});

const readThread: Read<ThreadEntry> = (entry, hex) => ({
  port: hex(layout.THREAD_ENTRY_PORT, macBytes),
  peer: hex(layout.THREAD_ENTRY_PEER, addressBytes),
  state: threadStates[u32(entry, layout.THREAD_ENTRY_STATE)] ?? "free",
  transaction: u32(entry, layout.THREAD_ENTRY_TRANSACTION),
});

const readNetwork: Read<NetworkEntry> = (entry, hex) => ({
  mac: hex(layout.NETWORK_ENTRY_MAC, macBytes),
  mtu: u32(entry, layout.NETWORK_ENTRY_MTU),
  weight: u32(entry, layout.NETWORK_ENTRY_WEIGHT),
  up: u32(entry, layout.NETWORK_ENTRY_UP) !== 0,
  trusted: u32(entry, layout.NETWORK_ENTRY_TRUSTED) !== 0,
});

/** The tables of one kernel. */
export class KernelTables {
  readonly #exports: KernelExports;
  readonly #bytes: Uint8Array;
  readonly #entry: DataView;

  constructor(exports: KernelExports, bytes: Uint8Array) {
    this.#exports = exports;
    this.#bytes = bytes;
    this.#entry = new DataView(bytes.buffer, outAt, layout.TABLE_ENTRY_BYTES);
  }

  readonly #hex = (at: number, length: number): string =>
    toHex(this.#bytes.subarray(outAt + at, outAt + at + length));

  #entries<Entry>(table: number, read: Read<Entry>): Entry[] {
    const entries: Entry[] = [];
    for (let index = 0; ; index++) {
      const answer = this.#exports.table_entry(table, index, outAt);
      if (answer < 0) return entries; // past the last place
      if (answer > 0) entries.push(read(this.#entry, this.#hex));
    }
  }

  routes = (): RouteEntry[] => this.#entries(layout.TABLE_ROUTES, readRoute);
  neighbours = (): NeighbourEntry[] => this.#entries(layout.TABLE_NEIGHBOURS, readNeighbour);
  ports = (): PortEntry[] => this.#entries(layout.TABLE_PORTS, readPort);
  places = (): PlaceEntry[] => this.#entries(layout.TABLE_PLACES, readPlace);
  threads = (): ThreadEntry[] => this.#entries(layout.TABLE_THREADS, readThread);
  networks = (): NetworkEntry[] => this.#entries(layout.TABLE_NETWORKS, readNetwork);
}
