// Where NBD is served: if one of these fails, a stranger can connect, a client that says nothing holds
// its place for ever, or a server that ends loses what it was doing.

import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type NbdServeOptions, type NbdServer, serveNbd } from "../../../control/node/nbd.js";
import { BLOCK_BYTES } from "../../../control/server/disk/disk.js";
import * as nbd from "../../../control/server/disk/nbd/protocol.js";
import { MemoryDisk } from "../server/disk/memory-disk.js";
import { infoData, option, request, words } from "../server/disk/nbd/client.js";

let folder = "";
let path = "";
const servers: NbdServer[] = [];
const clients: Client[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "proteus-nbd-"));
  path = join(folder, "socket");
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const server of servers.splice(0)) await server.close();
  rmSync(folder, { recursive: true });
});

/** A socket whose bytes can be waited for. */
class Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #arrived: () => void = () => undefined;

  constructor(to: string | number) {
    this.socket = typeof to === "string" ? connect(to) : connect(to, "127.0.0.1");
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => resolve());
    });
    this.socket.on("data", (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#arrived();
    });
    clients.push(this);
  }

  async take(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes)
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  async go(name: string): Promise<void> {
    await this.take(18);
    this.socket.write(Buffer.concat([words([32, 3]), option(nbd.OPT_GO, infoData(name))]));
    await this.take(20 + 12 + 20 + 14 + 20);
  }

  /** Reads the first bytes of the disk. */
  async read(length: number): Promise<Buffer> {
    this.socket.write(request({ type: nbd.CMD_READ, length }));
    return (await this.take(16 + length)).subarray(16);
  }
}

const disk = (): MemoryDisk => new MemoryDisk(256);

async function serve(options: Partial<NbdServeOptions> = {}): Promise<NbdServer> {
  const server = await serveNbd({
    listen: { kind: "unix", path },
    exports: [{ name: "d", disk: disk() }],
    ...options,
  });
  servers.push(server);
  return server;
}

describe("an NBD server at a Unix socket", () => {
  it("is its user's alone, and leaves nothing behind", async () => {
    const server = await serve();
    expect(server.address).toBe(`unix:${path}`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it("replaces what a dead process left, and nothing else", async () => {
    writeFileSync(path, "somebody's");
    await expect(serve()).rejects.toMatchObject({ code: "NBD_LISTEN" });
    rmSync(path);
    const server = await serve();
    await expect(serve()).rejects.toMatchObject({ code: "NBD_LISTEN", why: /another program/ });
    await server.close();
    await serve();
  });

  it("says why it cannot listen", async () => {
    chmodSync(folder, 0o500);
    const listen = { kind: "unix", path: join(folder, "no", "such", "folder") } as const;
    await expect(serve({ listen })).rejects.toMatchObject({ code: "NBD_LISTEN", hint: /--nbd/ });
    chmodSync(folder, 0o700);
  });
});

describe("an NBD server", () => {
  it("is on loopback when it is on TCP and nothing else is said", async () => {
    const server = await serve({ listen: { kind: "tcp", port: 0 } });
    expect(server.address).toBe(`tcp:127.0.0.1:${server.port}`);
    const client = new Client(server.port);
    await client.go("d");
    expect(await client.read(100)).toEqual(Buffer.alloc(100));
  });

  it("says when somebody else has the port", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await expect(serve({ listen: { kind: "tcp", port } })).rejects.toMatchObject({ code: "NBD_LISTEN" });
    await new Promise((resolve) => other.close(resolve));
  });

  it("refuses a certificate that is none", async () => {
    const tls = { cert: "no", key: "no", required: true };
    await expect(serve({ tls })).rejects.toMatchObject({ code: "NBD_TLS" });
  });

  it("disconnects a client that chooses nothing in time, and nobody else", async () => {
    const dropped: string[] = [];
    await serve({ handshakeMs: 100, dropped: (why) => dropped.push(why) });
    const quick = new Client(path);
    await quick.go("d");
    const slow = new Client(path);
    await slow.take(18);
    await slow.closed;
    expect(dropped).toHaveLength(1);
    expect(await quick.read(3)).toHaveLength(3);
  });

  it("takes no more clients than it may, and others when some have left", async () => {
    await serve({ connectionsMax: 2 });
    const [first, second] = [new Client(path), new Client(path)];
    await first.go("d");
    await second.go("d");
    await new Client(path).closed;
    first.socket.destroy();
    await first.closed;
    for (let tries = 0; ; tries++) {
      const next = new Client(path);
      const isServed = await Promise.race([next.take(18).then(() => true), next.closed.then(() => false)]);
      if (isServed) break;
      expect(tries).toBeLessThan(1000);
    }
  });

  it("harms nobody when a client speaks nonsense", async () => {
    const dropped: string[] = [];
    await serve({ dropped: (why) => dropped.push(why) });
    const good = new Client(path);
    await good.go("d");
    const bad = new Client(path);
    await bad.go("d");
    bad.socket.write(Buffer.alloc(100, 1));
    await bad.closed;
    expect(dropped).toEqual(["it sent what is no request"]);
    expect(await good.read(10)).toHaveLength(10);
  });

  it("answers what is under way when it ends", async () => {
    const slow = disk();
    let go = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      slow.before = () => {
        resolve();
        return new Promise((end) => {
          go = end;
        });
      };
    });
    const server = await serve({ exports: [{ name: "d", disk: slow }] });
    const client = new Client(path);
    await client.go("d");
    const reading = client.read(BLOCK_BYTES);
    await begun;
    const closed = server.close();
    go();
    expect(await reading).toHaveLength(BLOCK_BYTES);
    await client.closed;
    await closed;
  });

  it("cuts off a client that does not take its answers when it ends", async () => {
    const server = await serve({ drainMs: 100, exports: [{ name: "d", disk: new MemoryDisk(8192) }] });
    const client = new Client(path);
    await client.go("d");
    client.socket.pause();
    for (let count = 0; count < 3; count++)
      client.socket.write(request({ type: nbd.CMD_READ, length: 8 * 1024 * 1024 }));
    await server.close();
  });

  it("takes exports away and adds others while it serves", async () => {
    const server = await serve();
    server.add({ name: "e", disk: disk() });
    const [first, second] = [new Client(path), new Client(path)];
    await first.go("d");
    await second.go("e");
    expect([server.connections("d"), server.connections("e")]).toEqual([1, 1]);
    await server.remove("d");
    await first.closed;
    expect(server.connections("d")).toBe(0);
    expect(await second.read(5)).toHaveLength(5);
  });
});
