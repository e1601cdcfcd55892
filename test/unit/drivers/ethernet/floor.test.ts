// The floor is what the benchmark holds the protocol against: an echo that answers too
// little, or samples that are no round trips, would make the protocol look good.

import { expect, it } from "vitest";
import { type Floor, floorClient, floorServer } from "../../../../drivers/ethernet/floor.js";
import { MemoryDevice, MemoryLan } from "../../../../drivers/memory/lan.js";
import { TestHost } from "../host.js";

/** A port that lets `peer` run whenever it polls: two ends that both block need that. */
class TakingTurns extends MemoryDevice {
  peer: () => void = () => {};

  override poll(spinMicroseconds: number): number {
    this.flush();
    this.peer();
    return super.poll(spinMicroseconds);
  }
}

function floorOf(host: TestHost): Floor {
  return { device: host.device, memory: host.memory, scratch: 1024, frameBytes: 120, spinMicroseconds: 0 };
}

function ping(kind: number): Uint8Array {
  const data = new Uint8Array(106);
  data.set(new TextEncoder().encode("flor"));
  data[4] = kind;
  data[11] = 77;
  return data;
}

it("echoes each ping to its sender, and ends when it is told", () => {
  const lan = new MemoryLan({ schedule: () => {} });
  const [server, client] = [new TestHost(lan.port("server")), new TestHost(lan.port("client"))];
  for (const kind of [1, 1, 9, 1, 3]) client.send(server.device.address, ping(kind));
  expect(floorServer(floorOf(server), 1000)).toBe(3);
  server.device.flush();
  const answers = client.poll();
  expect(answers).toHaveLength(3);
  expect(answers[0]?.slice(0, 14)).toEqual(
    Uint8Array.of(...client.device.address, ...server.device.address, 0x81, 0x46),
  );
  expect(answers[0]?.slice(18, 26)).toEqual(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 77));
});

it("gives up on a silent client", () => {
  const lan = new MemoryLan({ schedule: () => {} });
  expect(floorServer(floorOf(new TestHost(lan.port("server"))), 1)).toBe(0);
});

it("finds the server, times every round, and ends the server", () => {
  const lan = new MemoryLan({ schedule: () => {} });
  const device = new TakingTurns(lan, "client", Uint8Array.of(2, 0, 0, 0, 0, 9));
  const [client, server] = [new TestHost(device), new TestHost(lan.port("server"))];
  const kinds: number[] = [];
  // The port is not one of the LAN's own: what is for it is handed over here.
  device.peer = () => {
    for (const frame of server.poll()) {
      kinds.push(frame[18] ?? 0);
      frame.copyWithin(0, 6, 12);
      frame.set(server.device.address, 6);
      frame[18] = 2;
      device.accept(frame);
    }
  };
  const samples = floorClient(floorOf(client), 10, 5, 1000);
  expect(samples).toHaveLength(10);
  expect(samples.every((sample) => sample > 0)).toBe(true);
  device.peer();
  expect(kinds).toEqual([...new Array(16).fill(1), 3]);
});
