// The handshake of the NBD server: if one of these fails, a client finds no export, is told something
// wrong of it, or gets past TLS.

import { describe, expect, it } from "vitest";
import * as nbd from "../../../../../control/server/disk/nbd/protocol.js";
import { MemoryDisk } from "../memory-disk.js";
import { contextData, infoData, MemoryClient, option, words } from "./client.js";

const disk = new MemoryDisk(256);
const two = [
  { name: "a", disk, description: "the first" },
  { name: "b", disk, isReadOnly: true },
];
const types = (replies: readonly { type: number }[]): readonly number[] => replies.map(({ type }) => type);

describe("the handshake", () => {
  it("greets as fixed newstyle does", () => {
    const client = new MemoryClient(two);
    expect(client.take(18)).toEqual(words("NBDMAGICIHAVEOPT", [16, 3]));
  });

  it("drops a client with flags that it does not know", () => {
    const client = new MemoryClient(two);
    client.greet(4);
    expect(client.end).toBe("destroyed");
    expect(client.isOver).toBe(true);
  });

  it.each([
    ["what is no option", words("IHAVEOPX", [32, 3], [32, 0])],
    ["a longer option than anybody needs", words("IHAVEOPT", [32, 3], [32, 1 << 20])],
    ["an export that is not there", option(nbd.OPT_EXPORT_NAME, Buffer.from("c"))],
  ])("drops a client that sends %s", async (_what, bytes) => {
    const client = new MemoryClient(two);
    client.greet();
    client.send(bytes);
    expect(client.end).toBe("destroyed");
    expect(client.dropped).toHaveLength(1);
  });

  it("drops a client that goes on and on", async () => {
    const client = new MemoryClient(two);
    client.greet();
    for (let count = 0; count < 300; count++) client.send(option(99));
    expect(client.end).toBe("destroyed");
  });

  it("says that it does not know an option, and goes on", async () => {
    const client = new MemoryClient(two);
    client.greet();
    expect(types(await client.ask(4, Buffer.alloc(100)))).toEqual([nbd.REP_ERR_UNSUP]);
    expect(types(await client.ask(nbd.OPT_LIST))).toEqual([nbd.REP_SERVER, nbd.REP_SERVER, nbd.REP_ACK]);
  });

  it("takes options in any pieces", async () => {
    const client = new MemoryClient(two);
    client.take(18);
    client.send(Buffer.concat([words([32, 3]), option(nbd.OPT_LIST), option(nbd.OPT_ABORT)]), 1);
    await client.settle();
    const replies = [1, 2, 3, 4].map(() => client.optionReply());
    expect(replies.map(({ option: of, type }) => [of, type])).toEqual([
      [3, nbd.REP_SERVER],
      [3, nbd.REP_SERVER],
      [3, nbd.REP_ACK],
      [2, nbd.REP_ACK],
    ]);
    expect(client.end).toBe("ended");
    expect(client.isOver).toBe(true);
  });

  it("lists names with what they are", async () => {
    const client = new MemoryClient(two);
    client.greet();
    const [first] = await client.ask(nbd.OPT_LIST);
    expect(first?.data).toEqual(words([32, 1], "a", "the first"));
    expect(types(await client.ask(nbd.OPT_LIST, Buffer.alloc(1)))).toEqual([nbd.REP_ERR_INVALID]);
  });

  it("tells size, flags and block sizes, and the rest when it is asked for", async () => {
    const client = new MemoryClient(two);
    client.greet();
    const replies = await client.ask(nbd.OPT_INFO, infoData("a", nbd.INFO_NAME, nbd.INFO_DESCRIPTION, 77));
    expect(replies.map(({ data }) => data)).toEqual([
      words([16, nbd.INFO_EXPORT], [64, 256 * 4096], [16, 0b1101_0110_1101]),
      words([16, nbd.INFO_BLOCK_SIZE], [32, 1], [32, 4096], [32, 32 * 1024 * 1024]),
      words([16, nbd.INFO_NAME], "a"),
      words([16, nbd.INFO_DESCRIPTION], "the first"),
      Buffer.alloc(0),
    ]);
    const [readOnly] = await client.ask(nbd.OPT_GO, infoData("b"));
    expect(readOnly?.data.readUInt16BE(10)).toBe(0b0101_0000_1111);
    expect(client.connection.isChosen).toBe(true);
  });

  it("offers several connections only where a flush holds for all", async () => {
    const client = new MemoryClient([{ name: "a", disk, isFlushGlobal: false }]);
    const [info] = await client.go("a");
    expect((info?.data.readUInt16BE(10) ?? 0) & nbd.FLAG_CAN_MULTI_CONN).toBe(0);
  });

  it.each([
    [3, 10],
    [1, 134],
  ])("answers EXPORT_NAME to flags %i with %i bytes", async (flags, bytes) => {
    const client = new MemoryClient(two);
    client.greet(flags);
    client.send(option(nbd.OPT_EXPORT_NAME, Buffer.from("a")));
    await client.settle();
    expect(client.take(bytes).readBigUInt64BE(0)).toBe(256n * 4096n);
    expect(client.received).toHaveLength(0);
    expect((await client.call({ type: nbd.CMD_READ, length: 10 })).data).toHaveLength(10);
  });

  it("takes the empty name for the only export, and for none of several", async () => {
    const alone = new MemoryClient(two.slice(0, 1));
    expect(types(await alone.go(""))).toContain(nbd.REP_ACK);
    const client = new MemoryClient(two);
    client.greet();
    expect(types(await client.ask(nbd.OPT_GO, infoData("")))).toEqual([nbd.REP_ERR_UNKNOWN]);
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a name that is longer than the option", words([32, 100], "a", [16, 0])],
    ["fewer kinds than said", words([32, 1], "a", [16, 2], [16, 0])],
    ["something behind it", words(infoData("a"), [16, 0])],
    ["a length that would wrap", words([32, 0xffffffff], "a", [16, 0])],
  ])("refuses GO with %s", async (_what, data) => {
    const client = new MemoryClient(two);
    client.greet();
    expect(types(await client.ask(nbd.OPT_GO, data))).toEqual([nbd.REP_ERR_INVALID]);
  });
});

