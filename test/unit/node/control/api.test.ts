// If one of these fails, a command cannot ask a control daemon, a broken client harms one, or a
// daemon's death is a command's.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import parseText from "parse-prometheus-text-format";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Transact } from "../../../../control/kernel/calls.js";
import { statusError } from "../../../../control/kernel/errors.js";
import { Api, callsMax } from "../../../../control/node/control/api.js";
import { ControlClient } from "../../../../control/node/control/client.js";
import { rpcOf, rpcRequest, rpcRequestSchema } from "../../../../control/node/control/documents.js";
import { bodyBytesMax } from "../../../../control/node/control/http.js";
import { parseEndpoints, parseStore } from "../../../../control/node/control/places.js";
import {
  type ControlServer,
  serveControl,
  type TlsAddress,
} from "../../../../control/node/control/server.js";
import { readTls, readToken } from "../../../../control/node/control/token.js";
import { FakePool, fakeNode } from "./fake-pool.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "control-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open: { close(): Promise<void> }[] = [];
const failures: unknown[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  expect(failures.splice(0)).toEqual([]);
});

const about = {
  ...{ schema: 1 as const, pool: "fake", name: "c1", pid: 1, version: "1.0.0", uptimeSeconds: 1 },
  ...{ store: "embedded:/x", interfaces: ["eth0"] },
};
const silent: Transact = () => Promise.reject(new Error("nobody calls here"));
/** Answers with what it was asked, as the echo server does. */
const echo: Transact = async ({ port, private: part = new Uint8Array(10), ...rest }, data) => ({
  header: { command: 0, status: 0, offset: 0, size: 0, extra: 0, ...rest, port, private: part },
  data,
});

async function daemon(
  pool = new FakePool(fakeNode("n1"), fakeNode("n2")),
  { call = silent, tls, name = "control.sock" }: { call?: Transact; tls?: TlsAddress; name?: string } = {},
): Promise<{ pool: FakePool; server: ControlServer; client: ControlClient }> {
  const socket = join(folder, name);
  const api = new Api({ pool, call, about: () => about });
  const server = await serveControl(api, { socket, tls, failed: (error) => failures.push(error) });
  open.push(server);
  return { pool, server, client: clientOf(socket) };
}

const clientOf = (text: string, more = {}): ControlClient =>
  new ControlClient({ endpoints: parseEndpoints(text), timeoutMs: 1000, ...more });

/** One request as a stranger makes it. */
function raw(
  socketPath: string,
  method: string,
  path: string,
  { body = "", headers = {} }: { body?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; document: { error?: { code: string; why?: string } } }> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, document: JSON.parse(text) }));
    });
    asking.on("error", reject).end(body);
  });
}

