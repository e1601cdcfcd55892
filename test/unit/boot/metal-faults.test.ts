// A metal machine keeps FLIP's promise to callers as a Linux machine does, whatever is wrong with the
// link to it: each call executed once, its bytes unchanged. If one of these fails, a machine without
// an operating system does a thing twice, or not at all, where frames get lost.
//
// - The grid of faults: every mixture of loss, doubling, overtaking, delay and bent bits, both ways.

import { describe, expect, it } from "vitest";
import { ECHO_EXECUTIONS } from "../../../control/interface/echo.js";
import { fromHex } from "../../../control/kernel/bytes.js";
import { trans } from "../../../control/kernel/calls.js";
import { STD_OK } from "../../../core-wasm/status.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../simulation/seeds.js";
import { faultGrid } from "../rpc/fault-grid.js";
import { made, until } from "./metal-room.js";

const ECHO = 1004;
const callsEach = perTier({ quick: 6, long: 30, nightly: 300 });
const bytesMax = 20_000;

describe("a metal machine behind a bad link", () => {
  it.each(faultGrid)("executes each call once and answers what it was sent: %j", async (faults) => {
    const seed = 1 + faultGrid.indexOf(faults);
    const there = made({ version: 2 }, {}, { seed, in: faults, out: faults });
    const random = new SeededRandom(seed);
    const port = fromHex(there.machine.served().servers.echo) ?? new Uint8Array(6);
    for (let i = 0; i < callsEach; i++) {
      const sent = Uint8Array.from({ length: random.below(bytesMax) }, () => random.below(256));
      const call = trans(there.client, { port, command: ECHO }, sent, { replyBytesMax: bytesMax });
      const { header, data } = await until(there, call, 60_000);
      expect(header.status).toBe(STD_OK);
      expect(Buffer.compare(data, sent)).toBe(0);
    }
    const asked = trans(there.client, { port, command: ECHO_EXECUTIONS }, new Uint8Array());
    expect((await until(there, asked, 60_000)).header.offset).toBe(callsEach);
  });
});
