// The kernel's tables as text, for KSTAT and for the monitor: a row of headings, then a row for each
// entry, cells two blanks apart. What the letters mean: control/interface/system.ts.
//
// - Text goes where textBegin has said; what does not fit is left out.

import { COUNTER_NAMES, THREAD_STATES } from "../../build/metal/interface";
import * as layout from "../../core-wasm/layout";
import { cardAt } from "./cards";
import { tableEntry } from "./kernel";
import { put, putByte, putHex, putNumber, putSigned } from "./text";

const entry = memory.data(256, 8); // TABLE_ENTRY_BYTES and some

function gap(): void {
  put("  ");
}

function number(at: i32): void {
  putNumber(load<u32>(entry + (at as usize)) as u64);
}

function yes(at: i32): void {
  if (load<u32>(entry + (at as usize)) != 0) put("yes");
  else put("no");
}

/** The word at `index` of a list of words with blanks between them. */
export function putWord(list: string, index: u32): void {
  let place: u32 = 0;
  for (let i = 0; i < list.length; i++) {
    const byte = load<u16>(changetype<usize>(list) + 2 * (i as usize)) as u32;
    if (byte == 0x20) place++;
    else if (place == index) putByte(byte);
  }
}

export function putCounterName(index: u32): void {
  putWord(COUNTER_NAMES, index);
}

export function counter(index: u32): u32 {
  const at = load<u32>((layout.LAYOUT_ADDRESS as usize) + 4 * (layout.LAYOUT_COUNTERS as usize)) as usize;
  return load<u32>(at + 4 * (index as usize));
}

function counters(): void {
  put("COUNTER  COUNT\n");
  for (let index: u32 = 0; index < (layout.COUNTER_COUNT as u32); index++) {
    if (counter(index) == 0) continue;
    putCounterName(index);
    gap();
    putNumber(counter(index) as u64);
    putByte(0x0a);
  }
}

function routeRow(): void {
  if (load<u32>(entry + layout.ROUTE_ENTRY_LOCAL) != 0) {
    putHex(entry + layout.ROUTE_ENTRY_ADDRESS, 8);
    put("  here  -  0  ");
    number(layout.ROUTE_ENTRY_LOCAL);
    put("  yes  ");
    number(layout.ROUTE_ENTRY_IDLE_MS);
    putByte(0x0a);
  }
  const places = min<u32>(load<u32>(entry + layout.ROUTE_ENTRY_PLACES), layout.ROUTE_PLACES_MAX as u32);
  for (let i: u32 = 0; i < places; i++) {
    const place = layout.ROUTE_ENTRY_FIRST + (i as i32) * layout.ROUTE_PLACE_BYTES;
    putHex(entry + layout.ROUTE_ENTRY_ADDRESS, 8);
    gap();
    putHex(entry + ((place + layout.ROUTE_PLACE_MAC) as usize), 6);
    gap();
    number(place + layout.ROUTE_PLACE_NETWORK);
    gap();
    number(place + layout.ROUTE_PLACE_HOPS);
    gap();
    number(place + layout.ROUTE_PLACE_COUNT);
    gap();
    yes(place + layout.ROUTE_PLACE_TRUSTED);
    gap();
    number(layout.ROUTE_ENTRY_IDLE_MS);
    putByte(0x0a);
  }
}

function neighbourRow(): void {
  putHex(entry + layout.NEIGHBOUR_ENTRY_MAC, 6);
  gap();
  number(layout.NEIGHBOUR_ENTRY_NETWORK);
  gap();
  number(layout.NEIGHBOUR_ENTRY_MTU);
  gap();
  putSigned(load<i32>(entry + layout.NEIGHBOUR_ENTRY_CREDITS));
  gap();
  yes(layout.NEIGHBOUR_ENTRY_KNOWN);
  gap();
  yes(layout.NEIGHBOUR_ENTRY_CHECKED);
  gap();
  number(layout.NEIGHBOUR_ENTRY_IDLE_MS);
}

