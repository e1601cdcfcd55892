// The Wireshark dissector under tshark itself. If one of these fails, somebody reads in
// Wireshark what was never on the wire.
//
// - Recorded frames of the original: the fields that were recorded with them.
// - A cluster in virtual time, and the same frames bent: what the project's own dissector says,
//   which the kernel's checks stand behind.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeFrame } from "../../control/kernel/encode.js";
import { flipTypes, fragmentTypes, groupTypes, type Names, rpcTypes } from "../../control/kernel/layers.js";
import { type Dissection, dissect } from "../../control/kernel/wire.js";
import { perTier } from "../simulation/seeds.js";
import { proteus } from "../unit/cli/command.js";
import { bytes, capturedFrames, kernel } from "../unit/wire/golden.js";
import { dissectFrames, hasTshark, type Seen } from "./tshark.js";

const tshark = hasTshark();
const plain = "proteus.reassemble:FALSE";
const folder = mkdtempSync(join(tmpdir(), "dissector-"));
afterAll(() => rmSync(folder, { recursive: true }));

const layerFields = {
  flip: [
    "act_hop",
    "max_hop",
    "dst",
    "src",
    "messid",
    "length",
    "offset",
    "total",
    "proto",
    "count",
    "trusted",
  ],
  rpc: ["kid", "port", "tid", "dest", "from"],
  header: ["port", "signature", "priv", "offset", "size", "extra"],
  group: ["cpu", "incarnation", "seqno", "messid", "expect"],
} as const;
const typed = { flip: flipTypes, rpc: rpcTypes, group: groupTypes } as const;

const fields = [
  ...[
    "proteus.fc.type",
    "proteus.fc.count",
    "proteus.header.command",
    "proteus.header.status",
    "proteus.data",
  ],
  ...["flip", "rpc", "group"].flatMap((layer) => [`proteus.${layer}.type`, `proteus.${layer}.flags`]),
  ...Object.entries(layerFields).flatMap(([layer, names]) => names.map((name) => `proteus.${layer}.${name}`)),
  ...["proteus.malformed", "proteus.check.good"],
];

const numberOf = (names: Names, name: string): string => String(names.valueOf(name) ?? name);

/** What tshark must say of a frame whose layers are right. */
function expected(layers: Dissection): Record<string, string> {
  const said = new Map<string, string | number>();
  said.set("proteus.fc.type", numberOf(fragmentTypes, layers.fragment?.type ?? ""));
  said.set("proteus.fc.count", layers.fragment?.count ?? "");
  for (const layer of ["flip", "rpc", "header", "group"] as const) {
    const found = layers[layer] as Readonly<Record<string, string | number>> | undefined;
    for (const name of layerFields[layer]) said.set(`proteus.${layer}.${name}`, found?.[name] ?? "");
    if (layer === "header") continue;
    said.set(`proteus.${layer}.type`, found === undefined ? "" : numberOf(typed[layer], String(found.type)));
    const flags = found === undefined ? "" : `0x${Number(found.flags).toString(16).padStart(2, "0")}`;
    said.set(`proteus.${layer}.flags`, flags);
  }
  const { header, rpc, flip } = layers;
  const isStatus = header !== undefined && (header.status < 0 || rpc?.type === "REPLY");
  said.set("proteus.header.status", isStatus ? header.status : "");
  said.set("proteus.header.command", header !== undefined && !isStatus ? header.command : "");
  const message = rpc === undefined ? (flip?.offset ?? 0) > 0 : ["REQUEST", "REPLY"].includes(rpc.type);
  if (message) said.set("proteus.data", layers.data ?? "");
  said.set("proteus.malformed", "");
  return Object.fromEntries([...said].map(([name, value]) => [name, String(value)]));
}

/** Only what `expected` speaks of. */
const spokenOf = (seen: Seen, of: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.keys(of).map((name) => [name, seen[name] ?? "?"]));

