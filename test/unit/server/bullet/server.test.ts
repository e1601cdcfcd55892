// The Bullet server over the wire: files are what was sent, never change, and are there for those
// who have the rights, by the original's rules. If one of these fails a program of the original's,
// or a person, loses bytes or gets at what is not theirs.

import { beforeEach, describe, expect, it } from "vitest";
import type { Capability } from "../../../../control/capability/capability.js";
import { BULLET_PIECE_BYTES, BULLET_TRANSFER_BYTES } from "../../../../control/interface/bullet.js";
import { EARLY_MS } from "../../../../control/server/bullet/drafts.js";
import type { BulletServer } from "../../../../control/server/bullet/server.js";
import type { MemoryFiles } from "./memory-files.js";
import { Shelf } from "./shelf.js";

let shelf: Shelf;
let server: BulletServer;
let files: MemoryFiles;
const of = (length: number, salt = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + salt) & 0xff);
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const [commit, safe] = [1, 3];

beforeEach(() => {
  shelf = new Shelf();
  ({ server, files } = shelf.bullet());
});

async function made(data: Uint8Array, flags = commit, on: Capability = server.capability()) {
  const { file } = await shelf.end(shelf.calls(on).create({ data, flags }));
  return { file, calls: shelf.calls(file) };
}

/** What a committed file holds. */
async function held(file: Capability): Promise<string> {
  const { data } = await shelf.end(shelf.calls(file).read({ length: 3000 }));
  return new TextDecoder().decode(data);
}

async function restricted(file: Capability, mask: number): Promise<Capability> {
  return (await shelf.end(shelf.calls(file).restrict({ mask }))).capability;
}

describe("a committed file", () => {
  it.each([0, 1, 29_767, 29_768, 29_769, 65_536, BULLET_PIECE_BYTES])(
    "of %i bytes is read as it was sent, whole and in pieces of the original's",
    async (length) => {
      const data = of(length);
      const { calls } = await made(data);
      expect((await shelf.end(calls.size())).bytes).toBe(length);
      expect((await shelf.end(calls.size64())).bytes).toBe(BigInt(length));
      const whole = await shelf.end(calls.read64({ position: 0n, length: BULLET_PIECE_BYTES }));
      expect(Buffer.compare(whole.data, data)).toBe(0);
      const last = Math.max(0, length - 100);
      const end = await shelf.end(calls.read({ position: last, count: BULLET_TRANSFER_BYTES }));
      expect(Buffer.compare(end.data, data.subarray(last))).toBe(0);
      expect((await shelf.end(calls.read({ position: length }))).data.length).toBe(0);
      expect(await shelf.refused(calls.read({ position: length + 1 }))).toBe("STD_ARGBAD");
      expect(await shelf.refused(calls.read({ position: -1 }))).toBe("STD_ARGBAD");
      expect(await shelf.refused(calls.read64({ position: -1n }))).toBe("STD_ARGBAD");
      expect(await shelf.refused(calls.read64({ position: 2n ** 62n }))).toBe("STD_ARGBAD");
      expect(shelf.failures).toEqual([]);
    },
  );

  it("never changes: each change makes a new one with all rights", async () => {
    const { file, calls } = await made(text("hello world"));
    const modified = await shelf.end(calls.modify({ position: 6, data: text("there"), flags: commit }));
    const longer = await shelf.end(calls.modify64({ position: 11n, data: text("!"), flags: commit }));
    const inserted = await shelf.end(calls.insert({ position: 5, data: text(","), flags: commit }));
    const cut = await shelf.end(calls.delete({ position: 5, bytes: 6, flags: commit }));
    const clipped = await shelf.end(calls.delete({ position: 4, bytes: 1_000_000, flags: commit }));
    const found = [modified, longer, inserted, cut, clipped].map((each) => each.file);
    expect(await Promise.all(found.map(held).map((each) => each))).toEqual([
      "hello there",
      "hello world!",
      "hello, world",
      "hello",
      "hell",
    ]);
    for (const each of found) expect(each.private[3]).toBe(0xff);
    expect(await held(file)).toBe("hello world");
    expect([...files.files()]).toHaveLength(6);
  });

  it("refuses places outside of it, and makes nothing then", async () => {
    const { calls } = await made(text("hello"));
    for (const position of [-1, 6, 2 ** 31 - 1]) {
      expect(await shelf.refused(calls.modify({ position, data: text("x") }))).toBe("STD_ARGBAD");
      expect(await shelf.refused(calls.insert({ position, data: text("x") }))).toBe("STD_ARGBAD");
      expect(await shelf.refused(calls.delete({ position, bytes: 1 }))).toBe("STD_ARGBAD");
    }
    expect(await shelf.refused(calls.delete({ position: 0, bytes: -1 }))).toBe("STD_ARGBAD");
    expect(await shelf.refused(calls.modify64({ position: -1n, data: text("x") }))).toBe("STD_ARGBAD");
    expect(await shelf.refused(calls.read({ length: BULLET_PIECE_BYTES + 1 }))).toBe("STD_ARGBAD");
    expect(files.usage().drafts).toBe(0);
  });

  it("says what it is", async () => {
    const { calls } = await made(of(1234));
    expect((await shelf.end(calls.info())).text).toBe("-     1234 bytes");
    expect((await shelf.end(shelf.calls(server.capability()).info())).text).toBe("bullet server");
    const { text: status } = await shelf.end(shelf.calls(server.capability()).status());
    expect(status).toMatch(/^files 1 of 1000, 999 free\nbytes of files 1234/);
    expect(status.length).toBeLessThanOrEqual(1024);
  });

  it("is gone for all when it was destroyed, and its number may be another's", async () => {
    const { file, calls } = await made(text("secret"));
    await shelf.end(calls.destroy());
    expect(await shelf.refused(calls.read())).toBe("STD_CAPBAD");
    const { file: next } = await made(text("another"));
    expect(next.private.subarray(0, 3)).toEqual(file.private.subarray(0, 3));
    expect(await shelf.refused(calls.read())).toBe("STD_CAPBAD");
    expect(await held(next)).toBe("another");
  });

  it("goes when nobody has touched it for its lifetime", async () => {
    const kept = await made(text("kept"));
    const lost = await made(text("lost"));
    const all = shelf.calls(server.capability());
    for (let age = 0; age < 24; age++) {
      await shelf.end(all.age());
      await shelf.end(kept.calls.touch());
    }
    expect(await held(lost.file)).toBe("lost");
    await shelf.end(all.age());
    expect(await shelf.refused(lost.calls.read())).toBe("STD_CAPBAD");
    expect(await held(kept.file)).toBe("kept");
  });

  it("can be taken from all who had it: a new generation ends their capabilities", async () => {
    const { file, calls } = await made(text("mine"));
    const reader = await restricted(file, 0x02);
    const { capability } = await shelf.end(calls.revoke());
    expect(await shelf.refused(calls.read())).toBe("STD_CAPBAD");
    expect(await shelf.refused(shelf.calls(reader).read())).toBe("STD_CAPBAD");
    expect(await held(capability)).toBe("mine");
  });
});

