// The NBD server under clients that speak nonsense: whatever they send, in whatever pieces, nothing
// throws, nothing hangs, what it keeps for them is bounded, and the client beside them is served.
//
// - A hostile client says a conversation that would be right, changed: bits, numbers, lengths,
//   pieces left out, said twice or out of order; some send rubbish only, some never read.
// - What the server answers stays well-formed: it is read with the tests' own reader.
// - The disk of the hostile ones is slow and fails at random. The good client has another disk on the
//   same server, and finds all of its bytes.
// - Seeds are counted from 1; a failure names its seed. PROTEUS_FUZZ_SEED=nbd:N runs one.

import { expect, it } from "vitest";
import { BLOCK_BYTES } from "../../control/server/disk/disk.js";
import { DiskError } from "../../control/server/disk/errors.js";
import { Buffers } from "../../control/server/disk/nbd/buffers.js";
import { UNDER_WAY_BYTES_MAX } from "../../control/server/disk/nbd/limits.js";
import * as nbd from "../../control/server/disk/nbd/protocol.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { MemoryDisk } from "../unit/server/disk/memory-disk.js";
import {
  contextData,
  infoData,
  MemoryClient,
  option,
  request,
  words,
} from "../unit/server/disk/nbd/client.js";
import { perTier } from "./tier.js";

const only = process.env.PROTEUS_FUZZ_SEED?.split(":");
const seeds = perTier(150, 6000, 60_000);
const blocks = 64;
const extremes = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x0200_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

