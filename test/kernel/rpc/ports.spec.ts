// The port table: a port lost is a server nobody finds; one matched wrongly is a request
// in the wrong hands.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { resetNow, setNow } from "../../../core-wasm/memory/clock";
import { countersOpen } from "../../../core-wasm/memory/counters";
import { timersOpen } from "../../../core-wasm/memory/timers";
import {
  placeDrop,
  placeFind,
  placeSet,
  portFind,
  portLeave,
  portTake,
  portWait,
  portWaits,
  portsOpen,
  portsServed,
} from "../../../core-wasm/rpc/ports";
import { Thread, threadTake, threadsOpen } from "../../../core-wasm/rpc/threads";

const ARENA: usize = 24 << 20;
const PORTS: u32 = 12000;
const bytes = heap.alloc(ARENA);

function open(ports: u32, places: u32, threads: u32): void {
  arenaOpen(bytes, bytes + ARENA);
  countersOpen();
  timersOpen(threads);
  threadsOpen(threads, 0);
  portsOpen(ports, places);
  arenaSeal();
  resetNow();
  setNow(1000000);
}

// @ts-ignore: decorator
@inline
function isNull(thread: Thread): bool {
  return changetype<usize>(thread) == 0;
}

/** Ports that differ in few bits, as get-ports made up by people do. */
function port(i: u32): u64 {
  return (((i as u64) << 24) | 1) & 0xffffffffffff;
}

describe("ports served here", () => {
  it("are found among 12,000, each with its own thread", () => {
    open(PORTS, 4, PORTS);
    let wrong = 0;
    for (let i: u32 = 0; i < PORTS; i++) if (!portWait(port(i), i, threadTake())) wrong++;
    expect(portsServed()).toBe(PORTS);
    for (let i: u32 = 0; i < PORTS; i++) {
      const record = portFind(port(i));
      if (changetype<usize>(record) == 0 || record.getPort != i || !portWaits(port(i))) wrong++;
    }
    expect(portWaits(port(PORTS))).toBe(false);
    for (let i: u32 = 0; i < PORTS; i++) {
      const thread = portTake(port(i));
      if (isNull(thread) || thread.index != i) wrong++;
      portLeave(port(i));
    }
    expect(wrong).toBe(0);
    expect(portsServed()).toBe(0);
  });

  it("hand requests to their threads first come, first served", () => {
    open(8, 4, 16);
    for (let i: u32 = 0; i < 10; i++) portWait(5, 1, threadTake());
    for (let i: u32 = 0; i < 10; i++) expect(portTake(5).index).toBe(i);
    expect(isNull(portTake(5))).toBe(true);
    expect(portWaits(5)).toBe(false);
    expect(portsServed()).toBe(1); // its threads still serve
    for (let i = 0; i < 10; i++) portLeave(5);
    expect(portsServed()).toBe(0);
  });

  it("are refused when the table is full, and taken again when one has gone", () => {
    open(4, 4, 16);
    for (let i: u64 = 1; i <= 4; i++) expect(portWait(i, i, threadTake())).toBe(true);
    const thread = threadTake();
    expect(portWait(5, 5, thread)).toBe(false);
    expect(portWait(4, 4, thread)).toBe(true); // no new port
    portTake(1);
    portLeave(1);
    expect(portWait(5, 5, threadTake())).toBe(true);
  });
});

describe("ports elsewhere", () => {
  it("are forgotten oldest first when the cache is full", () => {
    open(4, 4, 4);
    for (let i: u32 = 1; i <= 6; i++) {
      setNow(1000000 + (i as f64) * 10000);
      placeSet(i, i * 100, i, 0, 10);
    }
    expect(changetype<usize>(placeFind(1))).toBe(0);
    expect(changetype<usize>(placeFind(2))).toBe(0);
    for (let i: u32 = 3; i <= 6; i++) expect(placeFind(i).address).toBe(i * 100);
    placeDrop(5);
    expect(changetype<usize>(placeFind(5))).toBe(0);
  });

  it("keep the last place only, so that callers follow a server that moved", () => {
    open(4, 4, 4);
    placeSet(9, 100, 1, 3, 10);
    placeSet(9, 200, 2, 0, 10);
    expect(placeFind(9).address).toBe(200);
    expect(placeFind(9).features).toBe(0);
  });
});
