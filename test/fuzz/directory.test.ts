// A directory server under random requests: whatever somebody sends it, with or without a genuine
// capability, the answer is a status that its table knows, it serves on, and its store has what it says.
//
// - The requests are those of requests.ts; the long tier has every operation done at least once.
// - Seeds are counted from 1; a failure names its seed.

import { describe, expect, it } from "vitest";
import type { Capability } from "../../control/capability/capability.js";
import { setOf } from "../../control/capability/set.js";
import { directoryTable } from "../../control/interface/directory.js";
import type { ServerTable } from "../../control/interface/table.js";
import { toHex } from "../../control/kernel/bytes.js";
import { trans } from "../../control/kernel/calls.js";
import { putsOf } from "../../control/server/directory/contents.js";
import * as statuses from "../../core-wasm/status.js";
import { LoneDirectory } from "../unit/server/directory/alone.js";
import { nameOf, Requests, renewed, statusesOf } from "./requests.js";
import { perTier } from "./tier.js";

const callsWanted = perTier(600, 12_000, 120_000);
const callsAtOnce = 20;
const known = new Set<number>([...statusesOf("STD_"), ...statusesOf("SP_")]);

/** All that the server knows, in one order. */
const entriesOf = ({ state }: LoneDirectory): string[] =>
  putsOf(state.contents())
    .map(({ key, value }) => `${toHex(key)} ${toHex(value)}`)
    .sort();

describe("a directory server under random requests", () => {
  it("answers statuses of its table only, and serves on", async () => {
    const counted = new Map<number, number>();
    const done = new Set<string>();
    let calls = 0;
    for (let seed = 1; calls < callsWanted; seed++) {
      const lone = await new LoneDirectory().start();
      const { pool } = lone;
      const names = lone.names();
      const [below] = (await pool.end(names.makeDirectory("/a"))).members;
      const [other] = (await pool.end(names.makeDirectory("/b"))).members;
      const [empty] = (await pool.end(names.makeDirectory("/e"))).members;
      if (below === undefined || other === undefined || empty === undefined) throw new Error("no capability");
      const file = pool.random(16);
      const thing: Capability = { port: file.slice(0, 6), private: file.slice(6) };
      await pool.end(names.append("/a/c", setOf(thing, below.capability)));
      for (const path of ["/c", "/t", "/a/a", "/a/t", "/b/c", "/b/z"])
        await pool.end(names.append(path, setOf(thing)));
      const own = [
        lone.root(),
        lone.server.capability(0),
        below.capability,
        other.capability,
        empty.capability,
      ];
      const targets = new Map<Capability, ServerTable>(own.map((each) => [each, directoryTable]));
      const requests = new Requests(seed, targets);
      for (let round = 0; round < 10; round++) {
        const options = { replyBytesMax: 65536, locateTimeoutMs: 500 };
        const batch = Array.from({ length: callsAtOnce }, () => requests.next());
        const replies = batch.map(({ header, data }) => trans(pool.near, header, data, options));
        for (const [index, reply] of (await pool.end(Promise.all(replies))).entries()) {
          const { status } = reply.header;
          const asked = batch[index]?.header;
          expect(known.has(status), `seed ${seed}: status ${status} to ${JSON.stringify(asked)}`).toBe(true);
          counted.set(status, (counted.get(status) ?? 0) + 1);
          if (status < 0) continue;
          const name = nameOf(targets, asked);
          done.add(name);
          if (name.endsWith(" revoke")) renewed(own, lone.server.putPort, reply.header.private);
        }
        calls += callsAtOnce;
      }
      expect(pool.failures, `seed ${seed}`).toEqual([]);
      const before = entriesOf(lone);
      await lone.start();
      expect(entriesOf(lone), `seed ${seed}`).toEqual(before);
      await pool.end(lone.names().list("/"));
    }
    console.log(`directory: ${calls} random requests, statuses ${JSON.stringify([...counted])}`);
    const wanted = Object.keys(directoryTable.operations).map((name) => `directory ${name}`);
    const standard = ["age", "ages", "ntouch", "touch", "revoke", "destroy", "restrict", "setparams"];
    wanted.push(...standard.map((name) => `directory ${name}`));
    // A sample does not come to all of them.
    const few = ["create", "list", "lookup", "getseqnr", "members"].map((name) => `directory ${name}`);
    expect((callsWanted < 12_000 ? few : wanted).filter((name) => !done.has(name))).toEqual([]);
    for (const status of [0, statuses.STD_CAPBAD, statuses.STD_COMBAD])
      expect(counted.get(status)).toBeGreaterThan(0);
  });
});
