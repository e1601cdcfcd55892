// Who the machine is, as text: the document of STATUS (control/interface/node.ts) and the line that
// it says on its console when it serves.
//
// - JSON put together by hand: names are checked by putQuoted, everything else is ours.

import { ABI } from "../../core-wasm/layout";
import * as layout from "../../core-wasm/layout";
import { EXTENSIONS_ALL } from "../../core-wasm/limits";
import { FLIP_VERSION } from "../../core-wasm/wire/formats";
import { VERSION } from "../../build/metal/interface";
import { cardAt } from "./cards";
import { value, valueLength } from "./command-line";
import { executions } from "./echo";
import { left } from "./memory";
import { macAt, networks, refused } from "./networks";
import { putPortAt } from "./services";
import { counter, putCounterName } from "./tables";
import { put, putByte, putHex, putNumber, putQuoted, textBack } from "./text";

export const SERVER_ECHO: u32 = 0;
export const SERVER_SYS: u32 = 1;
export const SERVER_SEGMENT: u32 = 2;
// Of a member of a group
export const SERVER_MEMBER: u32 = 3;
export const SERVER_GROUP: u32 = 4;
export const SERVER_ROSTER: u32 = 5;
export const SERVER_CANDIDATE: u32 = 6; // and the next ones: a candidate's places

function field(index: i32): u32 {
  return load<u32>((layout.LAYOUT_ADDRESS as usize) + 4 * (index as usize));
}

/** The machine's name: of the command line, else its first MAC address. */
export function putName(): void {
  const given = value("name=");
  if (given != 0) {
    putQuoted(given, valueLength);
    return;
  }
  put('"metal-');
  if (networks > 0) putHex(macAt(0), 6);
  putByte(0x22);
}

function putAddress(): void {
  put('"address":"');
  putHex(field(layout.LAYOUT_ADDRESS_PUBLIC) as usize, 8);
  put('","version":"');
  put(VERSION);
  putByte(0x22);
}

/** What a machine announces to its pool: control/interface/pool.ts. */
export function putAnnouncement(): void {
  put('{"name":');
  putName();
  put(',"kind":"metal",');
  putAddress();
  put(',"servers":{"echo":"');
  putHex(putPortAt(SERVER_ECHO), 6);
  put('","sys":"');
  putHex(putPortAt(SERVER_SYS), 6);
  put('","segment":"');
  putHex(putPortAt(SERVER_SEGMENT), 6);
  put('"}}');
}

/**
 * What it says on its console when it serves: the announcement, and a capability of its segment server
 * with all rights, for whoever started the machine. `part` is its private part.
 */
export function putServing(part: usize): void {
  putAnnouncement();
  textBack();
  put(',"capabilities":{"segment":"');
  putHex(putPortAt(SERVER_SEGMENT), 6);
  putHex(part, 10);
  put('"}}');
}

function putInterface(network: u32): void {
  const net = cardAt(network);
  put('{"name":"eth');
  putNumber(network as u64);
  put('","mac":"');
  putHex(macAt(network), 6);
  put('","mtu":1500,"received":');
  putNumber(net.received as u64);
  put(',"sent":');
  putNumber(net.sent as u64);
  put(',"receiveDropped":0,"sendDropped":');
  putNumber(net.sendDropped as u64);
  put(',"faults":');
  putNumber(net.faults as u64);
  putByte(0x7d);
}

/** The document of STATUS, `now` in microseconds since the start. */
export function putStatus(now: f64): void {
  put('{"name":');
  putName();
  putByte(0x2c);
  putAddress();
  put(',"system":"none","abi":');
  putNumber(ABI as u64);
  put(',"wire":{"flip":');
  putNumber(FLIP_VERSION as u64);
  put(',"extensions":');
  putNumber(EXTENSIONS_ALL as u64);
  put('},"uptimeSeconds":');
  putNumber((now / 1e6) as u64);
  put(',"draining":false,"memory":{"freeBytes":');
  putNumber(left() as u64);
  put(',"totalBytes":');
  putNumber((memory.size() as u64) << 16);
  put('},"threadsBusy":');
  putNumber(field(layout.LAYOUT_THREADS_BUSY) as u64);
  put(',"executions":');
  putNumber(executions as u64);
  put(',"refusedDevices":');
  putNumber(refused as u64);
  put(',"interfaces":[');
  for (let network: u32 = 0; network < networks; network++) {
    if (network > 0) putByte(0x2c);
    putInterface(network);
  }
  put('],"counters":{');
  for (let index: u32 = 0; index < (layout.COUNTER_COUNT as u32); index++) {
    if (index > 0) putByte(0x2c);
    putByte(0x22);
    putCounterName(index);
    put('":');
    putNumber(counter(index) as u64);
  }
  put("}}");
}