describe("the API of a control daemon", () => {
  it("answers what the pool knows", async () => {
    const { pool, client } = await daemon();
    expect((await client.nodes()).map(({ name, state }) => [name, state])).toEqual([
      ["n1", "up"],
      ["n2", "up"],
    ]);
    expect(await client.node("n2")).toEqual(fakeNode("n2"));
    expect(await client.daemons()).toEqual(pool.members);
    expect(await client.faults()).toEqual([]);
    expect(await client.about()).toMatchObject({ pool: "fake", name: "c1" });
  });

  it("drains, undrains and forgets machines, whatever they are called", async () => {
    const odd = fakeNode("n1#e7/c%f ü", { state: "unreachable" });
    const { pool, client } = await daemon(new FakePool(odd));
    expect(await client.drain(odd.name)).toMatchObject({ name: odd.name, draining: true });
    expect(await client.drain(odd.name, false)).toMatchObject({ draining: false, state: "up" });
    await expect(client.forget(odd.name)).rejects.toMatchObject({ code: "NODE_IN_USE" });
    pool.known.set(odd.name, odd);
    await client.forget(odd.name);
    expect(await client.nodes()).toEqual([]);
  });

  it("passes on what the pool refuses, with its words and exit code", async () => {
    const { client } = await daemon();
    await expect(client.drain("n9")).rejects.toMatchObject({
      ...{ code: "NODE_UNKNOWN", exit: 3, why: "it has n1, n2", hint: "proteus node list" },
    });
  });

  it("streams changes from the moment that it says so, and ends cleanly", async () => {
    const { pool, server, client } = await daemon();
    const seen: unknown[] = [];
    for await (const event of client.events(new AbortController().signal)) {
      seen.push(event);
      if (event === null) pool.tell("lost", "n1");
      else if (event.kind === "lost") pool.tell("back", "n1");
      else await server.close();
    }
    expect(seen).toEqual([
      null,
      { order: 1, kind: "lost", subject: "n1" },
      { order: 2, kind: "back", subject: "n1" },
    ]);
    expect(pool.listeners.size).toBe(0);
  });

  it("forgets a reader that has gone away", async () => {
    const { pool, client } = await daemon();
    const abort = new AbortController();
    for await (const event of client.events(abort.signal)) if (event === null) abort.abort();
    await expect.poll(() => pool.listeners.size).toBe(0);
  });

  it("has metrics that Prometheus reads", async () => {
    const pool = new FakePool(fakeNode("n1"), fakeNode("n2", { state: "unreachable", silentMs: 5000 }));
    const { client } = await daemon(pool);
    const families = parseText(await client.metrics());
    const states = families.find(({ name }) => name === "proteus_pool_nodes")?.metrics ?? [];
    expect(states.map(({ labels, value }) => [labels?.state, value])).toEqual([
      ["up", "1"],
      ["unreachable", "1"],
      ["draining", "0"],
      ["down", "0"],
    ]);
    pool.known.delete("n2");
    expect(await client.metrics()).not.toContain('node="n2"');
  });

  it.each([
    ["GET", "/v2/nodes", "", 404, "CONTROL_UNKNOWN"],
    ["GET", "/v1/nodes/n1/drain/now", "", 404, "CONTROL_UNKNOWN"],
    ["GET", "/v1/nodes/n1/drain", "", 405, "CONTROL_METHOD"],
    ["DELETE", "/v1/nodes", "", 405, "CONTROL_METHOD"],
    ["PUT", "/v1/nodes", "", 405, "CONTROL_METHOD"],
    ["GET", "/v1/nodes/n9", "", 404, "NODE_UNKNOWN"],
    ["GET", "/v1/nodes/%E0%A4%A", "", 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", "", 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", "{", 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", "[]", 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"port":"a1a2a3a4a5a6"}', 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"port":"a1","command":1}', 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"command":1}', 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"port":"a1a2a3a4a5a6","command":1,"data":"?"}', 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"port":"a1a2a3a4a5a6","command":70000}', 400, "CONTROL_REQUEST"],
    ["POST", "/v1/rpc", '{"port":"a1a2a3a4a5a6","command":1,"pollMs":1e9}', 400, "CONTROL_REQUEST"],
  ])("refuses %s %s %s", async (method, path, body, status, code) => {
    const { server } = await daemon();
    const answer = await raw(server.socket, method, path, { body });
    expect(answer).toMatchObject({ status, document: { schema: 1, error: { code } } });
  });

  it("refuses what is too large, what is no HTTP, and web pages, and goes on", async () => {
    const { server, client } = await daemon();
    const body = "x".repeat(bodyBytesMax + 1);
    expect(await raw(server.socket, "POST", "/v1/rpc", { body })).toMatchObject({ status: 413 });
    const headers = { origin: "http://example.org" };
    const web = await raw(server.socket, "GET", "/v1/nodes", { headers });
    expect(web).toMatchObject({ status: 403, document: { error: { code: "CONTROL_ORIGIN" } } });
    const rubbish = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connect(server.socket).on("error", reject);
      socket.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      socket.on("close", () => resolve(text)).write("HELLO\0\r\n\r\n");
    });
    expect(rubbish).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n.*"code":"CONTROL_REQUEST"/s);
    expect(await client.nodes()).toHaveLength(2);
  });

  it("survives any request", async () => {
    const { server, client } = await daemon(undefined, { call: echo });
    const path = fc.constantFrom("/v1/rpc", "/v1/nodes/n1/drain", "/v1/nodes", "//", "/v1/nodes//x");
    const method = fc.constantFrom("GET", "POST", "DELETE", "PATCH");
    await fc.assert(
      fc.asyncProperty(method, path, fc.oneof(fc.json(), fc.string()), async (verb, where, body) => {
        const { status, document } = await raw(server.socket, verb, where, { body });
        expect(status).toBeLessThan(500);
        expect("error" in document).toBe(status !== 200);
      }),
      { numRuns: 100 },
    );
    expect(await client.nodes()).toHaveLength(2);
  });
});

