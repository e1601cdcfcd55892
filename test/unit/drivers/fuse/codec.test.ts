// FUSE's structures byte for byte, against bytes that the C compiler made from linux/fuse.h
// (test/vectors/fuse-golden.c). If one of these fails, a field is read or written at the wrong place.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Attributes, Entry, FileAnswer } from "../../../../drivers/file-system.js";
import { FuseBuffer } from "../../../../drivers/fuse/buffer.js";
import { decode, FuseMalformed } from "../../../../drivers/fuse/decode.js";
import { type AnswerForm, encode, encodeInit, encodeInvalidation } from "../../../../drivers/fuse/encode.js";

const golden = JSON.parse(
  readFileSync(new URL("../../../vectors/fuse.json", import.meta.url), "utf8"),
) as Readonly<Record<string, string>>;
const bytesOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(golden[name] ?? "", "hex"));
const node = 0x123456789abc;
const asked = { node, uid: 1001, gid: 1002, pid: 1003 };
const time = (seconds: number) => ({ seconds, nanoseconds: seconds + 100 });
const [uniqueLow, uniqueHigh] = [0x55667788, 0x11223344];

describe("a request", () => {
  const large = 0x1000000001;
  it.each<[string, object]>([
    ["init", { kind: "init", major: 7, minor: 38, maxReadahead: 131072, flags: 0x73fffffb, flags2: 0x21 }],
    ["lookup", { ...asked, kind: "lookup", name: "na\xffme" }],
    ["forget", { ...asked, kind: "forget", nodes: [[node, 5]] }],
    [
      "batchForget",
      {
        ...asked,
        kind: "forget",
        nodes: [
          [2, 3],
          [4, 5],
        ],
      },
    ],
    ["getattr", { ...asked, kind: "getattr", handle: 77 }],
    [
      "setattr",
      {
        ...{ ...asked, kind: "setattr", handle: 77 },
        changes: { mode: 0o100600, uid: 11, gid: 12, size: large, atime: time(101), mtime: time(102) },
      },
    ],
    ["symlink", { ...asked, kind: "symlink", name: "name", target: "../target" }],
    ["mknod", { ...asked, kind: "mknod", name: "name", mode: 0o20644, device: 0x103 }],
    ["mkdir", { ...asked, kind: "mkdir", name: "name", mode: 0o750 }],
    ["rename2", { ...asked, kind: "rename", name: "old", to: 99, newName: "new", flags: 2 }],
    ["link", { ...asked, kind: "link", of: 55, name: "name" }],
    ["open", { ...asked, kind: "open", flags: 2 }],
    ["create", { ...asked, kind: "create", name: "name", flags: 0o102, mode: 0o100644 }],
    ["read", { ...asked, kind: "read", handle: 77, position: large, bytes: 4096 }],
    [
      "write",
      { ...asked, kind: "write", handle: 77, position: large, data: new Uint8Array(Buffer.from("hello")) },
    ],
    ["release", { ...asked, kind: "release", handle: 77 }],
    ["flush", { ...asked, kind: "flush", handle: 77 }],
    ["fsync", { ...asked, kind: "fsync", handle: 77, dataOnly: true }],
    [
      "setxattr",
      { ...asked, kind: "setxattr", name: "user.a", value: new Uint8Array(Buffer.from("value")), flags: 1 },
    ],
    ["getxattr", { ...asked, kind: "getxattr", name: "user.a", bytes: 64 }],
    ["readdirplus", { ...asked, kind: "readdir", handle: 77, position: 12, bytes: 4096, plus: true }],
    ["fallocate", { ...asked, kind: "fallocate", handle: 77, position: 4096, length: 8192, mode: 3 }],
    ["lseek", { ...asked, kind: "lseek", handle: 77, position: 4096, whence: 3 }],
  ])("%s is what the kernel wrote", (name, request) => {
    const bytes = bytesOf(name);
    expect(bytes.length).toBeGreaterThan(39);
    expect(decode(new FuseBuffer(bytes), bytes.length)).toEqual({ uniqueLow, uniqueHigh, request });
  });

  it("that we do not know says its number", () => {
    const bytes = bytesOf("lookup");
    bytes[4] = 200;
    expect(decode(new FuseBuffer(bytes), bytes.length).request).toMatchObject({ kind: "other", opcode: 200 });
  });

  it.each(Object.keys(golden).filter((name) => !name.includes(" ")))(
    "%s that is cut off is refused",
    (name) => {
      const whole = bytesOf(name);
      for (let length = 0; length < whole.length; length++) {
        const bytes = new Uint8Array(4096).fill(0xee);
        bytes.set(whole.subarray(0, length));
        if (length >= 4) new DataView(bytes.buffer).setUint32(0, length, true);
        const isOptional = name === "init" && length >= 56; // without flags2 it is an older kernel's
        if (isOptional) continue;
        expect(() => decode(new FuseBuffer(bytes), length), `${length} bytes`).toThrow(FuseMalformed);
      }
    },
  );
});