function portRow(): void {
  putHex(entry + layout.PORT_ENTRY_PORT, 6);
  gap();
  number(layout.PORT_ENTRY_THREADS);
  gap();
  yes(layout.PORT_ENTRY_WAITING);
}

function placeRow(): void {
  putHex(entry + layout.PLACE_ENTRY_PORT, 6);
  gap();
  putHex(entry + layout.PLACE_ENTRY_ADDRESS, 8);
  gap();
  number(layout.PLACE_ENTRY_ROUNDTRIP_US);
  gap();
  number(layout.PLACE_ENTRY_IDLE_MS);
}

function threadRow(): void {
  putHex(entry + layout.THREAD_ENTRY_PORT, 6);
  gap();
  putWord(THREAD_STATES, load<u32>(entry + layout.THREAD_ENTRY_STATE));
  gap();
  putHex(entry + layout.THREAD_ENTRY_PEER, 8);
  gap();
  number(layout.THREAD_ENTRY_TRANSACTION);
}

function networkRow(index: u32): void {
  const net = cardAt(index);
  putNumber(index as u64);
  put("  eth");
  putNumber(index as u64);
  gap();
  putHex(entry + layout.NETWORK_ENTRY_MAC, 6);
  gap();
  number(layout.NETWORK_ENTRY_MTU);
  gap();
  number(layout.NETWORK_ENTRY_WEIGHT);
  gap();
  yes(layout.NETWORK_ENTRY_UP);
  gap();
  yes(layout.NETWORK_ENTRY_TRUSTED);
  put("  received ");
  putNumber(net.received as u64);
  put(", sent ");
  putNumber(net.sent as u64);
  put(", sendDropped ");
  putNumber(net.sendDropped as u64);
  put(", faults ");
  putNumber(net.faults as u64);
}

function rows(table: i32): void {
  for (let index = 0; ; index++) {
    const answer = tableEntry(table, index, entry);
    if (answer < 0) return; // past the last place
    if (answer == 0) continue;
    if (table == layout.TABLE_ROUTES) {
      routeRow();
      continue;
    }
    if (table == layout.TABLE_NEIGHBOURS) neighbourRow();
    else if (table == layout.TABLE_PORTS) portRow();
    else if (table == layout.TABLE_PLACES) placeRow();
    else if (table == layout.TABLE_THREADS) threadRow();
    else networkRow(index as u32);
    putByte(0x0a);
  }
}

/** Writes the table of a letter; false: there is none. */
export function putTable(letter: u32): bool {
  switch (letter) {
    case 0x61: // a
      for (let each: u32 = 0x63; each <= 0x74; each++) if (putTable(each)) putByte(0x0a);
      return true;
    case 0x63: // c
      counters();
      return true;
    case 0x69: // i
      put("NETWORK  NAME  MAC  MTU  WEIGHT  UP  TRUSTED  COUNTED\n");
      rows(layout.TABLE_NETWORKS);
      return true;
    case 0x6c: // l
      put("PORT  ADDRESS  ROUND TRIP US  IDLE MS\n");
      rows(layout.TABLE_PLACES);
      return true;
    case 0x6e: // n
      put("NEIGHBOUR  NETWORK  MTU  CREDITS  OURS  CHECKED  IDLE MS\n");
      rows(layout.TABLE_NEIGHBOURS);
      return true;
    case 0x70: // p
      put("PORT  THREADS  LISTENS\n");
      rows(layout.TABLE_PORTS);
      return true;
    case 0x72: // r
      put("ADDRESS  PLACE  NETWORK  HOPS  ENDPOINTS  TRUSTED  IDLE MS\n");
      rows(layout.TABLE_ROUTES);
      return true;
    case 0x74: // t
      put("PORT  STATE  PEER  TRANSACTION\n");
      rows(layout.TABLE_THREADS);
      return true;
    default:
      return false;
  }
}