describe("calls through a daemon", () => {
  const header = {
    ...{ port: Uint8Array.of(1, 2, 3, 4, 5, 6), private: new Uint8Array(10).fill(7) },
    ...{ command: 1004, offset: -5, size: 6, extra: 7 },
  };

  it("arrive as they were made, with the caller's capability, and come back so", async () => {
    const seen: unknown[] = [];
    const call: Transact = (asked, data, options) => {
      seen.push({ asked, options });
      return echo(asked, data, options);
    };
    const { client } = await daemon(undefined, { call });
    const data = Uint8Array.from({ length: 100_000 }, (_, index) => index);
    const reply = await client.call(header, data, { locateTimeoutMs: 100, replyBytesMax: 100_000 });
    expect(seen).toEqual([{ asked: header, options: { locateTimeoutMs: 100, replyBytesMax: 100_000 } }]);
    expect(Buffer.compare(reply.data, data)).toBe(0);
    expect(reply.header).toMatchObject({ port: header.port, private: header.private, offset: -5, extra: 7 });
  });

  it("keep every header and every byte, as documents", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const word = fc.integer({ min: 0, max: 65535 });
    const headers = fc.record({
      ...{ port: bytes(6), private: bytes(10), command: word, size: word, extra: word },
      offset: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    });
    fc.assert(
      fc.property(headers, fc.uint8Array({ maxLength: 300 }), (asked, data) => {
        const document = JSON.parse(JSON.stringify(rpcRequest(asked, data, { deadMs: 5 })));
        const back = rpcOf(rpcRequestSchema.parse(document));
        expect(back.header).toEqual(asked);
        expect(Buffer.compare(back.data, data)).toBe(0);
        expect(back.options).toEqual({ deadMs: 5 });
      }),
    );
  });

  it("fail as they do without one", async () => {
    const call: Transact = () => Promise.reject(statusError(-2, "the call"));
    const { client } = await daemon(undefined, { call });
    const own = statusError(-2, "the call");
    const { code, exit, why, unchanged, hint } = own;
    await expect(client.call(header, new Uint8Array(0), {})).rejects.toMatchObject({
      ...{ code, exit, why, unchanged, hint, message: own.message },
    });
  });

  it("are so many at one time and no more", async () => {
    let finish: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun = 0;
    const call: Transact = async (...asked) => {
      begun++;
      await gate;
      return echo(...asked);
    };
    const { client } = await daemon(undefined, { call });
    const calls = Array.from({ length: callsMax }, () => client.call(header, new Uint8Array(0), {}));
    await expect.poll(() => begun).toBe(callsMax);
    await expect(client.call(header, new Uint8Array(0), {})).rejects.toMatchObject({ code: "CONTROL_BUSY" });
    finish();
    await Promise.all(calls);
    await client.call(header, new Uint8Array(0), {});
  });
});

describe("the socket of a control daemon", () => {
  it("is for its owner alone", async () => {
    const { server } = await daemon(undefined, { name: "own/control.sock" });
    expect(statSync(server.socket).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "own")).mode & 0o777).toBe(0o700);
  });

  it("is not made where others could put one", async () => {
    mkdirSync(join(folder, "shared"));
    chmodSync(join(folder, "shared"), 0o777);
    await expect(daemon(undefined, { name: "shared/control.sock" })).rejects.toMatchObject({
      ...{ code: "CONTROL_SOCKET", why: expect.stringContaining("others may write") },
    });
  });

  it("of a living daemon is left alone, of a dead one replaced", async () => {
    const { client, server } = await daemon();
    await expect(daemon()).rejects.toMatchObject({ code: "CONTROL_RUNNING" });
    expect(await client.nodes()).toHaveLength(2);
    await server.close();
    open.splice(0);
    const program = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    expect(() => execFileSync(process.execPath, ["-e", program, server.socket])).toThrow();
    expect(statSync(server.socket).isSocket()).toBe(true);
    await daemon();
    expect(await client.nodes()).toHaveLength(2);
  });

  it("never takes the place of a file", async () => {
    writeFileSync(join(folder, "precious"), "x");
    await expect(daemon(undefined, { name: "precious" })).rejects.toMatchObject({ code: "CONTROL_SOCKET" });
    expect(statSync(join(folder, "precious")).size).toBe(1);
  });
});

