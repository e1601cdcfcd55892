// The root of mounted cells. If one of these fails, a mount is taken off because its folder became another
// one, or somebody takes a volume that is not there for an empty one.

import { describe, expect, it } from "vitest";
import { CellTree } from "../../../../control/node/fs/cell-tree.js";
import { errno, type FileAnswer, type FileRequest, type Listed } from "../../../../drivers/file-system.js";

type Given = { readonly kind: FileRequest["kind"]; readonly node: number } & Readonly<
  Record<string, unknown>
>;

class Asking {
  readonly missed: string[] = [];
  readonly tree = new CellTree({
    time: { seconds: 1, nanoseconds: 2 },
    missed: (name) => void this.missed.push(name),
  });

  ask(given: Given): FileAnswer {
    const answers: FileAnswer[] = [];
    const request = { uid: 0, gid: 0, pid: 1, ...given } as unknown as FileRequest;
    this.tree.handle(request, (answer) => void answers.push(answer));
    const [answer] = answers;
    if (answer === undefined || answers.length !== 1) throw new Error("answered once");
    return answer;
  }

  node(path: string): number {
    return path.split("/").reduce((node, name) => {
      const found = this.ask({ kind: "lookup", node, name });
      if (found.kind !== "entry") throw new Error(`${name}: ${JSON.stringify(found)}`);
      return found.attributes.node;
    }, 1);
  }

  names(node: number, position = 0): string[] {
    const found = this.ask({ kind: "readdir", node, handle: 0, position, bytes: 4096, plus: true });
    return found.kind === "names" ? [...(found.names as Iterable<Listed>)].map(({ name }) => name) : [];
  }
}

const error = (number: number) => ({ kind: "error", errno: number });

describe("the root of cells", () => {
  it("shows what it was told of, and keeps the nodes of names", () => {
    const asking = new Asking();
    expect(asking.names(1)).toEqual([".", ".."]);
    asking.tree.show([
      { path: ["math"], isVolume: false },
      { path: ["math", "home"], isVolume: true },
      { path: ["art"], isVolume: false },
    ]);
    const [math, home] = [asking.node("math"), asking.node("math/home")];
    expect(asking.names(1)).toEqual([".", "..", "math", "art"]);
    expect(asking.names(1, 3)).toEqual(["art"]);
    expect(asking.names(math)).toEqual([".", "..", "home"]);
    asking.tree.show([
      { path: ["math", "home"], isVolume: true },
      { path: ["math", "notes"], isVolume: true },
      { path: ["art"], isVolume: false },
    ]);
    expect([asking.node("math"), asking.node("math/home")]).toEqual([math, home]);
    expect(asking.names(math)).toEqual([".", "..", "home", "notes"]);
    const { attributes } = asking.ask({ kind: "getattr", node: math }) as FileAnswer & { attributes: object };
    expect(attributes).toMatchObject({ mode: 0o040555, links: 4, node: math });
  });

  it("says of a volume that nothing is mounted on that it is not there, never that it is empty", () => {
    const asking = new Asking();
    asking.tree.show([{ path: ["home"], isVolume: true }]);
    const node = asking.node("home");
    expect(asking.ask({ kind: "opendir", node, flags: 0 })).toEqual(error(errno.ENOTCONN));
    expect(asking.ask({ kind: "lookup", node, name: "x" })).toEqual(error(errno.ENOTCONN));
    expect(asking.missed).toEqual([]);
  });

  it("is changed by nobody, and tells what was missed", () => {
    const asking = new Asking();
    for (const given of [
      { kind: "mkdir", name: "x", mode: 0o755 },
      { kind: "create", name: "x", flags: 0, mode: 0o644 },
      { kind: "setattr", changes: { mode: 0 } },
      { kind: "symlink", name: "x", target: "y" },
      { kind: "unlink", name: "x" },
    ] as const)
      expect(asking.ask({ node: 1, ...given })).toEqual(error(errno.EROFS));
    expect(asking.ask({ kind: "lookup", node: 1, name: "later" })).toEqual(error(errno.ENOENT));
    expect(asking.missed).toEqual(["later"]);
    expect(asking.ask({ kind: "getattr", node: 77 })).toEqual(error(errno.ESTALE));
  });
});
