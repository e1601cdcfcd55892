// Frames of other protocols than FLIP on a network interface, for who boots machines over it: sees
// what bootFilter passes, sends any frame.
//
// - Claims no address: a kernel on the same interface neither notices nor loses anything.
// - `heard` gets a frame's bytes for the time of the call; frames that the interface itself sent are
//   left out by their source address.
// - Source: packet(7); the ring and its slots are those of tap.ts.

import { explain } from "./errors.js";
import { openSocket } from "./ethernet.js";
import { bootFilter } from "./filter.js";
import { bufferBytes, geometry } from "./geometry.js";
import {
  ARRIVED_MAX,
  CONTROL_ARRIVALS,
  CONTROL_ARRIVED,
  CONTROL_BYTES,
  CONTROL_QUEUE,
  CONTROL_QUEUED,
  PACKET_MR_MULTICAST,
} from "./packet-socket.js";

const ringFrames = 256;
const pageBytes = 65_536;
const frameBytesMax = 1514;
const turnsMax = 64;
/** Where questions for IPv6 routers go: ff02::2. */
const allRouters = Uint8Array.of(0x33, 0x33, 0, 0, 0, 2);

export interface RawInterface {
  /** Of the interface: 6 bytes. */
  readonly address: Uint8Array;
  /** Sends one frame, Ethernet header first. */
  readonly send: (frame: Uint8Array) => void;
  readonly close: () => void;
}

/** Opens the interface. Throws EthernetError as openEthernet does. */
export function openRaw(name: string, heard: (frame: Uint8Array) => void): RawInterface {
  const control = new ArrayBuffer(CONTROL_BYTES);
  const fields = new Int32Array(control);
  const { socket, mode } = openSocket(name, control, {});
  try {
    const { slotBytes, slots, blockBytes, regionBytes } = geometry(socket.mtu, ringFrames);
    const memory = new WebAssembly.Memory({ initial: regionBytes / pageBytes + 1 });
    socket.filter(bootFilter());
    socket.membership(PACKET_MR_MULTICAST, allRouters, true);
    const buffer = bufferBytes(socket.mtu, slots);
    socket.attach(memory.buffer, 0, regionBytes, mode === "ring", slotBytes, slots, blockBytes, buffer);
    const own = Buffer.from(socket.interfaceAddress);
    const turn = (): number => {
      socket.turn();
      const listed = Math.min(fields[CONTROL_ARRIVED] ?? 0, ARRIVED_MAX);
      for (let index = 0; index < listed; index++) {
        const at = fields[CONTROL_ARRIVALS + 2 * index] ?? 0;
        const frame = new Uint8Array(memory.buffer, at, fields[CONTROL_ARRIVALS + 2 * index + 1] ?? 0);
        if (!own.equals(frame.subarray(6, 12))) heard(frame);
      }
      return listed;
    };
    // Frames that were not given back count as readable: on until there is none.
    const look = (): void => {
      for (let turns = 0; turns < turnsMax && turn() > 0; turns++);
    };
    socket.watch(look);
    const send = (frame: Uint8Array): void => {
      if (frame.length > frameBytesMax) throw new RangeError("longer than a frame");
      new Uint8Array(memory.buffer, regionBytes).set(frame);
      fields.set([regionBytes, frame.length, 0, 0], CONTROL_QUEUE);
      fields[CONTROL_QUEUED] = 1;
      socket.flush();
    };
    return { address: socket.interfaceAddress, send, close: () => socket.close() };
  } catch (error) {
    socket.close();
    throw explain(error, name);
  }
}