function compare(frames: readonly Uint8Array[], seen: readonly Seen[]): void {
  expect(seen).toHaveLength(frames.length);
  for (const [index, frame] of frames.entries()) {
    const layers = dissect(kernel, frame);
    const want = expected(layers);
    expect({ index, error: layers.error }).toEqual({ index, error: undefined });
    expect({ index, ...spokenOf(seen[index] ?? {}, want) }).toEqual({ index, ...want });
  }
}

const recorded = capturedFrames.map(({ hex }) => bytes(hex));
const bigEndian = 1;

/** The same frame as a big-endian machine would send it. */
function turned(frame: Uint8Array): Uint8Array {
  const { flip, rpc, group, ...rest } = dissect(kernel, frame);
  return encodeFrame(kernel, {
    ...rest,
    ...(flip && { flip: { ...flip, flags: flip.flags | bigEndian } }),
    ...(rpc && { rpc: { ...rpc, flags: rpc.flags | bigEndian } }),
    ...(group && { group: { ...group, flags: group.flags | bigEndian } }),
  });
}

/** The messages in several fragments of which every fragment is there: size and fragments in hex. */
function wholeMessages(frames: readonly Uint8Array[]): { total: number; parts: Map<number, string> }[] {
  const messages = new Map<string, { total: number; parts: Map<number, string> }>();
  for (const frame of frames) {
    const { flip, fragment } = dissect(kernel, frame);
    if (flip === undefined || flip.length === flip.total) continue;
    const key = `${flip.src} ${flip.dst} ${flip.messid} ${flip.total}`;
    const message = messages.get(key) ?? { total: flip.total, parts: new Map<number, string>() };
    messages.set(key, message);
    const at = 14 + 2 + 40 + (fragment?.type === "CHECKED" ? 4 : 0);
    message.parts.set(flip.offset, Buffer.from(frame).toString("hex", at, at + flip.length));
  }
  return [...messages.values()].filter(
    ({ total, parts }) => [...parts.values()].reduce((sum, part) => sum + part.length / 2, 0) === total,
  );
}

/** Every whole message must be shown in the frame that completes it, byte for byte. */
function comparePutTogether(frames: readonly Uint8Array[], leastMessages: number): void {
  const messages = wholeMessages(frames);
  expect(messages.length).toBeGreaterThanOrEqual(leastMessages);
  const names = ["reassembled.length", "reassembled.in", "fragment"].map((name) => `proteus.flip.${name}`);
  const seen = dissectFrames(frames, [...names, "proteus.data", "proteus.malformed"]);
  expect(seen.filter((frame) => frame["proteus.malformed"] !== "")).toEqual([]);
  expect(seen.some((frame) => frame["proteus.flip.reassembled.in"] !== "")).toBe(true);
  const completing = seen.filter((frame) => frame["proteus.flip.reassembled.length"] !== "");
  for (const { total, parts } of messages) {
    const content = [...parts].sort(([one], [other]) => one - other).map(([, hex]) => hex);
    const found = completing.filter(
      (frame) =>
        frame["proteus.flip.reassembled.length"] === String(total) &&
        frame["proteus.data"] !== "" &&
        content.join("").endsWith(frame["proteus.data"] ?? "?"),
    );
    expect(found.length, `a message of ${total} bytes`).toBeGreaterThanOrEqual(1);
    expect(found[0]?.["proteus.flip.fragment"]?.split(";")).toHaveLength(parts.size);
  }
}

describe.skipIf(!tshark)("frames of the original", () => {
  it("have in tshark the values that were recorded with them", () => {
    const seen = dissectFrames(recorded, fields, plain);
    compare(recorded, seen);
    for (const [index, { decoded }] of capturedFrames.entries()) {
      const of = seen[index] ?? {};
      for (const name of layerFields.flip)
        expect(of[`proteus.flip.${name}`]).toBe(String(decoded[name] ?? ""));
      const groups = decoded.grp as Record<string, unknown> | undefined;
      const calls = decoded.rpc as Record<string, unknown> | undefined;
      for (const name of layerFields.rpc) expect(of[`proteus.rpc.${name}`]).toBe(String(calls?.[name] ?? ""));
      for (const name of layerFields.group)
        expect(of[`proteus.group.${name}`]).toBe(String(groups?.[name] ?? ""));
      if (typeof decoded.header === "string") {
        const { "proteus.header.port": port, "proteus.header.signature": signature } = of;
        expect(`${port}${signature}${of["proteus.header.priv"]}`).toBe(decoded.header.slice(0, 44));
      }
    }
  });

  it("mean the same in big-endian order", () => {
    const frames = recorded.map(turned);
    compare(frames, dissectFrames(frames, fields, plain));
  });

  it("are put together to the messages that were sent", () => {
    comparePutTogether(recorded, 2);
  });
});

