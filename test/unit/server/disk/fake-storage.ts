// A storage on members in memory, with servers that can be started, cut off and killed.

import type {
  MemberEntry,
  MemberRecord,
  StorageFacts,
} from "../../../../control/server/disk/member/record.js";
import type { Branches } from "../../../../control/server/disk/storage/branches.js";
import type { StoragePolicy } from "../../../../control/server/disk/storage/policy.js";
import { format, Storage } from "../../../../control/server/disk/storage/storage.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { type FakeLink, goodLink, type Reachable } from "./fake-link.js";
import { FakeMember, fakeDigests } from "./fake-member.js";
import { VirtualTime } from "./virtual-time.js";

export interface FakeOptions {
  readonly members?: number;
  readonly witnesses?: number;
  readonly blocks?: number;
  readonly facts?: Partial<StorageFacts>;
  readonly policy?: Partial<StoragePolicy>;
  readonly branches?: Branches;
  readonly seed?: number;
  /** When the virtual time begins, in milliseconds since 1970; without it no server knows the day. */
  readonly beginsAt?: number;
  /** Members of another kind, and the digests that these compute. */
  readonly medium?: (time: VirtualTime, random: SeededRandom, blocks: number) => Reachable;
  readonly digests?: (data: Uint8Array) => Uint8Array;
  /** Time and chance of another world that this one is part of. */
  readonly within?: { readonly time: VirtualTime; readonly random: SeededRandom };
  /** Storages of another kind: those with a bug planted. */
  readonly storage?: Pick<typeof Storage, "open">;
}

const idOf = (place: number): Uint8Array => Uint8Array.from({ length: 16 }, () => place + 1);
const capability = { port: new Uint8Array(6), private: new Uint8Array(10) };

export function recordOf(options: FakeOptions = {}): MemberRecord {
  const { members = 3, witnesses = 0, blocks = 4096 } = options;
  const facts: StorageFacts = {
    age: new Uint8Array(16).fill(7),
    secret: new Uint8Array(32).fill(9),
    ...{ name: "d", algorithm: "mirror", blocks, ack: "all", serve: "majority", onSplit: "keep" },
    ...options.facts,
  };
  const each = facts.algorithm === "linear" ? blocks / members : blocks;
  const entries = Array.from({ length: members + witnesses }, (_, place): MemberEntry => {
    const isWitness = place >= members;
    return {
      ...{ id: idOf(place), node: `n${place + 1}`, path: `/m${place + 1}`, capability, isWitness },
      ...{ blocks: isWitness ? 0 : each, state: "in-sync", since: 1n, lacks: null },
    };
  });
  return {
    ...{
      storage: facts,
      member: idOf(0),
      members: entries,
      epoch: 0,
      server: 0n,
      generation: 1n,
      history: [],
    },
    ...{ isClean: true, activity: new Uint8Array(Math.ceil(Math.ceil(blocks / 1024) / 8)) },
  };
}

/** A server's machine: its storage, and its ways to the members. */
export interface FakeServer {
  readonly storage: Storage;
  readonly links: FakeLink[];
  readonly log: string[];
}

export class FakeWorld<M extends Reachable = FakeMember> {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly record: MemberRecord;
  readonly members: M[];

  constructor(readonly options: FakeOptions = {}) {
    this.time = options.within?.time ?? new VirtualTime();
    this.random = options.within?.random ?? new SeededRandom(options.seed ?? 1);
    this.record = recordOf(options);
    this.members = this.record.members.map(() => this.medium());
  }

  medium(blocks = this.record.storage.blocks): M {
    const make = this.options.medium ?? ((time, random, size) => new FakeMember(time, random, size));
    return make(this.time, this.random, blocks) as M;
  }

  async format(): Promise<void> {
    const connect = (entry: MemberEntry) => this.#at(entry).port(goodLink());
    await this.time.during(format(this.record, connect));
  }

  #at(entry: MemberEntry): M {
    const found = this.members[(entry.id[0] ?? 0) - 1];
    if (found === undefined) throw new Error(`no member ${entry.node}`);
    return found;
  }

  randomBytes = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => this.random.below(256));

  /** Starts a server; the links are to the members in order. */
  serve(links: FakeLink[] = this.members.map(goodLink), winner?: Uint8Array): FakeServer {
    const log: string[] = [];
    const { record, time, options } = this;
    const connect = (entry: MemberEntry) => {
      const place = (entry.id[0] ?? 0) - 1;
      links[place] ??= goodLink();
      return this.#at(entry).port(links[place]);
    };
    const { clock, after } = time;
    const storage = (options.storage ?? Storage).open(
      {
        ...{ record, connect, clock, after, random: this.randomBytes },
        ...{ digests: options.digests ?? fakeDigests },
        ...(options.policy === undefined ? {} : { policy: options.policy }),
        ...(options.branches === undefined ? {} : { branches: options.branches }),
        ...(options.beginsAt === undefined ? {} : { wall: () => (options.beginsAt ?? 0) + time.now }),
        log: (line) => log.push(`${time.now.toFixed(0)} ${line}`),
      },
      winner,
    );
    return { storage, links, log };
  }

  /** A storage that is served, on fresh members. */
  async served(): Promise<FakeServer> {
    await this.format();
    const server = this.serve();
    await this.time.during(server.storage.ready());
    return server;
  }
}
