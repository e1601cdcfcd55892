// Private parts inside the kernel: a server that trusts decode() must not be fooled.

import * as capability from "../../../core-wasm/wire/capability";
import { STD_ARGBAD, STD_DENIED } from "../../../core-wasm/status";

const owner = memory.data(16, 8);
const other = memory.data(16, 8);
const random: u64 = 0x3266c6f22511; // 1125f2c66632

describe("a private part", () => {
  it("of all rights has the random number itself for a check field", () => {
    expect(capability.encode(owner, 17, capability.RIGHTS_ALL, random)).toBe(0);
    expect(capability.object(owner)).toBe(17);
    expect(capability.rights(owner)).toBe(0xff);
    expect(capability.checkField(owner)).toBe(random);
    expect(capability.decode(owner, random)).toBe(0xff);
  });

  it("with fewer rights has the original's check field", () => {
    capability.encode(owner, 17, 1, random);
    expect(capability.checkField(owner)).toBe(0x8942c6aa5f61); // 615faac64289
  });

  it("is worth nothing with another random number, or a right added", () => {
    capability.encode(owner, 17, 1, random);
    expect(capability.decode(owner, random + 1)).toBe(STD_DENIED);
    capability.setRights(owner, 3);
    expect(capability.decode(owner, random)).toBe(STD_DENIED);
    expect(capability.restrict(owner, random, 0xff, other)).toBe(STD_DENIED);
  });

  it("can be restricted in place", () => {
    capability.encode(owner, 0xffffff, 0xff, random);
    expect(capability.restrict(owner, random, 0x06, owner)).toBe(6);
    expect(capability.object(owner)).toBe(0xffffff);
    expect(capability.decode(owner, random)).toBe(6);
  });

  it("does not exist for an object number out of range", () => {
    expect(capability.encode(owner, -1, 1, random)).toBe(STD_ARGBAD);
    expect(capability.encode(owner, 0x1000000, 1, random)).toBe(STD_ARGBAD);
  });
});
