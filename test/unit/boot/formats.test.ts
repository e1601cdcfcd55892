// The image's other formats, as bytes. If one of these fails, firmware does not take what
// `proteus boot image` makes, or the same inputs give other bytes.

import { describe, expect, it } from "vitest";
import { diskOf, lineOf, withLine } from "../../../boot/formats.js";
import { peFile, peHeaderBytes } from "../../../boot/pe.js";

describe("a UEFI application", () => {
  const code = Uint8Array.from({ length: 5000 }, (_, index) => index);
  const file = Buffer.from(peFile(code));
  const at = file.readUInt32LE(60);

  it("is PE32+ for x86-64 that may be loaded anywhere and starts at its first byte of code", () => {
    expect(file.toString("latin1", 0, 2)).toBe("MZ");
    expect(file.toString("latin1", at, at + 4)).toBe("PE\0\0");
    expect(file.readUInt16LE(at + 4)).toBe(0x8664);
    expect(file.readUInt16LE(at + 22) & 1).toBe(0); // not: relocations were stripped
    expect(file.readUInt16LE(at + 24)).toBe(0x020b);
    expect(file.readUInt32LE(at + 24 + 16)).toBe(peHeaderBytes);
    expect(file.readUInt16LE(at + 24 + 68)).toBe(10);
    expect(file.subarray(peHeaderBytes, peHeaderBytes + code.length)).toEqual(Buffer.from(code));
  });

  it("has one section that covers the file, in whole pages, and is not written", () => {
    const section = at + 24 + file.readUInt16LE(at + 20);
    expect(file.readUInt16LE(at + 6)).toBe(1);
    expect(file.readUInt32LE(section + 12)).toBe(peHeaderBytes);
    expect(file.readUInt32LE(section + 20) + file.readUInt32LE(section + 16)).toBe(file.length);
    expect(file.length % 4096).toBe(0);
    expect(file.readUInt32LE(at + 24 + 56)).toBe(file.length);
    expect(file.readUInt32LE(section + 36) & 0x80000000).toBe(0);
  });

  it("takes another command line and nothing else changes", () => {
    const changed = withLine(file, "name=m1");
    const differ = [...changed.keys()].filter((index) => changed[index] !== file[index]);
    expect(Math.min(...differ)).toBeGreaterThanOrEqual(peHeaderBytes + 32);
    expect(Math.max(...differ)).toBeLessThan(peHeaderBytes + 32 + 896);
    expect(Buffer.from(changed).toString("latin1", peHeaderBytes + 32, peHeaderBytes + 40)).toBe("name=m1\0");
  });
});

describe("a command line in an image", () => {
  it("is closed by a zero, also the longest", () => {
    expect(lineOf("a".repeat(895)).at(-1)).toBe(0);
  });

  it.each(["a".repeat(896), "name=ä", "name=m1\n"])("is refused: %j", (text) => {
    expect(() => lineOf(text)).toThrow(expect.objectContaining({ code: "BOOT_LINE_INVALID" }));
  });
});

it("a disk has one EFI system partition that is the whole file system", () => {
  const disk = Buffer.from(diskOf(Buffer.alloc(1024, 7)));
  expect(disk.readUInt16LE(510)).toBe(0xaa55);
  expect(disk[446 + 4]).toBe(0xef);
  const [from, sectors] = [disk.readUInt32LE(446 + 8) * 512, disk.readUInt32LE(446 + 12)];
  expect(disk.subarray(from)).toEqual(Buffer.alloc(1024, 7));
  expect(sectors).toBe(2);
});