const attributes: Attributes = {
  ...{ node, size: 0x1000000001, blocks: 17, mode: 0o100644, links: 3, uid: 1001, gid: 1002, device: 0x103 },
  ...{ atime: time(101), mtime: time(102), ctime: time(103) },
};
const entry: Entry = { attributes, generation: 7, entrySeconds: 1.5, attributeSeconds: 2.25 };
const opened = { handle: 77, flags: 2 };
const listed = { name: "abc", node: 9, mode: 0o100000, position: 1 };

/** What encode writes, over a buffer that is not empty. */
function encoded(answer: FileAnswer, form?: AnswerForm): string {
  const buffer = new FuseBuffer(new Uint8Array(1024).fill(0xee));
  const size = encode(buffer, uniqueLow, uniqueHigh, answer, form);
  return Buffer.from(buffer.bytes.subarray(0, size)).toString("hex");
}

describe("an answer", () => {
  it.each<[string, FileAnswer, AnswerForm | undefined]>([
    ["error", { kind: "error", errno: 2 }, undefined],
    ["entry", { kind: "entry", ...entry }, undefined],
    ["attributes", { kind: "attributes", attributes, attributeSeconds: 2.25 }, undefined],
    ["opened", { kind: "opened", ...opened }, undefined],
    ["created", { kind: "created", entry, opened }, undefined],
    ["written", { kind: "written", bytes: 5 }, undefined],
    [
      "usage",
      {
        kind: "usage",
        usage: {
          blocks: 1000,
          blocksFree: 900,
          files: 50,
          filesFree: 40,
          blockBytes: 4096,
          nameBytesMax: 255,
        },
      },
      undefined,
    ],
    ["names", { kind: "names", names: [listed] }, { bytes: 100, plus: false }],
    ["names plus", { kind: "names", names: [{ ...listed, entry }] }, { bytes: 200, plus: true }],
  ])("%s is what the kernel reads", (name, answer, form) => {
    expect(encoded(answer, form)).toBe(golden[`answer ${name}`]);
  });

  it("to an opening names the file that the kernel reads itself, in place of the padding", () => {
    const whole = golden["answer opened"] ?? "";
    expect(encoded({ kind: "opened", ...opened, backing: 0x0a0b })).toBe(`${whole.slice(0, -8)}0b0a0000`);
  });

  it("with more names than there is room for has those that fit, and asks for no other", () => {
    let asked = 0;
    const names = (function* () {
      for (;;) yield { ...listed, position: ++asked };
    })();
    expect(encoded({ kind: "names", names }, { bytes: 100, plus: false }).length / 2).toBe(16 + 3 * 32);
    expect(asked).toBe(4);
  });

  it("to INIT is what the kernel reads", () => {
    const buffer = new FuseBuffer(new Uint8Array(1024).fill(0xee));
    const agreed = { minor: 38, maxReadahead: 131072, flags: 0x40000001, flags2: 0x20, maxBackground: 64 };
    const size = encodeInit(buffer, uniqueLow, uniqueHigh, {
      ...agreed,
      maxWrite: 1048576,
      maxStackDepth: 0,
    });
    const hex = Buffer.from(buffer.bytes.subarray(0, size)).toString("hex");
    expect(hex).toBe(golden["answer init"]);
    encodeInit(buffer, uniqueLow, uniqueHigh, { ...agreed, maxWrite: 1048576, maxStackDepth: 1 });
    expect(buffer.u32(16 + 36)).toBe(1); // behind flags2, since 7.40
  });
});

describe("a notification", () => {
  it.each([
    ["node", { kind: "node", node, data: false } as const],
    ["name", { kind: "name", directory: 99, name: "name" } as const],
  ])("of a %s is what the kernel reads", (name, what) => {
    const buffer = new FuseBuffer(new Uint8Array(1024).fill(0xee));
    const size = encodeInvalidation(buffer, what);
    expect(Buffer.from(buffer.bytes.subarray(0, size)).toString("hex")).toBe(golden[`notice ${name}`]);
  });
});
