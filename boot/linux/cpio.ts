// An initramfs as the kernel unpacks it: a cpio archive in the format "newc". Pure.
//
// - The same entries give the same bytes: owner root, no times, inodes counted from 1, in the order given.
// - A folder stands before what is in it; whoever makes the entries sees to that.
// - Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.

export type CpioEntry =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly bytes: Uint8Array; readonly program: boolean }
  | { readonly kind: "link"; readonly path: string; readonly to: string };

const headerBytes = 110;
const blockBytes = 512;
const modes = { folder: 0o040755, file: 0o100644, program: 0o100755, link: 0o120777 } as const;

const padded = (length: number, to = 4): number => Math.ceil(length / to) * to;

function header(fields: readonly number[]): string {
  return `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
}

function record(path: string, mode: number, inode: number, bytes: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  const dataAt = padded(headerBytes + name.length);
  const made = Buffer.alloc(dataAt + padded(bytes.length));
  const links = mode === modes.folder ? 2 : 1;
  // inode, mode, uid, gid, links, time, size, device and its own number (two each), length of the name, sum
  made.write(header([inode, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, name.length, 0]), 0, "latin1");
  made.set(name, headerBytes);
  made.set(bytes, dataAt);
  return made;
}

/** The archive in pieces: of each entry one, and what ends it. Paths are relative, with slashes. */
export function* cpioPieces(entries: Iterable<CpioEntry>): Generator<Buffer> {
  let inode = 0;
  let length = 0;
  for (const entry of entries) {
    const { kind, path } = entry;
    const mode = kind === "file" && entry.program ? modes.program : modes[kind];
    const bytes = kind === "file" ? entry.bytes : Buffer.from(kind === "link" ? entry.to : "");
    const piece = record(path, mode, ++inode, bytes);
    length += piece.length;
    yield piece;
  }
  const end = record("TRAILER!!!", 0, 0, new Uint8Array());
  yield Buffer.concat([end, Buffer.alloc(padded(length + end.length, blockBytes) - length - end.length)]);
}
