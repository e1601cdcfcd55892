// Control daemons for tests: each on a socket in a folder of its own, with a pool that is made up.
// Whoever imports this has them closed after each test, and the folder removed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect } from "vitest";
import type { Transact } from "../../../../control/kernel/calls.js";
import { Api } from "../../../../control/node/control/api.js";
import { ControlClient } from "../../../../control/node/control/client.js";
import { parseEndpoints } from "../../../../control/node/control/places.js";
import {
  type ControlServer,
  serveControl,
  type TlsAddress,
} from "../../../../control/node/control/server.js";
import { FakePool, fakeNode } from "./fake-pool.js";

export const folder = mkdtempSync(join(tmpdir(), "control-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Closed after each test. */
export const open: { close(): Promise<void> }[] = [];
const failures: unknown[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  expect(failures.splice(0)).toEqual([]);
});

const about = {
  ...{ schema: 1 as const, pool: "fake", name: "c1", pid: 1, version: "1.0.0", uptimeSeconds: 1 },
  ...{ store: "embedded:/x", interfaces: ["eth0"] },
};
export const silent: Transact = () => Promise.reject(new Error("nobody calls here"));
/** Answers with what it was asked, as the echo server does. */
export const echo: Transact = async ({ port, private: part = new Uint8Array(10), ...rest }, data) => ({
  header: { command: 0, status: 0, offset: 0, size: 0, extra: 0, ...rest, port, private: part },
  data,
});

/** A control daemon on a socket in `folder`, and a client of it. */
export async function daemon(
  pool = new FakePool(fakeNode("n1"), fakeNode("n2")),
  { call = silent, tls, name = "control.sock" }: { call?: Transact; tls?: TlsAddress; name?: string } = {},
): Promise<{ pool: FakePool; server: ControlServer; client: ControlClient }> {
  const socket = join(folder, name);
  const api = new Api({ pool, call, about: () => about });
  const server = await serveControl(api, { socket, tls, failed: (error) => failures.push(error) });
  open.push(server);
  return { pool, server, client: clientOf(socket) };
}

export const clientOf = (text: string, more = {}): ControlClient =>
  new ControlClient({ endpoints: parseEndpoints(text), timeoutMs: 1000, ...more });
