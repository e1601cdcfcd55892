// A volume that a machine wrote is read by the simulator and the other way round: both hashes agree.

import { expect, it } from "vitest";
import { nodeContentHash } from "../../../control/node/bullet-hash.js";
import { pureContentHash } from "../../../control/server/bullet/volume/hash.js";

it("SHA-256 is the same by the machine and by WebAssembly, also of several pieces", async () => {
  const digest = async (newHash: typeof nodeContentHash, pieces: readonly Uint8Array[]) => {
    const hash = await newHash();
    for (const piece of pieces) hash.update(piece);
    return Buffer.from(hash.digest()).toString("hex");
  };
  const abc = [Buffer.from("a"), Buffer.from("bc")];
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4
  expect(await digest(pureContentHash, abc)).toBe(expected);
  expect(await digest(nodeContentHash, abc)).toBe(expected);
  expect(await digest(nodeContentHash, [])).toBe(await digest(pureContentHash, []));
});
