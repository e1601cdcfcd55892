// If one of these fails, a command cannot ask a control daemon, a broken client harms one, or a
// daemon's death is a command's.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import parseText from "parse-prometheus-text-format";
import { describe, expect, it } from "vitest";
import type { Transact } from "../../../../control/kernel/calls.js";
import { statusError } from "../../../../control/kernel/errors.js";
import { callsMax } from "../../../../control/node/control/api.js";
import { rpcOf, rpcRequest, rpcRequestSchema } from "../../../../control/node/control/documents.js";
import { bodyBytesMax } from "../../../../control/node/control/http.js";
import { clientOf, daemon, echo, folder, open } from "./daemons.js";
import { FakePool, fakeNode } from "./fake-pool.js";

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

  it("takes how far a machine has booted to the pool", async () => {
    const { pool, client } = await daemon();
    const report = { mac: "02:00:00:00:00:07", name: "m1", kind: "metal", step: "loading" } as const;
    await client.booting(report);
    expect(pool.reports).toEqual([report]);
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
      ["booting", "0"],
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
    ["POST", "/v1/boots", "", 400, "CONTROL_REQUEST"],
    ["POST", "/v1/boots", '{"mac":"1","name":"m1","kind":"metal","step":"asked"}', 400, "CONTROL_REQUEST"],
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
