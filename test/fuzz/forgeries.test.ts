// Capabilities that nobody gave, by the hundred thousand, to a server that answers over the wire:
// none is accepted. If this fails, whoever can send a frame can use somebody's object.
//
// - A request of NTOUCH holds thousands of private parts, and each is judged as any other is.
// - Once without the bounds on guessing, so that every forgery is really looked at; once with
//   them, where what counts is how few are.

import { describe, expect, it } from "vitest";
import { standardGuessRates, yearsToGuess } from "../../control/capability/guesses.js";
import { keyedScheme } from "../../control/capability/scheme.js";
import { operation } from "../../control/interface/operation.js";
import { defineServer } from "../../control/interface/table.js";
import { trans } from "../../control/kernel/calls.js";
import { Objects } from "../../control/stub/objects.js";
import { Server } from "../../control/stub/serving.js";
import { STD_CAPBAD, STD_NOTNOW } from "../../core-wasm/status.js";
import { PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { Pool } from "../unit/stub/pool.js";
import { perTier } from "./tier.js";

const forgeriesWanted = perTier(10_000, 100_000, 10_000_000);
const partsAtOnce = 3000;
const ntouch = 1010;
const unbounded = { perSecond: 1e12, atOnce: 1e12 };

const table = defineServer({
  name: "box",
  summary: "boxes",
  object: "a box",
  rights: { read: 1, write: 2 },
  operations: { look: operation({ number: 30200, summary: "look", rights: ["read"] }) },
});

/** A server with some objects; counts how many private parts were looked at. */
class Boxes {
  readonly pool = new Pool();
  readonly clock = { ms: 0 };
  readonly server: Server<typeof table.operations, string>;
  /** Genuine private parts, as hex. */
  readonly genuine = new Map<string, Uint8Array>();
  looked = 0;
  accepted = 0;

  constructor(bounded: boolean) {
    const { pool } = this;
    const objects = new Objects<string>({ random: pool.random });
    const { verify, ...scheme } = keyedScheme(pool.far.privates, pool.random(32), (object) =>
      objects.generation(object),
    );
    this.server = new Server({
      ...{ ...pool.given(), table, objects, now: () => this.clock.ms, info: () => "boxes" },
      scheme: {
        ...scheme,
        verify: (part) => {
          this.looked++;
          const rights = verify(part);
          if (rights >= 0) this.accepted++;
          return rights;
        },
      },
      handlers: { look: () => ({}) },
      guessRates: bounded ? standardGuessRates : { source: unbounded, object: unbounded, server: unbounded },
    });
    for (let i = 0; i < 8; i++) {
      const object = objects.add(`${i}`) ?? 0;
      for (const rights of [0xff, 0x01, 0x03]) {
        const part = this.server.capability(object, rights).private;
        this.genuine.set(Buffer.from(part).toString("hex"), part);
      }
    }
  }

  /** NTOUCH with these private parts from a kernel; status, and how many were touched. */
  async touch(parts: Uint8Array, kernel = this.pool.near): Promise<{ status: number; touched: number }> {
    const header = { port: this.server.putPort, command: ntouch };
    const { header: reply } = await this.pool.end(trans(kernel, header, parts, { replyBytesMax: 64 }));
    return { status: reply.status, touched: reply.extra };
  }
}

/** Private parts that nobody gave, close to those that somebody has. */
class Forger {
  readonly #random: SeededRandom;
  readonly #parts: readonly Uint8Array[];

  constructor(
    seed: number,
    private readonly boxes: Boxes,
  ) {
    this.#random = new SeededRandom(seed);
    this.#parts = [...boxes.genuine.values()];
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #genuine(): Uint8Array {
    return this.#parts[this.#below(this.#parts.length)] as Uint8Array;
  }

  /** Writes one at an offset. */
  forge(into: Uint8Array, at: number): void {
    const part = into.subarray(at, at + PRIVATE_BYTES);
    do {
      part.set(this.#genuine());
      switch (this.#below(6)) {
        case 0: {
          // a bit of the check field
          const byte = 4 + this.#below(6);
          part[byte] = (part[byte] ?? 0) ^ (1 << this.#below(8));
          break;
        }
        case 1: // other rights
          part[3] = this.#below(256);
          break;
        case 2: // another object's check field
          part.set(this.#genuine().subarray(4), 4);
          break;
        case 3: // another object
          part[0] = this.#below(12);
          break;
        case 4: // a check field that begins or ends right
          for (let i = 4 + this.#below(5), end = this.#below(2) === 0 ? i + 1 : 10; i < end; i++)
            part[i] = this.#below(256);
          break;
        default: // any check field
          for (let i = 4; i < PRIVATE_BYTES; i++) part[i] = this.#below(256);
      }
    } while (this.boxes.genuine.has(Buffer.from(part).toString("hex")));
  }

  many(count: number): Uint8Array {
    const parts = new Uint8Array(count * PRIVATE_BYTES);
    for (let at = 0; at < parts.length; at += PRIVATE_BYTES) this.forge(parts, at);
    return parts;
  }
}

describe("forged capabilities", () => {
  it(`are refused, ${forgeriesWanted} of ${forgeriesWanted}`, async () => {
    const boxes = new Boxes(false);
    const forger = new Forger(Number(process.env.PROTEUS_SEED ?? 1), boxes);
    let sent = 0;
    while (sent < forgeriesWanted) {
      const parts = forger.many(partsAtOnce);
      const { status, touched } = await boxes.touch(parts);
      sent += partsAtOnce;
      if (status !== STD_CAPBAD || touched !== 0 || boxes.accepted !== 0)
        throw new Error(
          `${touched} of these were accepted, status ${status}: ${Buffer.from(parts).toString("hex")}`,
        );
    }
    expect(boxes.looked).toBe(sent);
    const all = Uint8Array.from([...boxes.genuine.values()].flatMap((part) => [...part]));
    expect(await boxes.touch(all)).toEqual({ status: 0, touched: boxes.genuine.size });
    expect(boxes.pool.failures).toEqual([]);
  });

  it("are looked at so rarely that guessing one takes more than a century", async () => {
    const boxes = new Boxes(true);
    const forger = new Forger(2, boxes);
    const seconds = perTier(5, 60, 600);
    const statuses = new Set<number>();
    // Two machines, which never stop.
    for (boxes.clock.ms = 0; boxes.clock.ms < seconds * 1000; boxes.clock.ms += 500)
      for (const kernel of [boxes.pool.near, boxes.pool.far])
        statuses.add((await boxes.touch(forger.many(500), kernel)).status);
    expect([...statuses]).toEqual([STD_NOTNOW]); // there was more in every request than is looked at
    const { source, object, server } = standardGuessRates;
    expect(boxes.accepted).toBe(0);
    expect(boxes.looked).toBeGreaterThan(source.atOnce);
    // Sources can be made up; objects and the server cannot.
    expect(boxes.looked).toBeLessThanOrEqual(2 * (source.atOnce + source.perSecond * seconds));
    for (const rate of [object, server]) expect(yearsToGuess(rate)).toBeGreaterThan(100);
    const perSecond = Math.max(0, boxes.looked - 2 * source.atOnce) / seconds;
    expect(yearsToGuess({ perSecond, atOnce: 0 })).toBeGreaterThan(yearsToGuess(server));
  });
});
