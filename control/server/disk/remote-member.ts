// A member behind the disk server of another machine, as a MemberPort (member/port.ts).
//
// - Timeouts are the caller's: whoever serves a storage decides when a member is down, and waits for
//   no crash detection of RPC.
// - Nothing is sent again here. A request that was not answered may have happened; the member does
//   each sequence once.
// - Some calls for blocks are under way and the others wait here; who only asks whether it lives does not.
// - Larger requests than one call moves are sent in pieces, in order.

import type { Capability } from "../../capability/capability.js";
import {
  DIGESTS_BLOCKS_MAX,
  DIGESTS_READ,
  DISK_DURABLE,
  DISK_PUNCH,
  DISK_RAW,
  diskTable,
} from "../../interface/disk.js";
import type { CallOptions, Transact } from "../../kernel/calls.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type Stub, stub } from "../../stub/client.js";
import { AtOnce } from "./at-once.js";
import { BLOCK_BYTES, TRANSFER_BYTES } from "./disk.js";
import { DiskError } from "./errors.js";
import {
  type Claim,
  DIGEST_BYTES,
  type MemberFound,
  type MemberPort,
  type MemberWrite,
  type MemberZero,
} from "./member/port.js";
import type { MemberRecord } from "./member/record.js";
import { recordBytes, recordFrom } from "./record-wire.js";
import { overRpc } from "./statuses.js";

/** How long a member is waited for when the caller does not say. */
const callDefaults: CallOptions = { locateTimeoutMs: 1000, pollMs: 250, deadMs: 1500 };
/** The member's server has 12 threads, for all that ask it. */
const atOnceMax = 9;
const smallReply = 64 * 1024;
const pieceBlocks = TRANSFER_BYTES / BLOCK_BYTES;

function recordOf(bytes: Uint8Array): MemberRecord {
  const record = recordFrom(bytes);
  if (record !== null) return record;
  throw new DiskError("DISK_TRANSFER", "the member's record cannot be read");
}

export class RemoteMember implements MemberPort {
  readonly #calls: Stub<typeof diskTable.operations>;
  readonly #atOnce = new AtOnce(atOnceMax);

  constructor(via: Kernel | Transact, capability: Capability, options: CallOptions = {}) {
    this.#calls = stub(via, diskTable, capability, { ...callDefaults, ...options });
  }

  async look(): Promise<MemberFound> {
    const { blocks, empty, record } = await overRpc(() =>
      this.#calls.look(undefined, { replyBytesMax: smallReply }),
    );
    return record.length === 0
      ? { kind: "blank", blocks, isEmpty: empty }
      : { kind: "member", blocks, record: recordOf(record) };
  }

  async fence({ epoch, server, age }: Claim): Promise<MemberRecord> {
    const { record } = await overRpc(() =>
      this.#calls.fence({ epoch, server, age }, { replyBytesMax: smallReply }),
    );
    return recordOf(record);
  }

  async adopt(record: MemberRecord): Promise<void> {
    await overRpc(() => this.#calls.adopt({ record: recordBytes(record) }));
  }

  async update(record: MemberRecord): Promise<void> {
    await overRpc(() => this.#calls.update({ record: recordBytes(record) }));
  }

  async renew(epoch: number, done: number): Promise<void> {
    await overRpc(() => this.#calls.renew({ epoch, done: BigInt(done) }));
  }

  async read(epoch: number, block: number, buffer: Uint8Array, isRaw = false): Promise<Uint8Array> {
    const blocks = buffer.length / BLOCK_BYTES;
    const all = new Uint8Array(blocks * DIGEST_BYTES);
    for (let from = 0; from < blocks; from += pieceBlocks) {
      const count = Math.min(pieceBlocks, blocks - from);
      const { rotten, digests, data } = await this.#forBlocks(() =>
        this.#calls.read({ block: block + from, flags: isRaw ? DISK_RAW : 0, epoch, blocks: count }),
      );
      if (rotten.length > 0)
        throw new DiskError(
          "DISK_ROT",
          `${rotten.length} blocks are not those that were written`,
          rotten.map((at) => block + from + at),
        );
      if (data.length !== count * BLOCK_BYTES || digests.length !== count * DIGEST_BYTES)
        throw new DiskError("DISK_TRANSFER", "the member sent another number of blocks");
      buffer.set(data, from * BLOCK_BYTES);
      all.set(digests, from * DIGEST_BYTES);
    }
    return all;
  }

  async write({ epoch, sequence, done, block, data, digests, durable }: MemberWrite): Promise<void> {
    if (data.length > TRANSFER_BYTES) throw new DiskError("DISK_RANGE", `${data.length} bytes in one write`);
    const flags = durable ? DISK_DURABLE : 0;
    await this.#forBlocks(() =>
      this.#calls.write({
        ...{ block, flags, epoch, digests, data },
        ...{ sequence: BigInt(sequence), done: BigInt(done) },
      }),
    );
  }

  async zero({ epoch, sequence, done, block, blocks, durable, punch }: MemberZero): Promise<void> {
    const flags = (durable ? DISK_DURABLE : 0) | (punch ? DISK_PUNCH : 0);
    await this.#forBlocks(() =>
      this.#calls.zero({ block, flags, epoch, blocks, sequence: BigInt(sequence), done: BigInt(done) }),
    );
  }

  async flush(epoch: number): Promise<void> {
    await this.#forBlocks(() => this.#calls.flush({ epoch }));
  }

  async digests(epoch: number, block: number, blocks: number, isRead: boolean): Promise<Uint8Array> {
    const all = new Uint8Array(blocks * DIGEST_BYTES);
    const flags = isRead ? DIGESTS_READ : 0;
    for (let from = 0; from < blocks; from += DIGESTS_BLOCKS_MAX) {
      const count = Math.min(DIGESTS_BLOCKS_MAX, blocks - from);
      const { digests } = await this.#forBlocks(() =>
        this.#calls.digests({ block: block + from, flags, epoch, blocks: count }),
      );
      if (digests.length !== count * DIGEST_BYTES)
        throw new DiskError("DISK_TRANSFER", "the member sent another number of digests");
      all.set(digests, from * DIGEST_BYTES);
    }
    return all;
  }

  #forBlocks<Result>(call: () => Promise<Result>): Promise<Result> {
    return this.#atOnce.take(() => overRpc(call));
  }
}