describe("rights", () => {
  const granted = async (mask: number) => {
    const { file } = await made(text("hello"));
    const calls = shelf.calls(await restricted(file, mask));
    const [create, read, modify, destroy] = [
      calls.create({ data: text("hello"), flags: commit }),
      calls.read(),
      calls.modify({ position: 0, data: text("J"), flags: commit }),
      calls.destroy(),
    ];
    const codes: string[] = [];
    for (const call of [create, read, modify, destroy]) codes.push(await shelf.refused(call));
    return codes.map((code) => code === "it was granted");
  };

  it.each([
    [0x01, [true, false, false, false]],
    [0x02, [false, true, false, false]],
    [0x04, [false, false, false, false]],
    [0x06, [false, true, true, false]],
    [0x08, [false, false, false, true]],
    [0x80, [false, false, false, false]],
  ])("of %i allow what they are for: create, read, modify, destroy", async (mask, expected) => {
    expect(await granted(mask)).toEqual(expected);
  });

  it("to manage belong to the server, and are denied to others", async () => {
    const some = shelf.calls(await restricted(server.capability(), 0x0f));
    for (const call of [some.check(), some.compact(), some.age()])
      expect(await shelf.refused(call)).toBe("STD_DENIED");
    await shelf.end(some.sync());
    const all = shelf.calls(server.capability());
    expect((await shelf.end(all.check({ flags: 1 }))).report).toMatchObject({ repaired: true });
    expect((await shelf.end(all.check())).report).toMatchObject({ repaired: false });
    expect((await shelf.end(all.compact())).report).toMatchObject({ movedFiles: 0 });
    const { calls } = await made(text("x"));
    for (const call of [calls.check(), calls.compact(), calls.sync(), calls.age()])
      expect(await shelf.refused(call)).toBe("STD_COMBAD");
    expect(await shelf.refused(all.read())).toBe("STD_COMBAD");
  });

  it("do not grow by making the same file again", async () => {
    const { file } = await made(text("same"));
    const reader = await restricted(file, 0x03);
    const again = await made(text("same"), safe, reader);
    expect(again.file.private).toEqual(reader.private);
    expect(await shelf.refused(again.calls.destroy())).toBe("STD_DENIED");
    const blind = await restricted(file, 0x01);
    expect((await made(text("same"), safe, blind)).file.private).not.toEqual(blind.private);
    expect([...files.files()]).toHaveLength(2);
  });
});

