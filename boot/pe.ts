// The headers of a UEFI application: PE32+ for x86-64, one section, nothing to relocate. Pure.
//
// - The code is made for any address (boot/shim/efi.c), so there is no table of relocations; the flag
//   that there is none for want of them must stay clear, or firmware loads it at its own address only.
// - Places in the file are places in memory: the section begins one page behind the headers.
// - No time and no checksum: the same code gives the same bytes. Source: Microsoft PE Format, 3.4 to 4.

export const peHeaderBytes = 4096;

const page = 4096;
const peAt = 64;
const optionalAt = peAt + 4 + 20;
const optionalBytes = 112 + 8 * 6;
const sectionAt = optionalAt + optionalBytes;

/** Headers and code as a file; `code` begins with its first instruction. */
export function peFile(code: Uint8Array): Uint8Array {
  const length = Math.ceil(code.length / page) * page;
  const bytes = Buffer.alloc(peHeaderBytes + length);
  bytes.write("MZ", 0, "latin1");
  bytes.writeUInt32LE(peAt, 60);
  bytes.write("PE\0\0", peAt, "latin1");
  bytes.writeUInt16LE(0x8664, peAt + 4); // x86-64
  bytes.writeUInt16LE(1, peAt + 6); // sections
  bytes.writeUInt16LE(optionalBytes, peAt + 20);
  bytes.writeUInt16LE(0x0022, peAt + 22); // it runs, at any address
  bytes.writeUInt16LE(0x020b, optionalAt); // PE32+
  bytes.writeUInt32LE(length, optionalAt + 4); // code
  bytes.writeUInt32LE(peHeaderBytes, optionalAt + 16); // where it starts
  bytes.writeUInt32LE(peHeaderBytes, optionalAt + 20); // where code begins
  bytes.writeUInt32LE(page, optionalAt + 32); // alignment in memory
  bytes.writeUInt32LE(page, optionalAt + 36); // and in the file
  bytes.writeUInt32LE(peHeaderBytes + length, optionalAt + 56);
  bytes.writeUInt32LE(peHeaderBytes, optionalAt + 60);
  bytes.writeUInt16LE(10, optionalAt + 68); // an application for UEFI
  bytes.writeUInt16LE(0x0100, optionalAt + 70); // bears pages that are not executable
  bytes.writeUInt32LE(6, optionalAt + 108); // directories, all empty
  bytes.write(".text", sectionAt, "latin1");
  bytes.writeUInt32LE(length, sectionAt + 8);
  bytes.writeUInt32LE(peHeaderBytes, sectionAt + 12);
  bytes.writeUInt32LE(length, sectionAt + 16);
  bytes.writeUInt32LE(peHeaderBytes, sectionAt + 20);
  bytes.writeUInt32LE(0x60000020, sectionAt + 36); // code, executed and read
  bytes.set(code, peHeaderBytes);
  return bytes;
}
