// If this fails, a machine that runs the original Amoeba kernel and ours are no longer in one
// group: the recorded conversation of two originals, with our kernel in the place of either.
//
// - The other one's frames are the recorded bytes; only MAC addresses, and FLIP addresses
//   that are new at every boot, are put in their places.
// - `expect` says how far a user is and so depends on its speed: it may lag, not run ahead.
// - Ours needs no wait for the group's address to be located: it sends its first messages
//   to each member by itself, as the original repeats them.

import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../control/kernel/bytes.js";
import type { Dissection } from "../../../control/kernel/wire.js";
import { layersOf } from "../../simulation/pairs.js";
import { MILLISECOND, SECOND, World } from "../../simulation/world.js";
import { rawFrames } from "../rpc/recordings.js";
import { groupLimits, User } from "./party.js";

const joiner = "97f0c27e0d121f00";
const joinerRpc = "38be05a2167cdc00";
const sequencer = "31c2d89ccd112200";
const sequencerRpc = "7312d4118c1cd000";
const groupPrivate = "be1e15fa92152200";
const allPrivate = "f28a9b436bd33a00";
const port = Uint8Array.of(0x11, 0x12, 0x13, 0x14, 0x15, 0x16);

const modes = [
  ["with our extensions on", {}],
  ["with extensions off", { extensions: 0 }],
] as const;

/** The group layer, as far as the protocol fixes it. */
function fixed({ flip, group, header, data }: Dissection) {
  const locate = group?.type === "LOCATE";
  return {
    total: flip?.total,
    type: group?.type,
    cpu: group?.cpu,
    incarnation: group?.incarnation,
    seqno: locate ? undefined : group?.seqno, // there ours puts its question
    messid: locate ? undefined : group?.messid,
    header,
    data,
  };
}

