// The one-way functions inside the kernel; test/unit/crypto has all golden values.

import { flipOneWay } from "../../../core-wasm/crypto/des";
import { portOneWay } from "../../../core-wasm/crypto/oneway";

describe("one-way functions", () => {
  it("give the original's put-ports", () => {
    expect(portOneWay(0x000000000001)).toBe(0xfffec805890f); // 010000000000 -> 0f8905c8feff
    expect(portOneWay(0x666564636261)).toBe(0x555498c2b2e4); // "abcdef" -> e4b2c2985455
  });

  it("leave the null port and the null address as they are", () => {
    expect(portOneWay(0)).toBe(0);
    expect(flipOneWay(0)).toBe(0);
    expect(flipOneWay(0x0100000000000000)).toBe(0x0100000000000000);
  });

  it("give the original's public FLIP addresses", () => {
    expect(flipOneWay(0x01)).toBe(0x00955bc814eb15a9); // 01… -> a915eb14c85b9500
    expect(flipOneWay(0xffffffffffffffff)).toBe(0xffdb8f57b2f55553);
  });

  it("answer the same again, whichever ports came between", () => {
    const first = portOneWay(2);
    expect(first).toBe(0x0863598595ab); // 020000000000 -> ab9585596308
    for (let port: u64 = 3; port < 100; port++) expect(portOneWay(port)).not.toBe(first);
    expect(portOneWay(2)).toBe(first);
  });
});
