// If one of these fails, an original machine and we read the same wire differently.

import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import { encodeFrame } from "../../../control/kernel/encode.js";
import { type Dissection, dissect } from "../../../control/kernel/wire.js";
import { bytes, capturedFrames, kernel } from "./golden.js";

/** Our layers in the flat shape that the captures have. */
function flat({ ethernet, fragment, flip, rpc, group, header }: Dissection): Record<string, unknown> {
  const { type, ...rest } = flip ?? { type: undefined };
  return {
    eth_dst: ethernet?.dst,
    eth_src: ethernet?.src,
    ethertype: ethernet?.ethertype,
    fc: fragment?.type,
    fc_cnt: fragment?.count,
    flip: type,
    ...rest,
    ...(rpc === undefined ? {} : { rpc }),
    ...(group === undefined ? {} : { grp: group }),
    ...(rpc === undefined || header === undefined ? {} : { header }),
  };
}

const bigEndian = 1;

/** Without the reserved byte of the FLIP header, which the original leaves as it was. */
const defined = (hex: string): string => `${hex.slice(0, 38)}00${hex.slice(40)}`;

/** The same frame as a big-endian machine would send it. */
function asBigEndian({ flip, rpc, group, ...rest }: Dissection): Dissection {
  return {
    ...rest,
    ...(flip && { flip: { ...flip, flags: flip.flags | bigEndian } }),
    ...(rpc && { rpc: { ...rpc, flags: rpc.flags | bigEndian } }),
    ...(group && { group: { ...group, flags: group.flags | bigEndian } }),
  };
}

describe.each(capturedFrames)("frame $index of $capture", ({ hex, decoded }) => {
  const dissection = dissect(kernel, bytes(hex));

  it("decodes to the fields that were recorded with it", () => {
    const { header, ...fields } = decoded;
    const ours = flat(dissection);
    if (header !== undefined) {
      const { port, signature, priv } = ours.header as NonNullable<Dissection["header"]>;
      expect(`${port}${signature}${priv}`).toBe((header as string).slice(0, 44));
    }
    delete ours.header;
    expect(ours).toEqual(fields);
  });

  it("encodes to the same bytes again", () => {
    expect(toHex(encodeFrame(kernel, dissection))).toBe(defined(hex));
  });

  it("means the same in big-endian order", () => {
    const turned = encodeFrame(kernel, asBigEndian(dissection));
    expect(toHex(turned)).not.toBe(hex);
    expect(dissect(kernel, turned)).toEqual(asBigEndian(dissection));
  });
});