/** Exchanges whole hex strings. */
function exchanged(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

describe.each(modes)("the recorded group of two originals, our kernel %s", (_, extra) => {
  it("takes our kernel as the joiner", () => {
    const frames = rawFrames("grpr0-joiner");
    const world = new World(1);
    const lan = world.lan({ latencyMicroseconds: 20 });
    const user = new User(world.machine("joiner", lan, { limits: { ...groupLimits, ...extra } }));
    const peerMac = fromHex("0200a03ddacf") as Uint8Array;
    const peer = lan.socket("recorded", peerMac, () => {});
    const ownMac = toHex(user.machine.sockets[0]?.mac ?? new Uint8Array());
    let own = joiner;
    const ownRpc = toHex(user.machine.running.address);
    const sent: Dissection[] = [];
    let next = 0;
    const play = (): void => {
      for (; next < frames.length && frames[next]?.dir === "rx"; next++) {
        const pairs = [
          ["0200a08ef6e4", ownMac],
          [joiner, own],
          [joinerRpc, ownRpc],
        ] as const;
        const hex = exchanged(frames[next]?.hex ?? "", pairs);
        world.after(10, () => lan.carry(peer, fromHex(hex) ?? new Uint8Array()));
      }
    };
    lan.tap = (frame, by) => {
      if (by !== "joiner") return;
      const layers = layersOf(frame);
      if (layers.group?.type === "LOCATE") own = layers.flip?.src ?? own;
      if (layers.group === undefined && layers.flip?.type !== "HEREIS") return; // HELLO and its like
      if (["ALIVEREQ", "STATE"].includes(layers.group?.type ?? "")) return;
      sent.push(layers);
      next++;
      play();
    };
    // The recorded program: join, three sends of 200 bytes one after the other, leave.
    const recorded = frames
      .filter(({ dir }) => dir === "tx")
      .map(({ hex }) => layersOf(fromHex(hex) as Uint8Array));
    const withHeader = (index: number): number => {
      const { header } = recorded[index] as Dissection;
      const at = user.header();
      const { bytes, view } = user.machine.running;
      bytes.set(port, at);
      view.setUint16(at + 22, header?.command ?? 0, true);
      view.setInt32(at + 24, header?.offset ?? 0, true);
      view.setUint16(at + 30, header?.extra ?? 0, true);
      return at;
    };
    const ends: number[] = [];
    const end = (status: number): void => {
      ends.push(status);
    };
    user.groups.join(withHeader(0), (status, gid) => {
      user.gid = gid;
      user.receive();
      end(status);
    });
    world.run(() => ends.length === 1, 3 * SECOND);
    for (const index of [3, 4, 5]) {
      const data = fromHex(recorded[index]?.data ?? "") as Uint8Array;
      const at = user.machine.running.buffers.take(256);
      user.machine.running.bytes.set(data, at);
      const before = ends.length;
      user.groups.send(user.gid, withHeader(index), at, data.length, end);
      world.run(() => ends.length > before, 2 * SECOND);
    }
    user.groups.leave(user.gid, withHeader(6), end);
    world.run(() => ends.length === 5, 2 * SECOND);

    expect(ends).toEqual([0, 0, 0, 0, 0]);
    expect(next).toBe(frames.length);
    const ours = [
      [own, joiner],
      [ownRpc, joinerRpc],
    ] as const;
    expect(exchanged(JSON.stringify(sent.map(fixed)), ours)).toEqual(JSON.stringify(recorded.map(fixed)));
    for (const [index, { group }] of recorded.entries())
      if (group !== undefined && group.type !== "LOCATE")
        expect(sent[index]?.group?.expect).toBeGreaterThanOrEqual(group.expect);
    expect(user.got.map(({ delivery }) => `${delivery.seqno} ${delivery.kind}`)).toEqual([
      "1 join",
      "2 data",
      "3 data",
      "4 data",
      "5 leave",
    ]);
  });

  it("takes our kernel as the sequencer", () => {
    const frames = rawFrames("grpr0-joiner");
    const world = new World(1);
    const lan = world.lan({ latencyMicroseconds: 20 });
    const user = new User(world.machine("sequencer", lan, { limits: { ...groupLimits, ...extra } }));
    const peer = lan.socket("recorded", fromHex("0200a08ef6e4") as Uint8Array, () => {});
    const ownMac = toHex(user.machine.sockets[0]?.mac ?? new Uint8Array());
    user.gid = user.groups.create(port, { resilience: 0, membersMax: 8, logHistory: 6, logMessage: 13 });
    const sent: Dissection[] = [];
    let names: (readonly [string, string])[] = [];
    lan.tap = (frame, by) => {
      if (by !== "sequencer") return;
      const layers = layersOf(frame);
      if (layers.group === undefined || ["ALIVEREQ", "SYNC"].includes(layers.group.type)) return;
      if (layers.group.type === "HEREIS" && names.length === 0) {
        const payload = layers.group.rest;
        const pair = [payload.slice(32, 48), payload.slice(48, 64)];
        names = [
          [sequencer, layers.flip?.src ?? ""],
          [groupPrivate, pair[0] ?? ""],
          [allPrivate, pair[1] ?? ""],
          [sequencerRpc, toHex(user.machine.running.address)],
        ];
      }
      sent.push(layers);
    };
    for (const { hex } of frames.filter(({ dir }) => dir === "tx")) {
      const layers = layersOf(fromHex(hex) as Uint8Array);
      if (layers.flip?.type === "HEREIS") continue; // ours did not ask yet
      const text = exchanged(hex, [["0200a03ddacf", ownMac], ...names]);
      lan.carry(peer, fromHex(text) as Uint8Array);
      world.run(undefined, 40 * MILLISECOND);
    }
    const recorded = frames
      .filter(({ dir }) => dir === "rx")
      .map(({ hex }) => layersOf(fromHex(exchanged(hex, names)) as Uint8Array))
      .filter(({ group }) => group !== undefined);
    // HEREIS answers our question in seqno and messid only to one of ours: this is an original.
    expect(sent.map(fixed)).toEqual(recorded.map(fixed));
    expect(sent.map(({ group }) => group?.rest)).toEqual(recorded.map(({ group }) => group?.rest));
    expect(user.info?.total).toBe(1);
  });
});
