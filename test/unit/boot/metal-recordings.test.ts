// If one of these fails, a machine that runs the original Amoeba kernel does not understand a metal
// machine, or the other way round: the recorded client's frames, served by the modules of the metal.
//
// - As test/unit/rpc/replay.test.ts has it for a Linux machine's kernel; the recorded port becomes that
//   of the metal's own echo, which adds one to `extra` also with the client's farewell (command 999).

import { describe, expect, it } from "vitest";
import { fromHex } from "../../../control/kernel/bytes.js";
import type { MemoryDevice } from "../../../drivers/memory/lan.js";
import { messages, Replay, recording, type Wire } from "../rpc/recordings.js";
import { type Made, made } from "./metal-room.js";
import { NetDevice } from "./net-device.js";

const farewell = 999;

interface Compared {
  readonly ours: object;
  readonly recorded: {
    readonly type?: string;
    readonly tid?: number;
    readonly port?: string;
    readonly header?: { readonly extra: number };
  };
}

/** The LAN of a metal machine, with a look at each frame that the machine sends. */
function stage(there: Made) {
  const { room, machine } = there;
  const card = [...machine.devices.values()].find((each) => each instanceof NetDevice);
  if (card === undefined) throw new Error("it has no card");
  const { address } = machine.served() as unknown as { address: string };
  let seen = card.sent.length;
  const wire: Wire<MemoryDevice> = {
    socket: (name, mac) => room.lan.port(name, mac),
    carry: (sender, frame) => room.lan.carry(sender, frame),
    tap: null,
  };
  const run = (milliseconds: number): void => {
    for (let i = 0; i < milliseconds * 10; i++) {
      room.run(0.1);
      machine.turn();
      for (; seen < card.sent.length; seen++) wire.tap?.(card.sent[seen] ?? new Uint8Array(), "metal");
    }
  };
  const ours = {
    name: "metal",
    running: { address: fromHex(address) ?? new Uint8Array(8) },
    sockets: [{ mac: card.address }],
  };
  return { wire, run, ours, world: { after: room.clock.schedule } };
}

describe.each([1, 2] as const)(
  "the recorded client's frames, served by a metal machine on virtio %i",
  (version) => {
    it.each(["small", "b1402", "frag"])("are answered as the recorded server did: %s", (name) => {
      const frames = recording(name);
      const there = made({ version });
      const { wire, run, ours, world } = stage(there);
      run(10);
      const requests = messages(frames, "tx", "REQUEST");
      const recorded = requests[0]?.header?.port ?? "";
      const last = requests.find(({ header }) => header?.command === farewell)?.tid;
      const ports = { recorded, ours: there.machine.served().servers.echo };
      const replay = new Replay(world, wire, ours, frames, "rx", ports);
      replay.start();
      run(3000);
      expect(replay.done).toBe(true);
      expect(replay.compared).toHaveLength(frames.filter(({ dir }) => dir === "rx").length);
      for (const { ours, recorded } of replay.compared as readonly Compared[]) {
        const port = recorded.port === ports.recorded ? ports.ours : recorded.port;
        const extra = recorded.tid === last && recorded.type === "REPLY" ? 1 : recorded.header?.extra;
        const header = recorded.header === undefined ? undefined : { ...recorded.header, extra };
        expect(ours).toEqual({ ...recorded, port, header });
      }
      expect(replay.surplus).toEqual([]);
    });
  },
);
