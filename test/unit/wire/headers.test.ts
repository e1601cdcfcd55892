// If one of these fails, a header goes out or comes in with a field in the wrong place.

import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import { encodeFrame } from "../../../control/kernel/encode.js";
import { type Dissection, dissect } from "../../../control/kernel/wire.js";
import { amoeba5, bytes, capturedFrames, kernel } from "./golden.js";

const zeros = (count: number): string => "00".repeat(count);
const ethernet = "ffffffffffff" + "0200a0000001" + "8146";

/** A frame around a message of which only the first bytes matter. */
function frameOf(message: string): Uint8Array {
  const length = message.length / 2;
  const flip = new Uint8Array(40);
  flip.set([1, 3, 0, 0, 3, 0, 3, 0, 1]);
  new DataView(flip.buffer).setUint32(28, length, true);
  new DataView(flip.buffer).setUint32(36, length, true);
  return bytes(`${ethernet}0000${toHex(flip)}${message}`);
}

describe("the FLIP header", () => {
  it.each(amoeba5.flip_header)("type $type, message $messid, in both orders", (vector) => {
    const padding = new Uint8Array(Number(vector.length));
    const little = kernel.checkFlip(Uint8Array.from([...bytes(vector.be), ...padding]));
    expect(little && toHex(little.subarray(0, 40))).toBe(vector.le);
    const big = little && kernel.turnFlip(little);
    expect(big && toHex(big.subarray(0, 40))).toBe(vector.be);
    const { flip } = dissect(kernel, bytes(`${ethernet}0000${vector.le}${toHex(padding)}`));
    const { le, be, fl_orderhdr_roundtrip, type, ...fields } = vector;
    expect(flip).toMatchObject(fields);
  });
});

describe("the RPC header", () => {
  const types: Record<number, string> = {
    1: "LOCATE",
    3: "REQUEST",
    5: "ACK",
    7: "ENQUIRE",
    9: "RECEIVED",
    11: "FAIL",
  };

  it.each(amoeba5.amphdr)("type $type, tid $tid, in both orders", (vector) => {
    const { le, be, type, flags, ...fields } = vector;
    const rest = type === 3 ? zeros(32) : "";
    for (const order of [le, be]) {
      const frame = frameOf(order + rest);
      const layers = dissect(kernel, frame);
      expect(layers.rpc).toMatchObject({ ...fields, type: types[Number(type)] });
      expect((layers.rpc?.flags ?? 0) & ~1).toBe(flags);
      expect(toHex(encodeFrame(kernel, layers))).toBe(toHex(frame).padEnd(120, "0"));
    }
  });
});

describe("the group header", () => {
  // What each type of the vectors must bring along to be whole.
  const payloads: Record<number, number> = { 0: 48, 2: 32, 4: 32, 6: 32, 10: 4, 14: 54 };

  it.each(amoeba5.bchdr)("type $type, seqno $seqno, in both orders", (vector) => {
    const { le, be, type, ...fields } = vector;
    const rest = zeros(payloads[Number(type)] ?? 0);
    const little = kernel.checkGroup(bytes(be + rest));
    expect(little && toHex(little)).toBe(le + rest);
    expect(little && toHex(kernel.turnGroup(little) ?? new Uint8Array())).toBe(be + rest);
    if (type === 0) return; // a LOCATE is only ever broadcast
    expect(dissect(kernel, frameOf(be + rest)).group).toMatchObject(fields);
  });
});

describe("the message header", () => {
  it.each(amoeba5.am_header)("command $command, offset $offset, in both orders", (vector) => {
    const { le, be, ...fields } = vector;
    for (const [flags, order] of [
      ["00", le],
      ["01", be],
    ] as const) {
      const request = `${zeros(14)}03${flags}${zeros(8)}${order}`;
      const layers = dissect(kernel, frameOf(request));
      expect(layers.header).toEqual(fields);
      expect(toHex(encodeFrame(kernel, layers))).toBe(toHex(frameOf(request)));
    }
  });
});

describe("the fragment control", () => {
  it.each(amoeba5.fc_header)("type $type, count $cnt", ({ type, cnt, bytes: control }) => {
    const frame = bytes(`${ethernet}${control}${zeros(44)}`);
    const layers = dissect(kernel, frame);
    expect(layers.fragment?.count).toBe(cnt);
    if (type !== 0) expect(toHex(encodeFrame(kernel, layers))).toBe(toHex(frame));
  });

  it.each([
    ["MCREQ", "03", 16],
    ["MCACK", "04", 8],
    ["HELLO", "50", 16],
  ])("%s shows what it carries, without padding", (type, code, length) => {
    const carried = "a5".repeat(length);
    const frame = bytes(`${ethernet}${code}00${carried}${zeros(44 - length)}`);
    const layers = dissect(kernel, frame) as Dissection;
    expect(layers).toMatchObject({ fragment: { type }, data: carried });
    expect(toHex(encodeFrame(kernel, layers))).toBe(toHex(frame));
  });

  it("CHECKED finds every damaged bit that the wire's CRC would have missed", () => {
    const plain = dissect(kernel, bytes(capturedFrames[2]?.hex ?? ""));
    const layers: Dissection = { ...plain, fragment: { type: "CHECKED", count: 3 } };
    const frame = encodeFrame(kernel, layers);
    expect(dissect(kernel, frame)).toEqual(layers);
    const checkedFrom = 15; // up to the fragment type the damage makes it another kind of frame
    for (let bit = 8 * checkedFrom; bit < 8 * frame.length; bit += 7) {
      const damaged = frame.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(dissect(kernel, damaged).error).toMatch(/^(fragment|flip|rpc): /);
    }
  });
});