describe("a file that is not committed", () => {
  it("is changed in place under its capability, and is the file once it is committed", async () => {
    const { file, calls } = await made(text("hello"), 0);
    const same = await shelf.end(calls.modify({ position: 5, data: text(" world") }));
    expect(same.file).toEqual(file);
    await shelf.end(calls.insert({ position: 5, data: text(",") }));
    await shelf.end(calls.delete({ position: 0, bytes: 1 }));
    const { file: last } = await shelf.end(calls.modify({ position: 0, data: text("E"), flags: commit }));
    expect(last).toEqual(file);
    expect(await held(file)).toBe("Ello, world");
  });

  it("waits a moment for what lies before a change, and not longer", async () => {
    const { file } = await shelf.end(shelf.calls(server.capability()).create({ flags: 0, data: of(10) }));
    const order: number[] = [];
    const write = (position: number) =>
      shelf
        .calls(file)
        .modify({ position, data: of(10, position), flags: 0 })
        .then(() => order.push(position));
    const early = [write(30), write(20)];
    await shelf.end(Promise.all([write(10), ...early]));
    expect(order).toEqual([10, 20, 30]);
    const untilOneWaits = async () => {
      for (let turns = 0; turns < 1000 && shelf.alarms.count < 2; turns++) await shelf.end(Promise.resolve());
    };
    const hole = write(50);
    await untilOneWaits();
    shelf.alarms.pass(EARLY_MS);
    expect(await shelf.refused(hole)).toBe("STD_ARGBAD");
    // One that is gone is nothing to wait for.
    const gone = write(60);
    await untilOneWaits();
    const destroyed = shelf.calls(file).destroy();
    expect(await shelf.refused(gone)).toBe("STD_CAPBAD");
    await shelf.end(destroyed);
    expect(shelf.alarms.count).toBe(1); // the sweep's
  });

  it("can be changed and destroyed, and nothing else", async () => {
    const { calls } = await made(text("hello"), 0);
    const refused = [calls.read(), calls.size(), calls.size64(), calls.info(), calls.status()];
    for (const call of [...refused, calls.restrict({ mask: 0xff }), calls.revoke()])
      expect(await shelf.refused(call)).toBe("STD_CAPBAD");
    expect(
      await shelf.refused(shelf.calls(server.capability()).copy({ source: (await made(text("x"), 0)).file })),
    ).toBe("STD_CAPBAD");
    await shelf.end(calls.destroy());
    expect(await shelf.refused(calls.modify({ position: 0, data: text("x") }))).toBe("STD_CAPBAD");
  });

  it("is discarded when nobody did anything with it for ten minutes", async () => {
    const idle = await made(text("idle"), 0);
    const used = await made(text("used"), 0);
    shelf.alarms.pass(9 * 60_000);
    await shelf.end(used.calls.modify({ position: 0, data: text("U") }));
    shelf.alarms.pass(60_000);
    expect(await shelf.refused(idle.calls.modify({ position: 0, data: text("I") }))).toBe("STD_CAPBAD");
    expect(files.usage().drafts).toBe(1);
    shelf.alarms.pass(9 * 60_000);
    expect(files.usage().drafts).toBe(0);
  });

  it("that began on a file and turns out the same is that file", async () => {
    const { file } = await made(text("one two"));
    const draft = await made(text("one "), 0, file);
    const { file: last } = await shelf.end(
      draft.calls.modify({ position: 4, data: text("two"), flags: safe }),
    );
    expect(last).toEqual(file);
    expect([...files.files()]).toHaveLength(1);
    const other = await made(text("one "), 0, file);
    const { file: new_ } = await shelf.end(
      other.calls.modify({ position: 4, data: text("ten"), flags: safe }),
    );
    expect(await held(new_)).toBe("one ten");
    const orphan = await made(text("one "), 0, file);
    await shelf.end(shelf.calls(file).destroy());
    const { file: own } = await shelf.end(
      orphan.calls.modify({ position: 4, data: text("two"), flags: safe }),
    );
    expect(await held(own)).toBe("one two");
  });

  it("is kept when the call that should end it is refused, and gone when nobody can name it", async () => {
    const { calls, file } = await made(text("hello"), 0);
    files.fails = "VOLUME_FULL";
    expect(await shelf.refused(calls.modify({ position: 5, data: text("!"), flags: commit }))).toBe(
      "STD_NOSPACE",
    );
    files.fails = null;
    await shelf.end(calls.modify({ position: 5, data: text("!"), flags: commit }));
    expect(await held(file)).toBe("hello!");
    const { server: small, files: few } = shelf.bullet(shelf.far, { capacity: 10 });
    const create = shelf.calls(small.capability()).create({ data: of(11), flags: commit });
    expect(await shelf.refused(create)).toBe("STD_NOSPACE");
    expect(few.usage()).toMatchObject({ drafts: 0, files: 0 });
  });
});

