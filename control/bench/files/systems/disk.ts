// The disk itself: so many bytes written after the last ones and flushed, one after the other. No
// server; the client's machine writes into its own folder, which is on the servers' disk.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { beginOf, contentOf, type FileSystemUnderTest } from "../system.js";

/** The file is as long as the benchmark may take: its blocks are there before it begins. */
const bytesMost = 64 * 1024 * 1024;

export const disk: FileSystemUnderTest = {
  async connect({ bytes, clients, folder }) {
    const file = await open(join(folder, "disk"), "w");
    await file.truncate(bytesMost);
    await file.write(Buffer.alloc(bytesMost), 0, bytesMost, 0);
    await file.sync();
    let at = 0;
    let number = 0;
    const write = async (): Promise<void> => {
      const content = contentOf(bytes, ++number);
      const position = at;
      at = at + 2 * bytes > bytesMost ? 0 : at + bytes;
      await file.write(content, 0, bytes, position);
      await file.datasync();
    };
    return { begins: Array.from({ length: clients }, () => beginOf(write)), close: () => file.close() };
  },
};
