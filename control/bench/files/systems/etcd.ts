// Names in etcd: Debian's server, one member or three, through the connection that the store in
// etcd uses. A name is a key, a capability its value; each update a key of its own.

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { EtcdConnection } from "../../../node/store/etcd/connection.js";
import { methods } from "../../../node/store/etcd/protocol.js";
import { Program } from "../../programs.js";
import { beginOf, contentOf, type FileSystemUnderTest } from "../system.js";

const clientPort = 2379;
const peerPort = 2380;
const readyMs = 20_000;
const names = 64;

export const etcd: FileSystemUnderTest = {
  async serve({ folder, addresses, member }) {
    const address = addresses[member] ?? "";
    const url = (host: string, port: number) => `http://${host}:${port}`;
    const cluster = addresses.map((each, index) => `m${index}=${url(each, peerPort)}`).join(",");
    const program = new Program("etcd", [
      ...["etcd", "--name", `m${member}`, "--data-dir", join(folder, "etcd"), "--log-level", "error"],
      ...["--listen-client-urls", url(address, clientPort)],
      ...["--advertise-client-urls", url(address, clientPort)],
      ...["--listen-peer-urls", url(address, peerPort)],
      ...["--initial-advertise-peer-urls", url(address, peerPort)],
      ...["--initial-cluster", cluster, "--initial-cluster-token", "bench"],
    ]);
    await program.listening({ host: address, port: clientPort });
    return { facts: {}, stop: () => program.stop() };
  },
  async connect({ test, addresses, bytes, clients }) {
    const endpoints = addresses.map((address) => `${address}:${clientPort}`);
    const connection = new EtcdConnection({ endpoints, patienceMs: readyMs });
    const key = (name: string) => Buffer.from(`bench/${name}`);
    const put = (name: string, number: number) => {
      const requestPut = { key: key(name), value: contentOf(bytes, number) };
      return connection.call(methods.txn, { compare: [], success: [{ requestPut }], failure: [] });
    };
    const deadline = performance.now() + readyMs;
    for (let name = 0; name < names; ) {
      try {
        await put(`n${name}`, name);
        name++;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await setTimeout(100); // it has no leader yet
      }
    }
    let turn = 0;
    const lookup = async (): Promise<void> => {
      const { kvs } = await connection.call(methods.range, { key: key(`n${turn++ % names}`) });
      if (kvs.length !== 1) throw new Error("etcd does not know the name");
    };
    const update = () => put(`u${++turn}`, turn);
    return {
      begins: Array.from({ length: clients }, () => beginOf(test === "lookup" ? lookup : update)),
      close: async () => connection.close(),
    };
  },
};
