// A pool for tests of copies: a directory server, Bullet servers with files in memory, a
// replication server, and a clock that is moved by hand.

import { type CapabilitySet, inOrder } from "../../../../control/capability/set.js";
import { BulletContents, type BulletOptions } from "../../../../control/files/contents.js";
import { Files, openedOf } from "../../../../control/files/files.js";
import {
  type ReplicationReport,
  replicationReportSchema,
  replicationTable,
} from "../../../../control/interface/replication.js";
import { toHex } from "../../../../control/kernel/bytes.js";
import { BulletServer } from "../../../../control/server/bullet/server.js";
import { type ReplicationOptions, ReplicationServer } from "../../../../control/server/replication/server.js";
import { stub } from "../../../../control/stub/client.js";
import { MemoryFiles } from "../bullet/memory-files.js";
import { Alarms } from "../bullet/shelf.js";
import { LoneDirectory } from "../directory/alone.js";

const call = { locateTimeoutMs: 50, pollMs: 20, deadMs: 60 };

export class MemoryBullet {
  readonly files: MemoryFiles;
  readonly #secrets;
  readonly #lone: LoneDirectory;
  server: BulletServer;

  constructor(lone: LoneDirectory) {
    const { random } = lone.pool;
    this.#lone = lone;
    this.#secrets = { getPort: random(6), key: random(32) };
    this.files = new MemoryFiles({ random });
    this.server = this.start();
  }

  /** Starts it, again: the same to its clients. */
  start(): BulletServer {
    const { pool } = this.#lone;
    this.server = new BulletServer({
      ...{ kernel: pool.far, engine: this.files, ...this.#secrets, threads: 4 },
      ...{ after: new Alarms().after, failed: () => undefined, locateTimeoutMs: 20 },
    });
    return this.server;
  }

  get port(): string {
    return toHex(this.server.putPort);
  }

  get stored(): number {
    return [...this.files.files()].length;
  }

  /** Every content of these bytes rots. */
  rot(text: string): void {
    for (const { number, hash } of this.files.files())
      if (Buffer.from(this.files.content(number) ?? []).toString() === text)
        this.files.rotten.add(toHex(hash));
  }
}

export class CopiesPool {
  readonly alarms = new Alarms();
  bullets: MemoryBullet[] = [];
  server!: ReplicationServer;

  private constructor(readonly lone: LoneDirectory) {}

  static async start(bullets: number, options: Partial<ReplicationOptions> = {}): Promise<CopiesPool> {
    const pool = new CopiesPool(await new LoneDirectory().start());
    pool.bullets = Array.from({ length: bullets }, () => new MemoryBullet(pool.lone));
    pool.server = pool.replication(options);
    return pool;
  }

  /** One more replication server. */
  replication(options: Partial<ReplicationOptions> = {}): ReplicationServer {
    const { pool } = this.lone;
    return new ReplicationServer({
      ...{ kernel: pool.near, getPort: pool.random(6), key: pool.random(32), random: pool.random },
      ...{
        names: async () => this.lone.names(),
        servers: async () => this.servers(),
        failed: pool.failed,
        call,
      },
      ...{ intervalMs: 0, graceMs: 1000, after: this.alarms.after, now: () => this.alarms.now },
      ...{ bytesPerSecond: Number.POSITIVE_INFINITY },
      ...options,
    });
  }

  servers() {
    return this.bullets.map(({ server }) => server.capability());
  }

  files(options: Partial<BulletOptions> = {}): Files {
    const contents = new BulletContents(this.lone.pool.near, {
      ...{ servers: async () => this.servers(), call, copies: 2 },
      ...options,
    });
    return new Files(this.lone.names(), contents);
  }

  end = <Value>(work: Promise<Value>): Promise<Value> => this.lone.pool.end(work);

  async write(path: string, text: string, copies = 2): Promise<CapabilitySet> {
    return (await this.end(this.files({ copies }).write(path, openedOf(Buffer.from(text))))).set;
  }

  async text(path: string): Promise<string> {
    const pieces: Uint8Array[] = [];
    const all = async () => {
      for await (const piece of this.files().read(path)) pieces.push(piece);
    };
    await this.end(all());
    return Buffer.concat(pieces).toString();
  }

  async run(flags = 0, server = this.server): Promise<ReplicationReport> {
    const calls = stub(this.lone.pool.far, replicationTable, server.capability());
    return replicationReportSchema.parse((await this.end(calls.run({ flags }))).report);
  }

  /** Ports of the servers of a file, in the order in which they are tried. */
  async ports(path: string): Promise<string[]> {
    return inOrder(await this.end(this.lone.names().lookup(path))).map(({ port }) => toHex(port));
  }

  bullet(at: number): MemoryBullet {
    const found = this.bullets[at];
    if (found === undefined) throw new Error(`there is no Bullet server ${at}`);
    return found;
  }

  at(port: string | undefined): MemoryBullet {
    return this.bullet(this.bullets.findIndex((each) => each.port === port));
  }
}