class Hostile {
  readonly #random: SeededRandom;
  readonly isExtended: boolean;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.isExtended = random.chance(0.4);
  }

  #bytes(most: number): Buffer {
    return Buffer.from(Array.from({ length: this.#random.below(most) }, () => this.#random.below(256)));
  }

  #name(): string {
    return this.#random.chance(0.8) ? "bad" : this.#bytes(6).toString("latin1");
  }

  #option(): Buffer {
    const random = this.#random;
    const query = (): string =>
      random.chance(0.7) ? "base:allocation" : random.chance(0.5) ? "proteus:" : ":";
    const queries = Array.from({ length: random.below(4) }, query);
    switch (random.below(9)) {
      case 0:
        return option(nbd.OPT_LIST);
      case 1:
        return option(nbd.OPT_INFO, infoData(this.#name(), random.below(5), random.below(70_000) & 0xffff));
      case 2:
        return option(nbd.OPT_STRUCTURED_REPLY);
      case 3:
        return option(nbd.OPT_EXTENDED_HEADERS);
      case 4:
        return option(nbd.OPT_LIST_META_CONTEXT, contextData(this.#name(), ...queries));
      case 5:
        return option(nbd.OPT_SET_META_CONTEXT, contextData(this.#name(), ...queries));
      case 6:
        return option(nbd.OPT_STARTTLS);
      case 7:
        return option(random.below(20), this.#bytes(40));
      default:
        return option(random.below(2) === 0 ? nbd.OPT_ABORT : random.next(), this.#bytes(40));
    }
  }

  #request(): Buffer {
    const random = this.#random;
    const type = random.below(10);
    const flags = random.chance(0.7) ? random.below(2) : random.below(64);
    const end = blocks * BLOCK_BYTES;
    const offset = random.chance(0.9) ? random.below(end) : BigInt(random.next()) << 32n;
    const long = random.chance(0.9) ? random.below(end / 4) : random.next();
    const data = type === nbd.CMD_WRITE ? this.#bytes(random.chance(0.8) ? 600 : 9000) : undefined;
    const length = data === undefined ? long : undefined;
    return request({ type, flags, cookie: random.next(), offset, length, data }, this.isExtended);
  }

  /** What would be right. */
  conversation(): Buffer[] {
    const random = this.#random;
    const said = [words([32, random.below(4)])];
    for (let count = random.below(4); count > 0; count--) said.push(this.#option());
    if (this.isExtended) said.push(option(nbd.OPT_EXTENDED_HEADERS));
    else if (random.chance(0.6)) said.push(option(nbd.OPT_STRUCTURED_REPLY));
    if (random.chance(0.6))
      said.push(option(nbd.OPT_SET_META_CONTEXT, contextData("bad", "base:allocation", "proteus:dirty")));
    said.push(
      random.chance(0.9)
        ? option(nbd.OPT_GO, infoData("bad"))
        : option(nbd.OPT_EXPORT_NAME, Buffer.from("bad")),
    );
    for (let count = random.below(30); count > 0; count--) said.push(this.#request());
    return said;
  }

  /** The same, as nobody should say it. */
  spoilt(said: Buffer[]): Buffer[] {
    const random = this.#random;
    for (let times = random.below(5); times > 0; times--) {
      const at = random.below(said.length);
      const message = said[at] ?? Buffer.alloc(0);
      const spot = random.below(Math.max(1, Math.min(message.length, 40)));
      const changed = Buffer.from(message);
      switch (random.below(7)) {
        case 0:
          changed[spot] = (changed[spot] ?? 0) ^ (1 << random.below(8));
          break;
        case 1:
          if (spot + 4 <= changed.length)
            changed.writeUInt32BE(extremes[random.below(extremes.length)] ?? 0, spot);
          break;
        case 2:
          said.splice(at, 1, changed.subarray(0, spot));
          continue;
        case 3:
          said.splice(at, 0, changed);
          continue;
        case 4:
          said.splice(random.below(said.length), 0, ...said.splice(at, 1));
          continue;
        case 5:
          said.splice(at, 0, this.#bytes(64));
          continue;
        default:
          said.splice(at, 1);
          if (said.length === 0) said.push(this.#bytes(64));
          continue;
      }
      said[at] = changed;
    }
    return said;
  }
}

/** Reads all that the server has said; throws where that is no protocol. */
function readAll(client: MemoryClient): void {
  client.take(18);
  let isStructured = false;
  while (client.received.length >= 20 && client.received.readUInt32BE(0) === 0x3e889) {
    const { option: of, type } = client.optionReply();
    const isHeaders = of === nbd.OPT_STRUCTURED_REPLY || of === nbd.OPT_EXTENDED_HEADERS;
    if (isHeaders && type === nbd.REP_ACK) isStructured = true;
    if (of === nbd.OPT_GO && type === nbd.REP_ACK) break;
  }
  if (!client.connection.isChosen || !isStructured) return; // simple replies do not say how long they are
  const magic = client.received.length > 0 ? client.received.readUInt32BE(0) : nbd.STRUCTURED_REPLY_MAGIC;
  if (![nbd.SIMPLE_REPLY_MAGIC, nbd.STRUCTURED_REPLY_MAGIC, nbd.EXTENDED_REPLY_MAGIC].includes(magic)) return; // EXPORT_NAME's
  while (client.received.length > 0) client.reply();
}

function slowAndFailing(random: SeededRandom): MemoryDisk {
  const disk = new MemoryDisk(blocks);
  const codes = ["DISK_ROT", "DISK_FULL", "DISK_NO_QUORUM", "DISK_FENCED"] as const;
  disk.before = async () => {
    for (let turns = random.below(4); turns > 0; turns--) await Promise.resolve();
    if (random.chance(0.05)) throw new DiskError(codes[random.below(4)] ?? "DISK_ROT", "so it is");
    if (random.chance(0.01)) throw new TypeError("a bug below");
  };
  return disk;
}

/** How far the hostile clients came: a fuzzer that is turned away at the door finds nothing. */
const reached = { clients: 0, chosen: 0, dropped: 0, calls: 0 };

/** Serves a good client beside hostile ones. */
async function run(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const buffers = new Buffers();
  const bad = { name: "bad", disk: slowAndFailing(random), isReadOnly: random.chance(0.1) };
  const good = { name: "good", disk: new MemoryDisk(blocks) };
  const friend = new MemoryClient([bad, good], { buffers });
  await friend.go("good", "structured");
  const model = Buffer.alloc(blocks * BLOCK_BYTES);

  for (let count = 1 + random.below(4); count > 0; count--) {
    const hostile = new Hostile(random);
    const tls = random.chance(0.1) ? "required" : "none";
    const client = new MemoryClient([bad, good], { buffers, tls });
    client.isStuck = random.chance(0.2);
    const said = Buffer.concat(hostile.spoilt(hostile.conversation()));
    for (let at = 0; at < said.length && client.end === "open"; ) {
      const piece = random.chance(0.3) ? 1 + random.below(20) : 1 + random.below(4000);
      client.send(said.subarray(at, at + piece));
      at += piece;
      if (random.chance(0.2)) await client.settle();
    }
    const data = Buffer.from(Array.from({ length: 1 + random.below(900) }, () => random.below(256)));
    const offset = random.below(model.length - data.length);
    data.copy(model, offset);
    friend.send(request({ type: nbd.CMD_WRITE, offset, data }));
    await Promise.all([client.settle(), friend.settle()]);
    expect(friend.reply()).toMatchObject({ error: 0, isLast: true });
    expect(client.received.length).toBeLessThan(2 * UNDER_WAY_BYTES_MAX + 1024 * 1024);
    client.isStuck = false;
    await client.settle();
    readAll(client);
    if (random.chance(0.5)) client.connection.clientEnded();
    client.connection.gone();
    await client.settle();
    expect(client.isOver).toBe(true);
    reached.clients++;
    if (client.connection.isChosen) reached.chosen++;
    reached.dropped += client.dropped.length;
  }

  reached.calls += Object.values(bad.disk.calls).reduce((sum, calls) => sum + calls);
  const reply = await friend.call({ type: nbd.CMD_READ, length: model.length });
  expect(reply.data.subarray(8).equals(model)).toBe(true);
}

it("an NBD server among hostile clients serves on", async () => {
  const first = only?.[0] === "nbd" ? Number(only[1]) : 1;
  const last = only === undefined ? seeds : only[0] === "nbd" ? first : 0;
  for (let seed = first; seed <= last; seed++) {
    try {
      await run(seed);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`seed ${seed}: ${why}\nrepeat it with: PROTEUS_FUZZ_SEED=nbd:${seed}`, { cause });
    }
  }
  if (only !== undefined) return;
  expect(reached.chosen).toBeGreaterThan(reached.clients / 4);
  expect(reached.dropped).toBeGreaterThan(reached.clients / 20);
  expect(reached.calls).toBeGreaterThan(reached.clients);
});
