// An exercise: a counter server, and clients that must not lose count when it crashes.
//
// - The server keeps the counter in memory and writes it to a disk before it answers; after a
//   crash it reads it back. Every client adds 1 again and again.
// - What must be true: an answer is never below what an earlier answer said, and no more was
//   added than clients asked for. `durable: false` leaves out the flush: the checker finds that.
// - Servers and clients are written with promises, as for real machines.
//
// Run it:  proteus simulate --workload ./node_modules/amoeba-proteus/dist/simulation/examples/counter.js

import type { Activity, Cluster, Incoming, Machine, Outgoing, Workload } from "../index.js";
import { MILLISECOND, SECOND, VirtualDisk } from "../index.js";

const getPort = Uint8Array.of(0x63, 0x6f, 0x75, 0x6e, 0x74, 0x31);
const blockBytes = 512;

export interface CounterOptions {
  /** Flush the disk before an answer goes out; default true. */
  readonly durable?: boolean;
}

/** The workload; `proteus simulate` calls this for every seed. */
export default function counter({ durable = true }: CounterOptions = {}): Workload {
  return {
    name: "counter",
    summary: "a counter that survives crashes",
    plan: () => ({ machine: (index) => ({ name: index === 0 ? "server" : `client${index}` }) }),
    start: (cluster) => new Counter(cluster, durable),
  };
}

class Counter implements Activity {
  readonly #cluster: Cluster;
  readonly #durable: boolean;
  readonly #disk: VirtualDisk;
  readonly #port: Uint8Array;
  #asked = 0;
  #answered = 0;
  #over = false;

  constructor(cluster: Cluster, durable: boolean) {
    this.#cluster = cluster;
    this.#durable = durable;
    const [server, ...clients] = cluster.machines;
    if (server === undefined) throw new Error("a cluster has machines");
    this.#disk = new VirtualDisk({ blockBytes, blocks: 1, random: cluster.random, clock: cluster.world });
    this.#port = server.running.publicPort(getPort);
    cluster.onCrash(server, () => this.#disk.cut());
    cluster.program(server, () => {
      this.#disk.restore();
      void this.#serve(server);
    });
    for (const client of clients) cluster.program(client, () => this.#ask(client));
  }

  /** Reads the counter back, then serves with one thread: one request after the other. */
  async #serve(server: Machine): Promise<void> {
    const { kernel } = server;
    const block = new Uint8Array(blockBytes);
    const view = new DataView(block.buffer);
    await this.#disk.read(0, block);
    if (server.kernel !== kernel) return; // it crashed meanwhile
    const add = async (_request: Incoming, reply: (outgoing: Outgoing) => void): Promise<void> => {
      view.setUint32(0, view.getUint32(0) + 1);
      await this.#disk.write(0, block);
      if (this.#durable) await this.#disk.flush();
      reply({ offset: view.getUint32(0) });
    };
    server.serve(getPort, 1, 64, (request, reply) => void add(request, reply));
  }

  /** One call after the other, until the end or a crash. */
  #ask(client: Machine): void {
    if (this.#over) return;
    const floor = this.#answered;
    this.#asked++;
    client.begin({ port: this.#port, command: 1 }, ({ status, header }) => {
      if (status >= 0) this.#check(client, header.offset, floor);
      client.after(this.#cluster.random.below(100 * MILLISECOND), () => this.#ask(client));
    });
  }

  #check(client: Machine, count: number, floor: number): void {
    this.#cluster.happened("added");
    if (count <= floor) this.#cluster.fail("counter", `${client.name} was told ${count} after ${floor}`);
    if (count > this.#asked) this.#cluster.fail("counter", `${count} added, ${this.#asked} asked for`);
    this.#answered = Math.max(this.#answered, count);
  }

  finish(): void {
    this.#over = true;
  }

  idle(): boolean {
    return this.#over;
  }

  judge(): void {
    if (this.#answered === 0 && this.#cluster.world.now > 60 * SECOND)
      this.#cluster.fail("counter", "nothing was ever counted");
  }
}
