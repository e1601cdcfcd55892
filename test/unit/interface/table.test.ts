// One table feeds everything: an operation that is added to it can be called, is served, has a
// command with help, stands in the reference and has a name for the dissector.

import { describe, expect, it } from "vitest";
import { inOffset } from "../../../control/interface/fields.js";
import { operation } from "../../../control/interface/operation.js";
import { referencePage } from "../../../control/interface/reference.js";
import { segmentTable } from "../../../control/interface/segment.js";
import { defineServer } from "../../../control/interface/table.js";
import { knownOperations, serverTables } from "../../../control/interface/tables.js";
import { stub } from "../../../control/stub/client.js";
import { STD_EXISTS } from "../../../core-wasm/status.js";
import { Pool } from "../stub/pool.js";
import { before, fixture, freeForAll, helpOf, juggler, programOf, sightings } from "./fixture.js";

describe("an operation of a table", () => {
  it("can be called and is served", async () => {
    const pool = new Pool();
    const server = juggler(pool.given());
    const calls = stub(pool.near, fixture, server.capability());
    const given = { balls: 3, names: ["a", "b", "c"] };
    expect(await pool.end(calls.juggle(given))).toEqual({ caught: 2, weight: 3n * 2n ** 40n });
    expect((await pool.end(calls.juggle({ ...given, hands: 9 }))).caught).toBe(3);
    await expect(pool.end(calls.juggle({ balls: 4, names: [] }))).rejects.toMatchObject({
      code: "STD_NOTFOUND",
      why: "a ball has no name",
    });
    expect(await pool.refused(calls.juggle({ balls: 2 ** 40, names: [] }))).toBe("ARGUMENT_INVALID");
    const reader = await pool.end(calls.restrict({ mask: 1 }));
    expect(await pool.refused(stub(pool.near, fixture, reader.capability).juggle(given))).toBe("STD_DENIED");
    expect(pool.failures).toEqual([]);
  });

  it("is refused with nothing that the table does not list", async () => {
    const pool = new Pool();
    const server = juggler(pool.given(), fixture, STD_EXISTS);
    const calls = stub(pool.near, fixture, server.capability());
    expect(await pool.refused(calls.juggle({ balls: 4, names: [] }))).toBe("STD_SYSERR");
    expect(String(pool.failures)).toContain("refuses with STD_EXISTS, which its table does not list");
  });

  it("is found everywhere as soon as the table has it, and nowhere without", async () => {
    const places = ["stub", "server", "help", "command", "reference", "manual", "dissector"];
    const all = (seen: boolean) => Object.fromEntries(places.map((place) => [place, seen]));
    expect(await sightings(before)).toEqual(all(false));
    expect(await sightings(fixture)).toEqual(all(true));
    expect(await sightings(before)).toEqual(all(false));
  });

  it("has a command with help", () => {
    const help = helpOf(fixture, "juggle");
    for (const words of [
      "throws balls up and counts",
      "--balls <number>",
      "how many balls",
      "--hands <number>",
      "with how many hands (default: 2)",
      "STD_NOTFOUND: a ball has no name",
      "Takes the right to write",
      "proteus fixture juggle n1 --balls 3",
    ])
      expect(help).toContain(words);
    const server = programOf(fixture).commands.find((each) => each.name() === "fixture");
    expect(server?.commands.map((each) => each.name())).toContain("restrict");
  });

  it("stands in the reference, and has a name for those who show packets", () => {
    const page = referencePage([fixture]);
    expect(page).toContain("### juggle (30123)");
    expect(page).toContain("Throws balls up and counts those that come down. Takes the right to write.");
    expect(page).toContain("| hands | h_extra | uint16 | with how many hands; 2 when left out |");
    expect(page).toContain("- `STD_NOTFOUND`: a ball has no name");
    expect(page).toContain("### info (1004)");
    expect(knownOperations([fixture])).toContainEqual({
      ...{ server: "fixture", number: 30123, name: "juggle" },
      summary: "throws balls up and counts those that come down",
    });
    expect(knownOperations().map(({ server }) => server)).toEqual(
      expect.arrayContaining(["std", "echo", "group", ...serverTables.map(({ name }) => name)]),
    );
  });
});

describe("a table that contradicts itself", () => {
  const facts = { ...segmentTable, standardRights: freeForAll };

  it("is not made", () => {
    const plain = operation({ number: 30000, summary: "something", rights: [] });
    const same = { one: plain, other: operation({ number: 30000, summary: "something", rights: [] }) };
    expect(() => defineServer({ ...facts, operations: same })).toThrow("other and one have number 30000");
    expect(() => defineServer({ ...facts, operations: { info: plain } })).toThrow(
      "info is a standard operation",
    );
    const taken = { one: operation({ number: 1004, summary: "something", rights: [] }) };
    expect(() => defineServer({ ...facts, operations: taken })).toThrow("one and info have number 1004");
    const wrong = { one: operation({ number: 30000, summary: "something", rights: ["fly"] }) };
    expect(() => defineServer({ ...facts, operations: wrong })).toThrow('there is no right "fly"');
    const twice = { a: inOffset("one"), b: inOffset("other") };
    expect(() => operation({ number: 1, summary: "x", rights: [], arguments: twice })).toThrow("used twice");
  });
});
