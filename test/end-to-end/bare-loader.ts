// A BIOS of 64 KiB that starts an image as a multiboot loader would, and tells it nothing: no memory
// map, no command line. For what a machine says when nobody tells it where its memory is.
//
// - Machine code by hand: from the reset vector (Intel SDM volume 3, 9.1.4) to flat 32-bit mode, then to
//   the entry that the image's multiboot header names. The image itself is put into memory by QEMU.

const size = 65536;
const codeAt = 0xff00;
const tableAt = 0xff40;
const flatAt = 0xff50;
const segmentsAt = 0xff90;
const informationAt = 0xffb0;
const high = 0xf0000;
const headerMagic = 0x1badb002;
const entryAt = 28;

const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
const long = (value: number): number[] => [...word(value & 0xffff), ...word(value >>> 16)];

export function bareLoader(image: Buffer): Buffer {
  const header = image.indexOf(Buffer.from(long(headerMagic)));
  if (header < 0) throw new Error("the image has no multiboot header");
  const entry = image.readUInt32LE(header + entryAt);
  const rom = Buffer.alloc(size);
  rom.set([0xe9, ...word(codeAt - 0xfff3)], 0xfff0);
  rom.set(
    [
      ...[0xfa, 0x2e, 0x66, 0x0f, 0x01, 0x16, ...word(tableAt)], // cli; lgdt
      ...[0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0], // protected mode
      ...[0x66, 0xea, ...long(high + flatAt), ...word(8)],
    ],
    codeAt,
  );
  rom.set([...word(0x17), ...long(high + segmentsAt)], tableAt);
  rom.set(
    [
      ...[0xb8, ...long(0x10), 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0], // data segments
      ...[0xb8, ...long(0x2badb002), 0xbb, ...long(high + informationAt)],
      ...[0xb9, ...long(entry), 0xff, 0xe1],
    ],
    flatAt,
  );
  rom.set([...long(0xffff), ...long(0x00cf9a00), ...long(0xffff), ...long(0x00cf9200)], segmentsAt + 8);
  return rom;
}
