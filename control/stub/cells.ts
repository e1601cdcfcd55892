// How the cells of a network are found: the places of control/interface/cell.ts asked, then each server
// that was named there.
//
// - Whoever answers at a place is believed no more than where a server may be: what it shares is asked at
//   the server's own port, and counts when it names the same cell, and capabilities of that very port.
// - Who does not answer in time is not there: nothing throws for that.

import { portOnly } from "../capability/capability.js";
import { parsePort } from "../capability/port.js";
import {
  CELL_PLACES,
  CELL_SERVERS_MAX,
  type CellDocument,
  cellPlace,
  cellSchema,
  networkPlace,
  type PortMaker,
  type SharedVolume,
  sharedSchema,
} from "../interface/cell.js";
import { viceTable } from "../interface/vice.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";

/** A server of a cell and what it shares. */
export interface CellServer {
  /** Its put-port. */
  readonly server: string;
  readonly volumes: readonly SharedVolume[];
}

export interface Cell {
  readonly name: string;
  readonly servers: readonly CellServer[];
}

export interface FindOptions {
  readonly via: Kernel | Transact;
  readonly maker: PortMaker;
  /** How long who answers may take. */
  readonly timeoutMs: number;
  /** The servers of this cell alone. */
  readonly cell?: string | undefined;
  /** Servers that are asked although no place names them: those that are known. */
  readonly also?: readonly CellDocument[] | undefined;
}

const patience = (timeoutMs: number): CallOptions => ({
  ...{ locateTimeoutMs: timeoutMs, pollMs: Math.ceil(timeoutMs / 2), deadMs: Math.max(1000, timeoutMs) },
});

/** What comes, or null when the call fails. */
async function answered<Value>(call: Promise<Value>): Promise<Value | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ProteusError) return null;
    throw error;
  }
}

async function atPlaces({ via, maker, timeoutMs, cell }: FindOptions): Promise<readonly CellDocument[]> {
  const ports =
    cell === undefined
      ? Array.from({ length: CELL_PLACES }, (_, place) => networkPlace(maker, place))
      : Array.from({ length: CELL_SERVERS_MAX }, (_, place) => cellPlace(maker, cell, place));
  const found = await Promise.all(
    ports.map(async (port) => {
      const to = portOnly(maker.publicPort(port));
      const said = await answered(stub(via, viceTable, to, patience(timeoutMs)).cell());
      return cellSchema.safeParse(said?.cell).data;
    }),
  );
  return found.flatMap((each) =>
    each === undefined || (cell !== undefined && each.cell !== cell) ? [] : [each],
  );
}

/** What a server shares; null when it does not answer, or is not what it was said to be. */
export async function sharedAt(
  via: Kernel | Transact,
  { cell, server }: CellDocument,
  timeoutMs: number,
): Promise<CellServer | null> {
  const said = await answered(
    stub(via, viceTable, portOnly(parsePort(server)), patience(timeoutMs)).shared(),
  );
  const { success, data } = sharedSchema.safeParse(said?.shared);
  if (!success || data.cell !== cell) return null;
  const own = data.volumes.filter(({ capability }) => capability.startsWith(server));
  const names = new Map(own.map((each) => [each.name, each]));
  return { server, volumes: [...names.values()] };
}

/** The cells whose servers answer, by name. */
export async function findCells(options: FindOptions): Promise<readonly Cell[]> {
  const { via, timeoutMs, also = [] } = options;
  const asked = new Map<string, Promise<CellServer | null>>();
  const ask = (each: CellDocument): void => {
    const key = `${each.cell}/${each.server}`;
    if (!asked.has(key)) asked.set(key, sharedAt(via, each, timeoutMs));
  };
  for (const each of also) ask(each);
  for (const each of await atPlaces(options)) ask(each);
  const cells = new Map<string, CellServer[]>();
  for (const [key, answer] of asked) {
    const server = await answer;
    if (server === null) continue;
    const name = key.slice(0, key.indexOf("/"));
    cells.set(name, [...(cells.get(name) ?? []), server]);
  }
  return [...cells]
    .map(([name, servers]) => ({ name, servers: servers.sort(byServer) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

const byServer = (one: CellServer, other: CellServer): number => (one.server < other.server ? -1 : 1);

/** What is known of a cell with what was found: servers that do not answer stay as they were known. */
export function knownWith(known: Cell | undefined, found: Cell): Cell {
  const now = new Map(found.servers.map((each) => [each.server, each]));
  const before = known?.servers ?? [];
  const kept = before.map((each) => now.get(each.server) ?? each);
  const fresh = found.servers.filter(({ server }) => before.every((each) => each.server !== server));
  return { name: found.name, servers: [...kept, ...fresh] };
}

export interface CellVolume extends SharedVolume {
  /** What its folder is called. */
  readonly folder: string;
  readonly server: string;
}

/** All volumes of a cell. Of two with one name the server that was known first has it; the other is NAME@PORT. */
export function volumesOf({ servers }: Cell): readonly CellVolume[] {
  const taken = new Set<string>();
  return servers.flatMap(({ server, volumes }) =>
    volumes.map((each) => {
      const folder = taken.has(each.name) ? `${each.name}@${server}` : each.name;
      taken.add(each.name);
      return { ...each, folder, server };
    }),
  );
}