describe("the Bullet server", () => {
  it("waits for the medium only where it is asked to", async () => {
    await made(text("soon"), commit);
    await made(text("not even a file"), 2);
    expect(files.flushes).toBe(0);
    await made(text("now"), safe);
    expect(files.flushes).toBe(1);
    await shelf.end(shelf.calls(server.capability()).sync());
    expect(files.flushes).toBe(2);
    const { file } = await made(text("later"), commit);
    await made(text("later"), safe, file); // the same file, and now it is to last
    expect(files.flushes).toBe(3);
  });

  it.each([
    ["VOLUME_FULL", "STD_NOSPACE"],
    ["VOLUME_INODES", "STD_NOSPACE"],
    ["VOLUME_NOMEM", "STD_NOMEM"],
    ["VOLUME_BUSY", "STD_NOTNOW"],
    ["VOLUME_GONE", "STD_NOMEDIUM"],
    ["VOLUME_CORRUPT", "STD_SYSERR"],
    ["VOLUME_UNKNOWN", "STD_CAPBAD"],
  ])("answers %s of its medium by %s", async (code, status) => {
    const { calls } = await made(text("hello"));
    files.fails = code;
    const making = ["STD_NOSPACE", "STD_NOMEM"].includes(status);
    const call = making ? shelf.calls(server.capability()).create({ data: text("x") }) : calls.read();
    expect(await shelf.refused(call)).toBe(status);
    expect(shelf.failures).toHaveLength(["STD_NOMEDIUM", "STD_SYSERR"].includes(status) ? 1 : 0);
  });

  it("is the same to its clients when it has started again", async () => {
    const secrets = shelf.bulletSecrets();
    const first = shelf.serveFiles(files, shelf.far, secrets);
    const { file } = await made(text("still here"), safe, first.capability());
    const lost = await made(text("never flushed"), 0, first.capability());
    const root = first.capability();
    first.close();
    files.cut();
    shelf.serveFiles(files, shelf.far, secrets);
    expect(await held(file)).toBe("still here");
    expect(await shelf.refused(lost.calls.modify({ position: 0, data: text("x") }))).toBe("STD_CAPBAD");
    await shelf.end(shelf.calls(root).sync());
  });

  it("copies its own files and those of another server", async () => {
    const other = shelf.bullet(shelf.near);
    for (const [source, target] of [
      [server, other.server],
      [other.server, server],
      [server, server],
    ] as const) {
      const data = of(2 * BULLET_PIECE_BYTES + 17);
      const begin = await made(data.subarray(0, BULLET_PIECE_BYTES), 0, source.capability());
      const middle = data.subarray(BULLET_PIECE_BYTES, 2 * BULLET_PIECE_BYTES);
      await shelf.end(begin.calls.modify({ position: BULLET_PIECE_BYTES, data: middle }));
      const last = { position: 2n * BigInt(BULLET_PIECE_BYTES), data: data.subarray(-17), flags: commit };
      const { file } = await shelf.end(begin.calls.modify64(last));
      const { copy } = await shelf.end(shelf.calls(target.capability()).copy({ source: file }));
      const read = await shelf.end(shelf.calls(copy).read({ position: BULLET_PIECE_BYTES - 5, count: 10 }));
      expect(read.data).toEqual(data.subarray(BULLET_PIECE_BYTES - 5, BULLET_PIECE_BYTES + 5));
      expect((await shelf.end(shelf.calls(copy).size())).bytes).toBe(data.length);
    }
    const gone = shelf.bullet(shelf.near);
    const { file } = await made(text("x"), commit, gone.server.capability());
    const blind = await restricted(file, 0x01);
    const copy = (source: Capability) => shelf.calls(server.capability()).copy({ source });
    expect(await shelf.refused(copy(blind))).toBe("STD_ARGBAD");
    gone.server.close();
    expect(await shelf.refused(copy(file))).toBe("STD_NOTFOUND");
    expect(files.usage().drafts).toBe(0);
  });

  it("takes no new files while its machine is being emptied, and still gives out those it has", async () => {
    const { file, calls } = await made(text("here"));
    const begun = await made(text("begun"), 0);
    shelf.draining = true;
    const all = shelf.calls(server.capability());
    for (const call of [
      all.create({ data: text("x") }),
      calls.modify({ position: 0, data: text("x") }),
      all.copy({ source: file }),
    ])
      expect(await shelf.refused(call)).toBe("STD_NOTNOW");
    await shelf.end(begun.calls.modify({ position: 0, data: text("B"), flags: commit }));
    expect(await held(begun.file)).toBe("Begun");
    expect((await shelf.end(all.status())).text).toContain("being emptied");
  });

  it("leaves no timer behind", () => {
    expect(shelf.alarms.count).toBe(1);
    server.close();
    expect(shelf.alarms.count).toBe(0);
  });
});
