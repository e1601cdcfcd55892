// What a kernel asks of a file system, with few words: for tests of mounts and of the model in memory.
//
// - A request is asked and its answer waited for; what takes time gets it (`pass`).
// - Paths are walked name by name, as the kernel does it.

import { ROOT_ID } from "../../../control/interface/file-status.js";
import type { FileAnswer, FileRequest, FileSystem } from "../../../drivers/file-system.js";

const isError = (answer: FileAnswer): answer is Extract<FileAnswer, { kind: "error" }> =>
  answer.kind === "error";

/** What a kernel asks of a file system, with few words. */
export abstract class KernelSide {
  protected abstract readonly fileSystem: FileSystem;
  protected abstract settle(): Promise<void>;
  /** Something is to happen yet that takes time. */
  protected get isWaiting(): boolean {
    return false;
  }
  /** Time passes, if anything needs it. */
  protected async pass(): Promise<void> {}

  async ask(request: Partial<FileRequest> & { kind: FileRequest["kind"] }): Promise<FileAnswer> {
    let answer: FileAnswer | undefined;
    this.fileSystem.handle({ node: ROOT_ID, uid: 0, gid: 0, pid: 1, ...request } as FileRequest, (given) => {
      // Names are read while they are told, as the kernel's buffer is filled.
      answer = given.kind === "names" ? { kind: "names", names: [...given.names] } : given;
    });
    for (let turn = 0; answer === undefined && (turn < 50 || this.isWaiting) && turn < 2000; turn++) {
      if (turn > 0) await this.pass();
      await this.settle();
    }
    if (answer === undefined) throw new Error(`no answer to ${request.kind}`);
    return answer;
  }

  async must<Kind extends FileAnswer["kind"]>(
    kind: Kind,
    request: Partial<FileRequest> & { kind: FileRequest["kind"] },
  ): Promise<Extract<FileAnswer, { kind: Kind }>> {
    const answer = await this.ask(request);
    if (answer.kind !== kind)
      throw new Error(`${request.kind}: ${isError(answer) ? answer.errno : answer.kind}`);
    return answer as Extract<FileAnswer, { kind: Kind }>;
  }

  /** The node at a path, as the kernel walks there. */
  async walk(path: string): Promise<number> {
    let node = ROOT_ID;
    for (const name of path.split("/").filter((each) => each !== ""))
      node = (await this.must("entry", { kind: "lookup", node, name })).attributes.node;
    return node;
  }

  async #parent(path: string): Promise<{ node: number; name: string }> {
    const parts = path.split("/");
    const name = parts.pop() ?? "";
    return { node: await this.walk(parts.join("/")), name };
  }

  /** Writes a file anew and closes it; answers what close says. */
  async write(path: string, text: string): Promise<number> {
    const { node, handle } = await this.openNew(path);
    const data = new Uint8Array(Buffer.from(text));
    await this.must("written", { kind: "write", node, handle, position: 0, data });
    const flushed = await this.ask({ kind: "flush", node, handle });
    await this.ask({ kind: "release", node, handle });
    return isError(flushed) ? flushed.errno : 0;
  }

  async openNew(path: string): Promise<{ node: number; handle: number }> {
    const { node: parent, name } = await this.#parent(path);
    const found = await this.ask({ kind: "lookup", node: parent, name });
    if (found.kind === "entry") {
      const { node } = found.attributes;
      return { node, handle: (await this.must("opened", { kind: "open", node, flags: 0o1001 })).handle };
    }
    const made = await this.must("created", { kind: "create", node: parent, name, flags: 1, mode: 0o644 });
    return { node: made.entry.attributes.node, handle: made.opened.handle };
  }

  async read(path: string): Promise<string> {
    const node = await this.walk(path);
    const { handle } = await this.must("opened", { kind: "open", node, flags: 0 });
    const { data } = await this.must("data", { kind: "read", node, handle, position: 0, bytes: 1_000_000 });
    const text = Buffer.from(data).toString();
    await this.ask({ kind: "release", node, handle });
    return text;
  }

  async list(path = ""): Promise<string[]> {
    const node = await this.walk(path);
    const { handle } = await this.must("opened", { kind: "opendir", node, flags: 0 });
    const { names } = await this.must("names", {
      kind: "readdir",
      node,
      handle,
      position: 0,
      bytes: 1e6,
      plus: true,
    });
    return [...names]
      .map(({ name }) => name)
      .filter((name) => name !== "." && name !== "..")
      .sort();
  }

  async #error(request: Partial<FileRequest> & { kind: FileRequest["kind"] }): Promise<number> {
    const answer = await this.ask(request);
    return isError(answer) ? answer.errno : 0;
  }

  async mkdir(path: string): Promise<number> {
    return this.#error({ kind: "mkdir", ...(await this.#parent(path)), mode: 0o755 });
  }

  async remove(path: string, kind: "unlink" | "rmdir" = "unlink"): Promise<number> {
    return this.#error({ kind, ...(await this.#parent(path)) });
  }

  async rename(from: string, to: string, flags = 0): Promise<number> {
    const target = await this.#parent(to);
    const given = { to: target.node, newName: target.name, flags };
    return this.#error({ kind: "rename", ...(await this.#parent(from)), ...given });
  }

  /** A whole tree as this mount shows it. */
  async tree(path = ""): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const name of await this.list(path)) {
      const below = path === "" ? name : `${path}/${name}`;
      const node = await this.walk(below);
      const { attributes } = await this.must("attributes", { kind: "getattr", node });
      if ((attributes.mode & 0o170000) !== 0o040000) found[below] = await this.read(below);
      else Object.assign(found, { [`${below}/`]: "" }, await this.tree(below));
    }
    return found;
  }
}
