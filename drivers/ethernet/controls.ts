// The benchmark's controls: what a round trip costs without our protocol.
//
// - floor: a bare frame echo through this driver. spin-tcp: a TCP ping-pong in the same
//   addon. Both ends spin with the same code, one crossing a turn, both timed the same way.
// - Each is a server and a client, run in two processes; the caller pins them and puts them
//   into their network namespaces (`nsenter`, `ip netns exec`, `taskset`).
// - All of them block the thread until they are done. Results are µs a round trip.
// - controls-main.ts runs them from a command line.

import { performance } from "node:perf_hooks";
import { loadAddon, type NativeTcp } from "./addon.js";
import { EthernetError } from "./errors.js";
import { type EthernetMode, openEthernet } from "./ethernet.js";
import { type Floor, type FloorStream, floorClient, floorServer, floorStream } from "./floor.js";

const WASM_PAGE = 65_536;
const TURN_SPIN_US = 1000;

export interface FloorControl {
  readonly interfaceName: string;
  readonly mode?: EthernetMode | "auto";
  /** A whole frame, Ethernet header included. Default 120, about a null RPC. */
  readonly frameBytes?: number;
}

export interface TcpControl {
  /** IPv4 address that the server listens on. */
  readonly address: string;
  readonly port: number;
  /** Bytes each way, at most 65536. Default 64. */
  readonly bytes?: number;
}

export interface Rounds {
  readonly rounds: number;
  /** Round trips before the measured ones. Default 1000. */
  readonly warmup?: number;
  /** Called between the two. */
  readonly measuring?: () => void;
}

/** Opens the interface, hands it to `use`, and closes it. */
function withFloor<Result>(control: FloorControl, use: (floor: Floor) => Result): Result {
  const device = openEthernet(control.interfaceName, { mode: control.mode ?? "auto" });
  try {
    const pages = device.regionBytes / WASM_PAGE + 2;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    device.attach({ memory, base: 2 * WASM_PAGE, length: device.regionBytes });
    const frameBytes = control.frameBytes ?? 120;
    return use({ device, memory, scratch: 1024, frameBytes, spinMicroseconds: TURN_SPIN_US });
  } finally {
    device.close();
  }
}

/** Echoes frames until its client is done, or until `idleMs` (10 s) of silence; returns how many. */
export function runFloorServer(control: FloorControl, idleMs = 10_000): number {
  return withFloor(control, (floor) => floorServer(floor, idleMs));
}

/** µs of each round trip. Waits up to 10 s for the server. */
export function runFloorClient(
  control: FloorControl,
  { rounds, warmup = 1000, measuring }: Rounds,
): Float64Array {
  return withFloor(control, (floor) => floorClient(floor, rounds, warmup, 10_000, measuring));
}

/** Round trips with several frames under way: see floorStream. Waits up to 10 s for the server. */
export function runFloorStream(
  control: FloorControl,
  how: Omit<FloorStream, "findMs">,
): { readonly trips: number; readonly elapsedMs: number } {
  return withFloor(control, (floor) => floorStream(floor, { ...how, findMs: 10_000 }));
}

interface TcpTurns {
  readonly tcp: NativeTcp;
  /** u32 {spinUs, sendBytes, receiveBytes, received}: native/tcp.c. */
  readonly control: Uint32Array;
}

function openTcp(server: boolean, { address, port, bytes = 64 }: TcpControl, waitMs: number): TcpTurns {
  const addon = loadAddon();
  if (typeof addon === "string") {
    throw new EthernetError(
      "ETHERNET_UNAVAILABLE",
      `spin-tcp: ${addon}`,
      "install a C compiler and run `npm rebuild`",
    );
  }
  const control = new Uint32Array(new ArrayBuffer(16));
  control[0] = TURN_SPIN_US;
  control[2] = bytes;
  return { tcp: addon.tcp(server, address, port, waitMs, control.buffer), control };
}

/** One turn: sends when `send`, and waits for a whole message, at most `waitMs`. */
function turn({ tcp, control }: TcpTurns, send: boolean, waitMs: number): void {
  const wanted = control[2] ?? 0;
  control[1] = send ? wanted : 0;
  control[3] = 0;
  tcp.turn();
  if (control[3] === wanted) return;
  const deadline = performance.now() + waitMs;
  while (control[3] !== wanted) {
    if (performance.now() > deadline) throw new Error("spin-tcp: the peer is silent");
    control[1] = 0;
    tcp.turn();
  }
}

/** Echoes messages of one connection until the client closes it; returns how many. */
export function runSpinTcpServer(control: TcpControl, waitMs = 10_000): number {
  const turns = openTcp(true, control, waitMs);
  let echoed = 0;
  try {
    for (turn(turns, false, waitMs); ; turn(turns, true, waitMs)) echoed++;
  } catch (error) {
    if (echoed === 0) throw error; // closed before the first message: no benchmark
  } finally {
    turns.tcp.close();
  }
  return echoed;
}

/** µs of each round trip. Waits up to 10 s for the server. */
export function runSpinTcpClient(
  control: TcpControl,
  { rounds, warmup = 1000, measuring }: Rounds,
): Float64Array {
  const turns = openTcp(false, control, 10_000);
  const samples = new Float64Array(rounds);
  try {
    let before = performance.now();
    for (let round = -warmup; round < rounds; round++) {
      if (round === 0) {
        measuring?.();
        before = performance.now();
      }
      turn(turns, true, 10_000);
      const after = performance.now();
      if (round >= 0) samples[round] = (after - before) * 1000;
      before = after;
    }
  } finally {
    turns.tcp.close();
  }
  return samples;
}
