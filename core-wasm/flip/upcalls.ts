// What FLIP tells the layer above it, without knowing who that is.
//
// - kernel.ts plugs RPC in at boot, as flip_init(receive, notdeliver) did.
// - data points into the received frame and is gone when the upcall returns.

export type Deliver = (
  data: usize,
  length: u32,
  destination: u64,
  source: u64,
  messageId: u32,
  offset: u32,
  total: u32,
  flags: u32,
) => void;
/** A packet of ours came back: data is what it carried, reason 0x10 nobody there, 0x20 untrusted. */
export type Undeliverable = (data: usize, length: u32, destination: u64, offset: u32, reason: u32) => void;
/** An address that was looked for: found, or given up. */
export type Located = (address: u64, found: bool) => void;
/** It is known now what some neighbour is: messages that waited for it may go on. */
export type Settled = () => void;
/** The network should listen to a hardware multicast (6 bytes at `mac`), or no longer. */
export type Listen = (network: u32, mac: u64, on: bool) => void;

function dropDelivery(
  data: usize,
  length: u32,
  destination: u64,
  source: u64,
  messageId: u32,
  offset: u32,
  total: u32,
  flags: u32,
): void {}
function dropReturn(data: usize, length: u32, destination: u64, offset: u32, reason: u32): void {}
function dropLocated(address: u64, found: bool): void {}
function dropSettled(): void {}
function dropListen(network: u32, mac: u64, on: bool): void {}

export let deliver: Deliver = dropDelivery;
export let undeliverable: Undeliverable = dropReturn;
export let located: Located = dropLocated;
export let settled: Settled = dropSettled;
export let listen: Listen = dropListen;

export function upcallsOpen(d: Deliver, u: Undeliverable, l: Located, s: Settled, n: Listen): void {
  deliver = d;
  undeliverable = u;
  located = l;
  settled = s;
  listen = n;
}
