// What people are told, and what happens, when the system refuses something. The socket is
// a fake: the real one is tested in test/end-to-end/ethernet.test.ts.

import { describe, expect, it } from "vitest";
import { EthernetError, explain, SystemCallError } from "../../../../drivers/ethernet/errors.js";
import { EthernetDevice } from "../../../../drivers/ethernet/ethernet.js";
import {
  CONTROL_BYTES,
  CONTROL_QUEUED,
  type PacketSocket,
} from "../../../../drivers/ethernet/packet-socket.js";
import { TestHost } from "../host.js";

class FakeSocket implements PacketSocket {
  readonly index = 7;
  readonly interfaceAddress = Uint8Array.of(2, 0, 0, 0, 0, 7);
  readonly hardwareType = 1;
  readonly mtu = 1500;
  readonly flags = 1;
  readonly rings: boolean[] = [];
  readonly control = new ArrayBuffer(CONTROL_BYTES);
  memberships = 0;
  flushed = 0;

  constructor(
    private readonly first = true,
    private readonly refuse: readonly boolean[] = [],
  ) {}

  claim(): boolean {
    return this.first;
  }
  filter(): void {}
  membership(): void {
    this.memberships++;
  }
  attach(_memory: ArrayBuffer, _base: number, _length: number, ring: boolean): void {
    this.rings.push(ring);
    if (this.refuse.includes(ring)) throw new SystemCallError("PACKET_RX_RING", 12);
  }
  turn(): void {}
  flush(): void {
    const control = new Int32Array(this.control);
    this.flushed += control[CONTROL_QUEUED] ?? 0;
    control[CONTROL_QUEUED] = 0;
  }
  watch(): void {}
  reference(): void {}
  statistics(): void {}
  close(): void {}
}

function device(socket: FakeSocket, mayFallBack: boolean, said: string[] = []): EthernetDevice {
  return new EthernetDevice("eth0", socket, socket.control, "ring", mayFallBack, undefined, (line) =>
    said.push(line),
  );
}

describe("an Ethernet device", () => {
  it("falls back to recvmmsg with one line when the ring is refused", () => {
    const said: string[] = [];
    const socket = new FakeSocket(true, [true]);
    const host = new TestHost(device(socket, true, said));
    expect(host.device.mode).toBe("recvmmsg");
    expect(socket.rings).toEqual([true, false]);
    expect(said).toEqual(["eth0: the receive ring was refused (PACKET_RX_RING: ENOMEM); using recvmmsg"]);
  });

  it("fails when the ring was asked for by name, or nothing works", () => {
    expect(() => new TestHost(device(new FakeSocket(true, [true]), false))).toThrow(EthernetError);
    expect(() => new TestHost(device(new FakeSocket(true, [true, false]), true))).toThrow(/eth0/);
  });

  it("takes a locally administered address when the interface's own is taken", () => {
    const socket = new FakeSocket(false);
    const second = device(socket, true);
    expect(second.address[0]).toBe(2);
    expect(second.address).not.toEqual(socket.interfaceAddress);
    expect(socket.memberships).toBe(1);
  });

  it("empties a full queue instead of refusing the next frame", () => {
    const socket = new FakeSocket();
    const { device: one } = new TestHost(device(socket, true));
    for (let i = 0; i < 257; i++) expect(one.transmit(1024, 60, 0, 0)).toBe(0);
    expect(socket.flushed).toBe(256);
  });

  it("refuses and counts frames that no wire would take", () => {
    const { device: one } = new TestHost(device(new FakeSocket(), true));
    expect(one.transmit(1024, 13, 0, 100)).toBe(-1);
    expect(one.transmit(1024, 100, 2048, 1415)).toBe(-1);
    expect(one.counters().sendDropped).toBe(2);
    expect(() => one.joinMulticast(Uint8Array.of(2, 0, 0, 0, 0, 1))).toThrow(RangeError);
  });

  it("refuses a region in which its buffers do not fit", () => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    expect(() => device(new FakeSocket(), true).attach({ memory, base: 0, length: 65_536 })).toThrow(
      TypeError,
    );
  });
});

it("explains what the system refused, with a stable code and a hint", () => {
  const codes = [19, 1, 13, 100, 12].map((errno) => {
    const error = explain(new SystemCallError("socket", errno), "eth9");
    return error instanceof EthernetError && error.hint.length > 0 ? error.code : "none";
  });
  expect(codes).toEqual([
    "ETHERNET_NO_INTERFACE",
    "ETHERNET_NO_PERMISSION",
    "ETHERNET_NO_PERMISSION",
    "ETHERNET_INTERFACE_DOWN",
    "ETHERNET_SYSTEM",
  ]);
  expect(explain(new TypeError("a bug"), "eth9")).toBeInstanceOf(TypeError);
});
