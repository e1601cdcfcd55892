// Extended attributes, set-id bits, holes and access times of a mount. If one of these fails, what a
// program notes of a file is lost, or a program that runs as another user can be written into.

import { describe, expect, it } from "vitest";
import type { FileAnswer } from "../../../drivers/file-system.js";
import { FilesWorld, type Mount } from "./world.js";

const [EOPNOTSUPP, ENODATA, EEXIST, ENOSPC, ERANGE, ENXIO] = [95, 61, 17, 28, 34, 6];
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const errorOf = (answer: FileAnswer): number => (answer.kind === "error" ? answer.errno : 0);

async function set(on: Mount, path: string, name: string, value: string, flags = 0): Promise<number> {
  const node = await on.walk(path);
  return errorOf(await on.ask({ kind: "setxattr", node, name, value: bytes(value), flags } as never));
}
async function get(on: Mount, path: string, name: string, room = 100): Promise<string | number> {
  const answer = await on.ask({ kind: "getxattr", node: await on.walk(path), name, bytes: room } as never);
  if (answer.kind === "data") return Buffer.from(answer.data).toString();
  return answer.kind === "size" ? answer.bytes : errorOf(answer);
}

describe("attributes of a mount", () => {
  it("are seen by others, and are there after a kill of either side", async () => {
    const world = new FilesWorld();
    const [a, b] = [world.mount(), world.mount()] as [Mount, Mount];
    await world.settle();
    await a.write("f", "text");
    expect(await set(a, "f", "user.one", "1")).toBe(0);
    expect(await get(b, "f", "user.one")).toBe("1");
    a.restart("kill");
    world.restartVice();
    await world.pass(4000);
    expect(await get(a, "f", "user.one")).toBe("1");
    expect(await get(b, "f", "user.one", 0)).toBe(1);
    expect(world.failures).toEqual([]);
  });

  it("are set without vice, and come to it", async () => {
    const world = new FilesWorld();
    const [a, b] = [world.mount(), world.mount()] as [Mount, Mount];
    await world.settle();
    await a.write("f", "text");
    await b.tree();
    a.isCut = true;
    await a.tree().catch(() => undefined);
    expect(await set(a, "f", "user.there", "later")).toBe(0);
    a.isCut = false;
    await world.pass(5000);
    expect(await get(b, "f", "user.there")).toBe("later");
    expect(world.volume.state.conflicts.size).toBe(0);
  });

  it("are refused with what a local file system says", async () => {
    const world = new FilesWorld();
    const a = world.mount();
    await world.settle();
    await a.write("f", "text");
    expect(await set(a, "f", "security.capability", "x")).toBe(EOPNOTSUPP);
    expect(await get(a, "f", "system.posix_acl_access")).toBe(EOPNOTSUPP);
    expect(await get(a, "f", "user.none")).toBe(ENODATA);
    expect(await set(a, "f", "user.a", "1", 2)).toBe(ENODATA);
    expect(await set(a, "f", "user.a", "123", 1)).toBe(0);
    expect(await set(a, "f", "user.a", "1", 1)).toBe(EEXIST);
    expect(await get(a, "f", "user.a", 2)).toBe(ERANGE);
    expect(await set(a, "f", "user.large", "x".repeat(3000))).toBe(ENOSPC);
    const node = await a.walk("f");
    expect(errorOf(await a.ask({ kind: "removexattr", node, name: "user.a" } as never))).toBe(0);
    expect(await get(a, "f", "user.a")).toBe(ENODATA);
  });

  it("lose set-id bits with a write of one who may not keep them", async () => {
    const world = new FilesWorld();
    const a = world.mount();
    await world.settle();
    await a.write("f", "text");
    const node = await a.walk("f");
    const mode = async () => (await a.must("attributes", { kind: "getattr", node })).attributes.mode & 0o7777;
    await a.must("attributes", { kind: "setattr", node, changes: { mode: 0o6755 } } as never);
    const { handle } = await a.must("opened", { kind: "open", node, flags: 1 } as never);
    const write = { kind: "write", node, handle, position: 0, data: bytes("T") };
    await a.must("written", write as never);
    expect(await mode()).toBe(0o6755);
    await a.must("written", { ...write, dropSetId: true } as never);
    expect(await mode()).toBe(0o755);
    await a.must("attributes", { kind: "setattr", node, changes: { mode: 0o6755 } } as never);
    await a.must("attributes", { kind: "setattr", node, changes: { uid: 7 } } as never);
    expect(await mode()).toBe(0o755);
    await a.ask({ kind: "flush", node, handle } as never);
    await a.ask({ kind: "release", node, handle } as never);
    expect(await a.read("f")).toBe("Text");
  });

  it("have holes, room made before it is used, and times of access", async () => {
    const world = new FilesWorld();
    const a = world.mount();
    await world.settle();
    await a.write("f", "text");
    const node = await a.walk("f");
    const { handle } = await a.must("opened", { kind: "open", node, flags: 2 } as never);
    const allocate = { kind: "fallocate", node, handle, position: 0, length: 8, mode: 0 };
    await a.must("done", allocate as never);
    const hole = { kind: "lseek", node, handle, position: 1, whence: 4 };
    expect(await a.must("position", hole as never)).toMatchObject({ position: 8 });
    expect(errorOf(await a.ask({ ...hole, position: 9 } as never))).toBe(ENXIO);
    await a.ask({ kind: "flush", node, handle } as never);
    await a.ask({ kind: "release", node, handle } as never);
    expect(await a.read("f")).toBe("text\0\0\0\0");
    const atime = { seconds: 77, nanoseconds: 5 };
    const changed = await a.must("attributes", { kind: "setattr", node, changes: { atime } } as never);
    expect(changed.attributes.atime).toEqual(atime);
  });
});