const framesMax = perTier({ quick: 500, long: 3000, nightly: 20_000 });

/** Frames of our own kernels: calls, groups, routers and every extension. */
async function simulated(workload: string): Promise<Uint8Array[]> {
  const path = join(folder, `${workload}.pcap`);
  const words = ["--seed", "5", "--hours", "0.002", "--jobs", "1", "--workload", workload, "--pcap", path];
  const { exit, stderr } = await proteus("simulate", ...words);
  expect({ exit, stderr }).toMatchObject({ exit: 0 });
  const file = readFileSync(path);
  const frames: Uint8Array[] = [];
  for (let at = 24; at < file.length && frames.length < framesMax; ) {
    const length = file.readUInt32LE(at + 8);
    frames.push(file.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

/** A generator that gives the same numbers again: an error must come back. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const typeAt = 12;

/** Bent in one byte, or cut off; what makes a frame FLIP stays. */
function bent(frame: Uint8Array, next: (below: number) => number): Uint8Array {
  const copy = Uint8Array.from(frame);
  if (next(4) === 0) return copy.subarray(0, 16 + next(copy.length - 16));
  const headers = 16 + 4 + 40 + 60;
  const at = next(Math.min(copy.length, headers));
  if (at < typeAt || at >= typeAt + 2) copy[at] = next(256);
  return copy;
}

describe.skipIf(!tshark).each(["calls", "groups"])("frames of a cluster with %s", (workload) => {
  let frames: Uint8Array[] = [];
  beforeAll(async () => {
    frames = await simulated(workload);
  });

  it("are seen as they are, every check good; bent ones are refused where the kernel refuses", () => {
    expect(frames.length).toBeGreaterThan(100);
    const seen = dissectFrames(frames, [...fields, "proteus.hello.good"], plain);
    compare(frames, seen);
    const checks = seen.map((frame) => frame["proteus.check.good"]).filter((value) => value !== "");
    expect(checks.length).toBeGreaterThan(20);
    expect(new Set(checks)).toEqual(new Set(["1"]));
    const hellos = seen.map((frame) => frame["proteus.hello.good"]).filter((value) => value !== "");
    expect(new Set(hellos)).toEqual(new Set(["1"]));

    const next = numbers(7);
    const wrong = frames.map((frame) => bent(frame, next));
    const seenWrong = dissectFrames(wrong, fields, plain);
    let refused = 0;
    for (const [index, frame] of wrong.entries()) {
      const layers = dissect(kernel, frame);
      const { "proteus.malformed": malformed, "proteus.check.good": good } = seenWrong[index] ?? {};
      const isRefused = malformed !== "" || good === "0";
      const what = `frame ${index}: ${Buffer.from(frame).toString("hex").slice(0, 300)} ${layers.error}`;
      expect(isRefused, what).toBe(layers.error !== undefined);
      if (isRefused) refused++;
      else expect(spokenOf(seenWrong[index] ?? {}, expected(layers)), what).toEqual(expected(layers));
    }
    expect(refused).toBeGreaterThan(frames.length / 10);
  });

  it("are put together, in whatever order they come", () => {
    const next = numbers(11);
    const mixed = frames.map((frame, index) => ({ frame, place: index + next(4) }));
    mixed.sort((one, other) => one.place - other.place);
    comparePutTogether(
      mixed.map(({ frame }) => frame),
      workload === "calls" ? 3 : 0,
    );
  });
});