describe("several daemons", () => {
  /** Takes connections and says nothing. */
  async function hanging(name: string): Promise<Server> {
    const server = createServer((socket) => socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => {
      server.listen(join(folder, name), resolve);
    });
    open.push({
      close: () =>
        new Promise((resolve) => {
          server.close(() => resolve());
        }),
    });
    return server;
  }

  it("are asked in turn: one that died, and one that hangs, is passed over", async () => {
    await daemon(undefined, { call: echo });
    await hanging("hangs");
    const some = clientOf(`${folder}/gone, ${folder}/hangs, ${folder}/control.sock`, { timeoutMs: 200 });
    expect(await some.nodes()).toHaveLength(2);
    expect(some.where).toBe(`${folder}/control.sock`);
    expect(await some.drain("n1")).toMatchObject({ draining: true });
    const port = new Uint8Array(6);
    expect(await some.call({ port }, new Uint8Array(3), {})).toMatchObject({ header: { status: 0 } });
    const fresh = clientOf(`${folder}/gone,${folder}/control.sock`);
    expect(await fresh.call({ port }, new Uint8Array(3), {})).toMatchObject({ header: { status: 0 } });
  });

  it("do not execute a call twice when one dies in the middle", async () => {
    let executed = 0;
    const call: Transact = (...asked) => {
      executed++;
      return echo(...asked);
    };
    await daemon(undefined, { call });
    const dying = createServer((socket) =>
      socket.on("data", () => socket.destroy()).on("error", () => undefined),
    );
    await new Promise<void>((resolve) => {
      dying.listen(join(folder, "dies"), resolve);
    });
    open.push({ close: () => new Promise((resolve) => dying.close(() => resolve())) });
    const client = clientOf(`${folder}/dies,${folder}/control.sock`);
    await expect(client.call({ port: new Uint8Array(6) }, new Uint8Array(0), {})).rejects.toMatchObject({
      ...{ code: "CONTROL_SILENT", exit: 5, unchanged: "it may or may not have forwarded the call" },
    });
    expect(executed).toBe(0);
    expect(await client.nodes()).toHaveLength(2);
  });

  it("that are all gone, or all silent, are errors that say what to do", async () => {
    await expect(clientOf(`${folder}/a,${folder}/b`).nodes()).rejects.toMatchObject({
      ...{ code: "CONTROL_NONE", exit: 5, hint: expect.stringContaining("proteus control start") },
    });
    await hanging("hangs");
    await expect(clientOf(`${folder}/hangs`, { timeoutMs: 100 }).nodes()).rejects.toMatchObject({
      ...{ code: "CONTROL_SILENT", exit: 5, why: expect.stringContaining("no answer within 0.1 s") },
    });
  });

  it("that are something else are not believed", async () => {
    const server = createServer((socket) =>
      socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")),
    );
    await new Promise<void>((resolve) => {
      server.listen(join(folder, "other"), resolve);
    });
    open.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
    await expect(clientOf(`${folder}/other`).nodes()).rejects.toMatchObject({ code: "ANSWER_WRONG" });
  });
});

