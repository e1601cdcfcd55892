// Two stations of a wire that is no Ethernet, in virtual time: what a serial line and a link over IP
// make of FLIP's frames, by their own framing and cryptography, without a port or a socket.
//
// - `joined` gives the wire and both its ends; `until` gives everybody turns.
// - SLIP is the package serialport's, whose streams want turns of the event loop.

import * as serialport from "serialport";
import { CarriedDevice, type Carrier } from "../../../../drivers/carried/device.js";
import { messageHeaderMax } from "../../../../drivers/carried/message.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { SecureLink } from "../../../../drivers/secure-link/link.js";
import { newKeyPair } from "../../../../drivers/secure-link/noise.js";
import { SerialFraming } from "../../../../drivers/serial/framing.js";
import { lineFacts } from "../../../../drivers/serial/line.js";
import { Room } from "../../kernel/booted.js";

const baud = 10_000_000;
/** An Ethernet's, so that the hops of recorded frames may be compared. */
const weight = 3;
/** What carries a message takes no longer than the network on which the original was recorded. */
const packetUs = 50;
const tickUs = 100_000;

/** One end of a wire: what goes out, and who hears what comes in. */
export interface End {
  readonly station: Uint8Array;
  send(message: Uint8Array): boolean;
  heard: (message: Uint8Array) => void;
}

export interface CarriedWire {
  readonly name: string;
  readonly mtu: number;
  readonly receiveFrames: number;
  readonly ends: readonly [End, End];
}

const stations = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)] as const;

/** A serial line's framing; how long bytes take is in line.test.ts and end to end. */
function serialLine(room: Room): CarriedWire {
  const facts = lineFacts(baud);
  const make = (index: 0 | 1) => {
    const end: End = { station: stations[index], send: () => false, heard: () => {} };
    const framing = new SerialFraming(serialport, {
      messageBytesMax: messageHeaderMax + facts.mtu,
      send: (bytes) => room.clock.schedule(packetUs, () => both[1 - index]?.framing.push(bytes)),
      received: (message) => end.heard(message),
    });
    end.send = (message) => {
      framing.write(message);
      return true;
    };
    return { end, framing };
  };
  const both = [make(0), make(1)] as const;
  return { name: "a serial line", ...facts, ends: [both[0].end, both[1].end] };
}

/** Peers over IP: each message a packet, sealed or as it is. */
function overIp(room: Room, sealed: boolean): CarriedWire {
  const keys = [newKeyPair(), newKeyPair()] as const;
  const random = new SeededRandom(3);
  const make = (index: 0 | 1) => {
    const end: End = { station: stations[index], send: () => false, heard: () => {} };
    const carry = (packet: Buffer): boolean => {
      room.clock.schedule(packetUs, () => both[1 - index]?.arrived(packet));
      return true;
    };
    if (!sealed) {
      end.send = (message) => carry(Buffer.from(message));
      return { end, arrived: (packet: Buffer) => end.heard(packet) };
    }
    const link = new SecureLink({
      ...{ own: keys[index], peer: keys[1 - index]?.publicKey ?? new Uint8Array() },
      ...{ now: () => room.clock.now / 1000, randomIndex: () => random.next() },
      ...{ transmit: carry, received: (message) => end.heard(message) },
    });
    const tick = (): void => {
      link.tick();
      room.clock.schedule(tickUs, tick);
    };
    tick();
    end.send = (message) => link.send(message);
    return { end, arrived: (packet: Buffer) => link.arrived(packet) };
  };
  const both = [make(0), make(1)] as const;
  const name = sealed ? "a secure link over IP" : "IP in the clear";
  return { name, mtu: 1500, receiveFrames: 256, ends: [both[0].end, both[1].end] };
}

export const wires = {
  "a serial line": serialLine,
  "a secure link over IP": (room: Room) => overIp(room, true),
  "IP in the clear": (room: Room) => overIp(room, false),
} as const satisfies Record<string, (room: Room) => CarriedWire>;

export type WireName = keyof typeof wires;

/** The device of one end. */
export function deviceAt({ name, mtu, receiveFrames }: CarriedWire, end: End): CarriedDevice {
  const carrier: Carrier = {
    send: (message) => end.send(message),
    keepAlive: () => {},
    damaged: () => 0,
    close: () => {},
  };
  const device = new CarriedDevice({
    ...{ name, mtu, weight, receiveFrames, carrier },
    ...{ station: end.station, trusted: true, slots: 256 },
  });
  end.heard = (message) => device.accept(message);
  return device;
}

/** A room with such a wire in it. */
export function joined(name: WireName): { readonly room: Room; readonly wire: CarriedWire } {
  const room = new Room();
  return { room, wire: wires[name](room) };
}

/** Turns of everybody until it is so, at most so many virtual milliseconds. */
export async function until(room: Room, done: () => boolean, milliseconds: number): Promise<boolean> {
  for (let i = 0; i < milliseconds * 10 && !done(); i++) {
    room.run(0.1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done();
}
