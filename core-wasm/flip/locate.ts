// Finding out where a FLIP address is: LOCATE over all networks, ever further.
//
// - The first LOCATE goes out at once with the reach of one network: the original's
//   tries with one and two hops never leave the machine.
// - Every 100 ms one hop further, up to 25; from there the interval doubles, until the
//   time for it is used up. A forced locate (INVAL) starts past 25, which makes routers
//   forget what they know.
// - It knows nothing of what waits: found or not, it tells the layer above.
// - Source: spec section 1.6.

import { COUNTER_LOCATES_OUT, COUNTER_TABLE_FULL } from "../layout";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { locateTimeoutMs } from "../memory/settings";
import {
  Entry,
  Table,
  tableAdd,
  tableAt,
  tableFind,
  tableIndex,
  tableNew,
  tableRemove,
} from "../memory/table";
import { timerClear, timerSet } from "../memory/timers";
import { MAC_BROADCAST } from "../wire/ethernet";
import * as flip from "../wire/flip";
import { messageNewId } from "./ids";
import { HEAD_DATA, headNew, networkAt, networkCount, sendData } from "./networks";
import { routeRemoveAll } from "./routes";
import { located } from "./upcalls";

const INTERVAL_US: i64 = 100000;

@unmanaged
class Search extends Entry {
  // key: the address
  source: u64; // in whose name we ask
  deadline: i64;
  interval: i64;
  hops: u32;
}

let table: Table = changetype<Table>(0);
let timerBase: u32 = 0;

export function locateOpen(searches: u32, base: u32): void {
  table = tableNew(searches, offsetof<Search>());
  timerBase = base;
}

/** Starts looking for an address, or goes on; false when too many are being looked for. */
export function locateStart(address: u64, source: u64, invalidate: bool): bool {
  if (tableFind(table, address, 0) != 0) return true;
  const search = changetype<Search>(tableAdd(table, address, 0));
  if (changetype<usize>(search) == 0) {
    countUp(COUNTER_TABLE_FULL);
    return false;
  }
  search.source = source;
  search.deadline = now + (locateTimeoutMs as i64) * 1000;
  search.interval = INTERVAL_US;
  search.hops = flip.ETHERNET_WEIGHT;
  if (invalidate) {
    routeRemoveAll(address);
    search.hops = flip.HOPS_MAX + 1;
  }
  ask(search);
  return true;
}

function ask(search: Search): void {
  const id = messageNewId();
  for (let i: u32 = 0; i < networkCount; i++) {
    const network = networkAt(i);
    if (!network.up || network.weight > search.hops) continue;
    const head = headNew();
    flip.flipHeader(
      head + HEAD_DATA,
      flip.FLIP_LOCATE,
      0,
      network.weight,
      search.hops,
      search.key,
      search.source,
      id,
      0,
      0,
      0,
    );
    countUp(COUNTER_LOCATES_OUT);
    sendData(i, MAC_BROADCAST, false, 0, head, flip.FLIP_HEADER, 0, 0);
  }
  timerSet(timerBase + tableIndex(table, changetype<usize>(search)), now + search.interval);
}

/** The timer of the search with this index expired. */
export function locateExpired(index: u32): void {
  const search = changetype<Search>(tableAt(table, index));
  if (!search.used) return;
  if (now >= search.deadline) {
    const address = search.key;
    tableRemove(table, changetype<usize>(search));
    located(address, false);
    return;
  }
  if (search.hops < flip.HOPS_MAX) search.hops++;
  else search.interval *= 2;
  ask(search);
}

/** A HEREIS for this address was taken in. */
export function locateFound(address: u64): void {
  const search = tableFind(table, address, 0);
  if (search == 0) return;
  timerClear(timerBase + tableIndex(table, search));
  tableRemove(table, search);
  located(address, true);
}