describe("a daemon on TCP", () => {
  const token = "0123456789abcdef0123";
  let tls: TlsAddress;

  beforeAll(() => {
    const [key, cert, file] = ["k.pem", "c.pem", "token"].map((name) => join(folder, name));
    if (key === undefined || cert === undefined || file === undefined) throw new Error("no paths");
    const subject = ["-subj", "/CN=proteus", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    const read = readTls({ host: "127.0.0.1", certificate: cert, key, token: file });
    tls = { host: "127.0.0.1", port: 0, ...read };
  });

  it("answers who has the token and believes its certificate, and nobody else", async () => {
    const { server } = await daemon(undefined, { tls, call: echo });
    const address = server.address ?? "";
    const authority = tls.cert;
    const right = clientOf(address, { authority, token });
    expect(await right.nodes()).toHaveLength(2);
    const reply = await right.call({ port: new Uint8Array(6) }, Uint8Array.of(1, 2, 3), {});
    expect([...reply.data]).toEqual([1, 2, 3]);
    for (const wrong of [`${token}4`, token.slice(1), "", "x".repeat(5000)])
      await expect(clientOf(address, { authority, token: wrong }).nodes()).rejects.toMatchObject({
        ...{ code: "CONTROL_TOKEN", exit: 4 },
      });
    await expect(clientOf(address, { token }).nodes()).rejects.toMatchObject({
      ...{ code: "CONTROL_UNTRUSTED", exit: 4, hint: expect.stringContaining("--control-ca") },
    });
  });

  it("speaks no older TLS, and nothing without it", async () => {
    const { server } = await daemon(undefined, { tls });
    const port = Number(new URL(server.address ?? "").port);
    const asking = new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port, path: "/v1/nodes", agent: false }, resolve)
        .on("error", reject)
        .end();
    });
    await expect(asking).rejects.toThrow();
    const { connect: connectTls } = await import("node:tls");
    const old = new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, rejectUnauthorized: false };
      connectTls({ ...options, minVersion: "TLSv1.1", maxVersion: "TLSv1.1" }, () => resolve("connected")).on(
        "error",
        reject,
      );
    });
    await expect(old).rejects.toThrow();
    expect(() => parseEndpoints("http://127.0.0.1:1")).toThrow(
      expect.objectContaining({ code: "CONTROL_INVALID", hint: expect.stringContaining("https://") }),
    );
  });

  it("is refused without certificate, key and token, with the way to make them", () => {
    expect(() => readTls({ host: "10.0.0.7", certificate: "", key: "", token: "" })).toThrow(
      expect.objectContaining({
        ...{ code: "CONTROL_TLS", exit: 2, why: expect.stringContaining("control.tls_cert") },
        hint: expect.stringMatching(/openssl req -x509 .*IP:10\.0\.0\.7 .*openssl rand/),
      }),
    );
    const wrong = () => daemon(undefined, { tls: { ...tls, key: Buffer.from("no key") } });
    return expect(wrong()).rejects.toMatchObject({ code: "CONTROL_TLS" });
  });

  it("takes no token that others can read, or that is short", () => {
    const path = join(folder, "other-token");
    const refused = (text: string, mode: number): void => {
      writeFileSync(path, text, { mode });
      chmodSync(path, mode);
      expect(() => readToken(path)).toThrow(expect.objectContaining({ code: "CONTROL_TOKEN_FILE" }));
    };
    for (const mode of [0o640, 0o604, 0o622]) refused(token, mode);
    for (const text of ["", "short", "two words of some length"]) refused(text, 0o600);
    expect(() => readToken(join(folder, "none"))).toThrow(
      expect.objectContaining({ exit: 3, hint: expect.stringContaining("openssl rand") }),
    );
  });
});

describe("places", () => {
  it("name daemons by sockets and https addresses", () => {
    expect(parseEndpoints("/run/a.sock, https://n1:99,https://[::1]")).toEqual([
      { kind: "unix", path: "/run/a.sock" },
      { kind: "tls", host: "n1", port: 99 },
      { kind: "tls", host: "::1", port: 9533 },
    ]);
    for (const text of ["", ",", "ftp://x", "https://n1/path", "https://u@n1", "https://"])
      expect(() => parseEndpoints(text), text).toThrow(expect.objectContaining({ code: "CONTROL_INVALID" }));
  });

  it("name stores", () => {
    expect(parseStore("embedded:/srv/pool").place).toEqual({ kind: "embedded", folder: "/srv/pool" });
    expect(parseStore("etcd://a:1,b:2").place).toEqual({ kind: "etcd", endpoints: ["a:1", "b:2"] });
    for (const text of ["", "etcd://", "etcd://a", "embedded:x", "redis://a:1"])
      expect(parseStore(text).fault, text).toBeDefined();
  });
});
