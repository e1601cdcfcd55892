// A serial line and IP carry FLIP as an Ethernet does. If one of these fails, a machine behind such a
// wire does a thing twice or not at all where frames get lost, or is not understood by an original.
//
// - The grid of faults that Ethernet has, and the original's recorded frames, over each wire's own
//   framing; end to end the same wires are in test/end-to-end/wires.test.ts and raw-ip.test.ts.

import { describe, expect, it } from "vitest";
import { toHex } from "../../../../control/kernel/bytes.js";
import { readHeader, trans, writeHeader } from "../../../../control/kernel/calls.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { Service } from "../../../../control/kernel/service.js";
import { STD_OK } from "../../../../core-wasm/status.js";
import { decodeMessage, encodeMessage, frameOf } from "../../../../drivers/carried/message.js";
import { FaultDevice } from "../../../../drivers/fault/fault.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { getPort } from "../../../simulation/pairs.js";
import { perTier } from "../../../simulation/seeds.js";
import { faultGrid } from "../../rpc/fault-grid.js";
import { messages, Replay, recording, type Wire } from "../../rpc/recordings.js";
import { type CarriedWire, deviceAt, type End, joined, until, type WireName, wires } from "./carried-room.js";

const farewell = 999;
const callsEach = perTier({ quick: 3, long: 12, nightly: 120 });
const bytesMax = 8000;
const names = Object.keys(wires) as WireName[];

/** An echo that counts, and answers as the recorded server did. */
function echoOn(kernel: Kernel): { readonly port: Uint8Array; readonly executions: () => number } {
  let executions = 0;
  const service = new Service(kernel, getPort, (request, reply) => {
    executions++;
    const { port, command, offset, size, extra } = readHeader(kernel, request.header);
    writeHeader(kernel, request.header, { port, offset, size, extra: command === farewell ? 0 : extra + 1 });
    reply(request.length);
  });
  return { port: service.putPort, executions: () => executions };
}

describe.each(names)("a call over %s", (name) => {
  it.each(faultGrid)("is executed once and answered with what it was sent: %j", async (faults) => {
    const { room, wire } = joined(name);
    const seed = 1 + faultGrid.indexOf(faults);
    const [client, server] = [room.kernel(), room.kernel()];
    const bad = { seed, in: faults, out: faults, schedule: room.clock.schedule };
    client.attach(new FaultDevice(deviceAt(wire, wire.ends[0]), bad));
    server.attach(deviceAt(wire, wire.ends[1]));
    const echo = echoOn(server);
    const random = new SeededRandom(seed);
    for (let i = 0; i < callsEach; i++) {
      const sent = Uint8Array.from({ length: random.below(bytesMax) }, () => random.below(256));
      let over = false;
      const call = trans(client, { port: echo.port, command: 1004 }, sent).finally(() => {
        over = true;
      });
      call.catch(() => undefined);
      expect(await until(room, () => over, 60_000)).toBe(true);
      const { header, data } = await call;
      expect(header.status).toBe(STD_OK);
      expect(Buffer.compare(data, sent)).toBe(0);
    }
    expect(echo.executions()).toBe(callsEach);
  });
});

/** The recorded machine at one end of a wire, and the ear of the test at the same. */
function recordedAt({ station, send }: End, { ends }: CarriedWire): Wire<End> {
  const wire: Wire<End> = {
    socket: () => ends[1],
    carry: (_, frame) => {
      const message = encodeMessage(frame, station);
      if (message === null || !send(message)) throw new Error("a recorded frame does not go over this wire");
    },
    tap: null,
  };
  ends[1].heard = (bytes) => {
    const message = decodeMessage(bytes);
    if (message !== null) wire.tap?.(frameOf(message), "ours");
  };
  return wire;
}

describe.each(names)("the recorded client's frames over %s", (name) => {
  it.each(["small", "b1402", "frag"])("are answered as the recorded server did: %s", async (capture) => {
    const frames = recording(capture);
    const { room, wire } = joined(name);
    const server = room.kernel();
    const device = deviceAt(wire, wire.ends[0]);
    server.attach(device);
    const echo = echoOn(server);
    const ours = { name: "ours", running: { address: server.address }, sockets: [{ mac: device.address }] };
    const lan = recordedAt(wire.ends[1], wire);
    const world = { after: room.clock.schedule };
    const requests = messages(frames, "tx", "REQUEST");
    const ports = {
      recorded: requests[0]?.header?.port ?? "",
      ours: toHex(echo.port),
    };
    const replay = new Replay(world, lan, ours, frames, "rx", ports);
    replay.start();
    await until(room, () => replay.done && replay.compared.length > 0, 5000);
    await until(room, () => false, 50);
    expect(replay.done).toBe(true);
    expect(replay.compared).toHaveLength(frames.filter(({ dir }) => dir === "rx").length);
    for (const { ours, recorded } of replay.compared) expect(ours).toEqual(recorded);
    expect(replay.surplus).toEqual([]);
    expect(echo.executions()).toBe(requests.length);
  });
});
