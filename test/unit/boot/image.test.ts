// If this fails, `proteus boot image` tells people wrong sizes of the parts of the image, and nobody sees
// which of them grew.

import { expect, it } from "vitest";
import { loadedBytes } from "../../../boot/image.js";

const map = `
Discarded input sections

 .text.unused   0x0000000000000000       0x99 kernel.o

Memory Configuration

Linker script and memory map

.text           0x0000000000100100      0x300
 .text          0x0000000000100100       0x40 boot.o
 .text.w2c_kernel_receive
                0x0000000000100140      0x100 kernel.o
 *fill*         0x0000000000100240       0x10
 .text.turn     0x0000000000100250       0x20 metal.o
.rodata         0x0000000000100400       0x80
 .rodata        0x0000000000100400       0x80 kernel.o
.bss            0x0000000000100500    0x10000
 .bss           0x0000000000100500    0x10000 metal.o
`;

it("counts what is in the image by object file: nothing that was left out, and no zeros", () => {
  expect(Object.fromEntries(loadedBytes(map))).toEqual({
    "boot.o": 0x40,
    "kernel.o": 0x180,
    "metal.o": 0x20,
  });
});
