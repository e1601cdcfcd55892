// Text forms inside the kernel: a parser never reads past the length it was given.

import * as text from "../../../core-wasm/wire/text";

const buffer = memory.data(128, 8);
const out = memory.data(32, 8);

function type(letters: string): i32 {
  memory.fill(buffer, 0x39, 128); // digits everywhere behind the text
  return <i32>String.UTF8.encodeUnsafe(changetype<usize>(letters), letters.length, buffer);
}

describe("parsing", () => {
  it("uses as much text as belongs to the form and no more", () => {
    const length = type("A0:1:0:FF:2:3/17(FF)/1:2:3:4:5:6 and more");
    expect(text.parsePort(buffer, length, out)).toBe(13);
    expect(text.parseCapability(buffer, length, out)).toBe(32);
    expect(load<u8>(out)).toBe(0xa0);
    expect(load<u8>(out, 6)).toBe(17);
    expect(load<u8>(out, 15)).toBe(6);
  });

  it("stops at the length, whatever lies behind it", () => {
    const length = type("1:2:3:4:5:6");
    expect(text.parsePort(buffer, length, out)).toBe(11);
    expect(load<u8>(out, 5)).toBe(6);
    for (let shorter = 0; shorter < length; shorter++) expect(text.parsePort(buffer, shorter, out)).toBe(-1);
  });

  it("leaves the result alone when it fails", () => {
    store<u64>(out, 0x0101010101010101);
    const length = type("A0:1:0:FF:2:3/17(FF)/1:2:3:4:5");
    expect(text.parseCapability(buffer, length, out)).toBe(-1);
    expect(load<u64>(out)).toBe(0x0101010101010101);
  });
});
