// An operation of a table under tshark itself: it has its name there as soon as the table has it.
// If this fails, whoever adds an operation reads a bare number in Wireshark. The other places:
// test/unit/interface/table.test.ts.

import { describe, expect, it } from "vitest";
import { dissectorText } from "../../control/cli/dissector.js";
import type { ServerTable } from "../../control/interface/table.js";
import { knownOperations, serverTables } from "../../control/interface/tables.js";
import { encodeFrame } from "../../control/kernel/encode.js";
import { dissect } from "../../control/kernel/wire.js";
import { before, fixture, juggleNumber } from "../unit/interface/fixture.js";
import { bytes, capturedFrames, kernel } from "../unit/wire/golden.js";
import { dissectFramesWith, hasTshark } from "./tshark.js";

/** A recorded request, with our operation's number in its header. */
function request(): Uint8Array {
  for (const { hex } of capturedFrames) {
    const layers = dissect(kernel, bytes(hex));
    if (layers.rpc?.type !== "REQUEST" || layers.header === undefined) continue;
    const header = { ...layers.header, command: juggleNumber, status: juggleNumber };
    return encodeFrame(kernel, { ...layers, header });
  }
  throw new Error("no request was recorded");
}

function seenWith(table: ServerTable): string {
  const text = dissectorText(knownOperations([...serverTables, table]));
  const fields = ["proteus.header.command", "_ws.col.Info"];
  const [seen] = dissectFramesWith(text, [request()], fields);
  expect(seen?.["proteus.header.command"]).toBe(String(juggleNumber));
  return seen?.["_ws.col.Info"] ?? "";
}

describe.skipIf(!hasTshark())("a request under tshark", () => {
  it("has the name that the table gives its operation, and none that it does not give", () => {
    expect(seenWith(fixture)).toContain("command juggle (fixture)");
    const without = seenWith(before);
    expect(without).toContain("REQUEST");
    expect(without).not.toContain("juggle");
  });
});
