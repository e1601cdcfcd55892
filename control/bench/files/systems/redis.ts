// Values in Redis: Debian's server with an append-only file that is flushed before every answer,
// so that a value that was set is on the disk, and its own client for Node.js.

import { Program } from "../../programs.js";
import { load } from "../../systems/packages.js";
import { beginOf, contentOf, type FileSystemUnderTest, filesOf } from "../system.js";

const port = 6379;
const library = () => load("redis", () => import("redis"));

export const redis: FileSystemUnderTest = {
  async serve({ folder, addresses, member }) {
    const address = addresses[member] ?? "";
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    const where = ["--bind", address, "--port", `${port}`, "--protected-mode", "no", "--dir", folder];
    const program = new Program("redis-server", ["redis-server", ...where, ...durable]);
    await program.listening({ host: address, port });
    return { facts: {}, stop: () => program.stop() };
  },
  async connect({ test, addresses, bytes, clients }) {
    const { createClient, RESP_TYPES } = await library();
    const client = createClient({ url: `redis://${addresses[0]}:${port}` }).withTypeMapping({
      [RESP_TYPES.BLOB_STRING]: Buffer,
    });
    await client.connect();
    const files = filesOf(bytes);
    let turn = 0;
    const read = async (): Promise<void> => {
      const value = await client.get(`file ${turn++ % files}`);
      if (value?.length !== bytes) throw new Error(`a value had ${value?.length} bytes instead of ${bytes}`);
    };
    const create = async (): Promise<void> => {
      const number = ++turn;
      await client.set(`file ${number % 1000}`, contentOf(bytes, number));
    };
    if (test === "read")
      for (let file = 0; file < files; file++) await client.set(`file ${file}`, contentOf(bytes, file));
    return {
      begins: Array.from({ length: clients }, () => beginOf(test === "read" ? read : create)),
      close: async () => client.destroy(),
    };
  },
};
