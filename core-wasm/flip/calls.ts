// FLIP as a host calls it, for protocols beside RPC: addresses of one's own, and multicast.
//
// - Registered addresses are local: packets to them come up here. They are few
//   (LIMIT_ENDPOINTS), since the route table is for others too.

import { LIMIT_ENDPOINTS } from "../limits";
import * as status from "../status";
import { flipOneWay } from "../crypto/des";
import { inMemory, isBuffer } from "../memory/bounds";
import { setNow } from "../memory/clock";
import { setting } from "../memory/settings";
import { messageNewId } from "./ids";
import { locateStart } from "./locate";
import { multicastFragments, multicastKnown, multicastMessage } from "./multicast";
import { routeAddLocal, routeCount, routeIsLocal, routeRemoveLocal } from "./routes";

let endpoints: u32 = 0; // registered by the host
let own: u64 = 0;

/** `address` is this kernel's own: multicast goes out in its name. */
export function flipCallsOpen(address: u64): void {
  endpoints = 0;
  own = address;
}

/** Registers the private FLIP address at `pointer`: packets to its public form come here. */
export function flip_register(pointer: usize): i32 {
  if (!inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  if (endpoints >= setting(LIMIT_ENDPOINTS)) return status.KERNEL_FULL; // routes are for others too
  if (!routeAddLocal(flipOneWay(load<u64>(pointer)))) return status.KERNEL_FULL;
  endpoints++;
  return status.STD_OK;
}

export function flip_unregister(pointer: usize): i32 {
  if (!inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  const address = flipOneWay(load<u64>(pointer));
  if (!routeIsLocal(address)) return status.STD_OK;
  routeRemoveLocal(address);
  endpoints--;
  return status.STD_OK;
}

/**
 * Sends `size` bytes to all endpoints of the public address at `group`, when `endpoints`
 * of them are known; RPC_TRYAGAIN while they are being looked for.
 */
export function flip_multicast(group: usize, data: usize, size: i32, endpoints: i32, now: f64): i32 {
  setNow(now);
  if (!inMemory(group, 8) || !isBuffer(data, size)) return status.RPC_BADADDRESS;
  const to = load<u64>(group);
  if (multicastKnown(to) < (max<i32>(endpoints, 0) as u32)) {
    locateStart(to, own, false);
    return status.RPC_TRYAGAIN;
  }
  multicastMessage(to, own, messageNewId(), 0, 0, data, size as u32, false);
  multicastFragments(0, 0xffffffff);
  return status.STD_OK;
}

/** How many endpoints of the public address at `pointer` are known, here and elsewhere. */
export function flip_known(pointer: usize): i32 {
  if (!inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  return routeCount(load<u64>(pointer), 0xffffffff, false) as i32;
}
