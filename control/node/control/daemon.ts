// A control daemon of this machine: a kernel of its own, the store, the pool (control/server/pool)
// and the API, put together and taken apart.
//
// - Begins with what can be refused at once: files, the socket of a daemon that runs. What was
//   begun when something later fails is closed again.
// - Ends by leaving the other daemons with a word: `stop`. They notice a daemon that just dies.

import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { PoolService } from "../../interface/pool.js";
import { trans } from "../../kernel/calls.js";
import { Pool } from "../../server/pool/pool.js";
import type { Store } from "../../store/store.js";
import { parseListen } from "../config/listen.js";
import type { ConfigValues } from "../config/settings.js";
import { type RunningKernel, startKernel } from "../start.js";
import { EmbeddedStore } from "../store/embedded/store.js";
import { EtcdStore } from "../store/etcd/store.js";
import { after } from "../timer.js";
import { Api } from "./api.js";
import { parseStore, type StorePlace, storeText } from "./places.js";
import { type ControlServer, requireFree, serveControl, type TlsAddress } from "./server.js";
import { readTls } from "./token.js";

export interface DaemonOptions {
  readonly values: ConfigValues;
  /** The bytes of kernel.wasm. */
  readonly wasm: Uint8Array;
  readonly version: string;
  /** A line for people. */
  readonly say: (line: string) => void;
  /** A part did not do something; the daemon goes on. */
  readonly failed: (error: unknown) => void;
  /** The kernel is dead: the daemon can only end. */
  readonly dead: (error: unknown) => void;
}

export interface Daemon {
  readonly pool: PoolService;
  readonly server: ControlServer;
  readonly interfaces: readonly string[];
  /** As the setting would have it. */
  readonly store: string;
  /** Leaves the other daemons, and ends. */
  stop(): Promise<void>;
}

/** In etcd each pool has keys of its own; an embedded store is one pool's anyway. */
function openStore(place: StorePlace, pool: string): Promise<Store> {
  return place.kind === "embedded"
    ? EmbeddedStore.open(place.folder)
    : EtcdStore.open({ endpoints: place.endpoints, prefix: `proteus/control/${pool}/` });
}

function tlsOf(values: ConfigValues): TlsAddress | undefined {
  const { listen } = parseListen(values["control.listen"]);
  if (listen.kind !== "tcp") return undefined;
  const { host, port } = listen;
  const files = {
    certificate: values["control.tls_cert"],
    key: values["control.tls_key"],
    token: values["control.token_file"],
  };
  return { host, port, ...readTls({ host, ...files }) };
}

/** Starts a daemon; resolves when it answers. Rejects with the error of whatever part refuses. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { values, wasm, version, say, failed, dead } = options;
  const tls = tlsOf(values);
  const socket = values["control.socket"];
  await requireFree(socket);
  const { place } = parseStore(values["control.store"]);
  const name = values["node.name"];
  const began = performance.now();
  /** What has to be closed when a later step fails, the last first. */
  const begun: (() => unknown)[] = [];
  try {
    const running: RunningKernel = await startKernel({
      ...{ wasm, interfaces: values["control.interfaces"], say, failed: dead, prompt: true, endHost: true },
    });
    begun.unshift(() => running.close());
    const { kernel } = running;
    const store = await openStore(place, values["pool.name"]);
    begun.unshift(() => store.close());
    const pool = await Pool.open({
      ...{ kernel, after, random: randomBytes, now: Date.now, elapsed: () => performance.now() },
      ...{ pool: values["pool.name"], name, store, failed },
    });
    begun.unshift(() => pool.close());
    const interfaces = running.interfaces.map((device) => device.name);
    const api = new Api({
      pool,
      call: (header, data, how) => trans(kernel, header, data, how),
      about: () => ({
        ...{ schema: 1, pool: pool.pool, name, pid: process.pid, version },
        uptimeSeconds: Math.floor((performance.now() - began) / 1000),
        ...{ store: storeText(place), interfaces },
      }),
    });
    const server = await serveControl(api, { socket, tls, failed });
    const stop = async (): Promise<void> => {
      await server.close();
      await pool.leave();
      await running.finish();
      await store.close();
    };
    return { pool, server, interfaces, store: storeText(place), stop };
  } catch (error) {
    for (const close of begun) await close();
    throw error;
  }
}