describe("structured replies, extended headers and contexts", () => {
  it("are agreed on once, and extended headers include the rest", async () => {
    const client = new MemoryClient(two);
    client.greet();
    expect(types(await client.ask(nbd.OPT_STRUCTURED_REPLY))).toEqual([nbd.REP_ACK]);
    expect(types(await client.ask(nbd.OPT_STRUCTURED_REPLY))).toEqual([nbd.REP_ERR_INVALID]);
    expect(types(await client.ask(nbd.OPT_EXTENDED_HEADERS, Buffer.alloc(1)))).toEqual([nbd.REP_ERR_INVALID]);
    expect(types(await client.ask(nbd.OPT_EXTENDED_HEADERS))).toEqual([nbd.REP_ACK]);
    expect(types(await client.ask(nbd.OPT_STRUCTURED_REPLY))).toEqual([nbd.REP_ERR_EXT_HEADER_REQD]);
    expect(types(await client.ask(nbd.OPT_EXTENDED_HEADERS))).toEqual([nbd.REP_ERR_INVALID]);
  });

  it.each([
    [[], ["base:allocation", "proteus:dirty"]],
    [["base:"], ["base:allocation"]],
    [["proteus:dirty", "proteus:", "x:y"], ["proteus:dirty"]],
    [["base", "proteus:clean", ""], []],
  ])("lists the contexts that %j finds", async (queries, names) => {
    const client = new MemoryClient(two);
    client.greet();
    await client.ask(nbd.OPT_STRUCTURED_REPLY);
    const replies = await client.ask(nbd.OPT_LIST_META_CONTEXT, contextData("a", ...queries));
    expect(replies.slice(0, -1).map(({ data }) => data.toString("utf8", 4))).toEqual(names);
    expect(replies.at(-1)?.type).toBe(nbd.REP_ACK);
  });

  it("need structured replies, an export that is there, and lengths that add up", async () => {
    const client = new MemoryClient(two);
    client.greet();
    const ask = async (data: Buffer) => types(await client.ask(nbd.OPT_SET_META_CONTEXT, data));
    expect(await ask(contextData("a", "base:allocation"))).toEqual([nbd.REP_ERR_INVALID]);
    await client.ask(nbd.OPT_STRUCTURED_REPLY);
    expect(await ask(contextData("c", "base:allocation"))).toEqual([nbd.REP_ERR_UNKNOWN]);
    expect(await ask(words([32, 1], "a", [32, 1], [32, 9], "x"))).toEqual([nbd.REP_ERR_INVALID]);
    expect(await ask(words([32, 1], "a", [32, 1e9]))).toEqual([nbd.REP_ERR_TOO_BIG]);
    expect(await ask(contextData("a", "base:"))).toEqual([nbd.REP_ACK]);
    expect(await ask(contextData("a", "base:allocation"))).toEqual([nbd.REP_META_CONTEXT, nbd.REP_ACK]);
  });
});

describe("TLS", () => {
  it("is refused where there is no certificate", async () => {
    const client = new MemoryClient(two);
    client.greet();
    expect(types(await client.ask(nbd.OPT_STARTTLS))).toEqual([nbd.REP_ERR_POLICY]);
  });

  it("comes before everything where it is required, names of exports too", async () => {
    const client = new MemoryClient(two, { tls: "required" });
    client.greet();
    for (const type of [3, 6, 7, 8, 9, 10, 11, 99])
      expect(types(await client.ask(type)), `option ${type}`).toEqual([nbd.REP_ERR_TLS_REQD]);
    client.send(option(nbd.OPT_EXPORT_NAME, Buffer.from("a")));
    expect(client.end).toBe("destroyed");
  });

  it("forgets what was agreed on before it", async () => {
    const client = new MemoryClient(two, { tls: "required" });
    client.greet();
    expect(types(await client.ask(nbd.OPT_STARTTLS))).toEqual([nbd.REP_ACK]);
    expect(client.wantsTls).toBe(true);
    client.connection.secured();
    expect(types(await client.ask(nbd.OPT_STARTTLS))).toEqual([nbd.REP_ERR_INVALID]);
    const set = await client.ask(nbd.OPT_SET_META_CONTEXT, contextData("a", "base:allocation"));
    expect(types(set)).toEqual([nbd.REP_ERR_INVALID]); // structured replies would be needed again
    expect(types(await client.ask(nbd.OPT_GO, infoData("a")))).toContain(nbd.REP_ACK);
  });

  it.each(["with STARTTLS", "after it"])(
    "drops a client that sends something in the clear %s",
    async (when) => {
      const client = new MemoryClient(two, { tls: "offered" });
      client.greet();
      const more = option(nbd.OPT_LIST);
      const first = option(nbd.OPT_STARTTLS);
      client.send(when === "after it" ? first : Buffer.concat([first, more]));
      if (when === "after it") client.send(more);
      expect(client.end).toBe("destroyed");
    },
  );
});
