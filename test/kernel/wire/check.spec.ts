// The check of a frame: an error that it misses reaches a program as data.

import { checkAdd, checkOpen, checkValue } from "../../../core-wasm/wire/check";

const frame = heap.alloc(2048);

let seed: u32 = 11;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function fill(length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(frame + i, random(256) as u8);
}

function check(length: u32): u32 {
  checkOpen();
  checkAdd(frame, length);
  return checkValue();
}

function flip(bit: u32): void {
  const at = frame + (bit >> 3);
  store<u8>(at, load<u8>(at) ^ ((<u8>1) << (<u8>(bit & 7))));
}

describe("the check of a frame", () => {
  it("finds every flipped bit of a full frame", () => {
    const length: u32 = 1514;
    fill(length);
    const right = check(length);
    let missed = 0;
    for (let bit: u32 = 0; bit < length * 8; bit++) {
      flip(bit);
      if (check(length) == right) missed++;
      flip(bit);
    }
    expect(missed).toBe(0);
    expect(check(length)).toBe(right);
  });

  it("finds every two flipped bits of a short frame", () => {
    const length: u32 = 61;
    fill(length);
    const right = check(length);
    let missed = 0;
    for (let a: u32 = 0; a < length * 8; a++) {
      flip(a);
      for (let b: u32 = a + 1; b < length * 8; b++) {
        flip(b);
        if (check(length) == right) missed++;
        flip(b);
      }
      flip(a);
    }
    expect(missed).toBe(0);
  });

  it("finds two exchanged words, which a plain sum does not", () => {
    fill(256);
    const right = check(256);
    for (let i: u32 = 0; i < 64; i += 7) {
      for (let j = i + 1; j < 64; j++) {
        const a = load<u32>(frame + i * 4);
        const b = load<u32>(frame + j * 4);
        store<u32>(frame + i * 4, b);
        store<u32>(frame + j * 4, a);
        expect(check(256) == right).toBe(a == b);
        store<u32>(frame + i * 4, a);
        store<u32>(frame + j * 4, b);
      }
    }
  });

  it("is the same over pieces as over the whole, so that a frame needs no copy to be sent", () => {
    for (let round = 0; round < 500; round++) {
      const length = random(1600);
      fill(length);
      const whole = check(length);
      expect(whole).not.toBe(0);
      checkOpen();
      let at: u32 = 0;
      while (at < length) {
        const piece = min<u32>(length - at, random(60) * 4);
        checkAdd(frame + at, piece);
        at += piece;
      }
      expect(checkValue()).toBe(whole);
    }
  });
});
