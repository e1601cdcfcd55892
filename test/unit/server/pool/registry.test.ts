// If one of these fails, daemons come to disagree about the pool, forget what was decided, or
// show a machine twice or not at all.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PoolEvent } from "../../../../control/interface/pool.js";
import {
  bootsMax,
  type Command,
  decode,
  encode,
  goneMax,
  keyOf,
  machinesMax,
  type Outcome,
  outcomeSchema,
  type PoolRecord,
  supersedes,
} from "../../../../control/server/pool/records.js";
import { Registry } from "../../../../control/server/pool/registry.js";

class Held {
  readonly events: PoolEvent[] = [];
  readonly changed: PoolRecord[] = [];
  readonly dropped: PoolRecord[] = [];
  dissolved = 0;
  readonly registry = new Registry({
    event: (event) => this.events.push(event),
    changed: (record, dropped) => (dropped ? this.dropped : this.changed).push(record),
    dissolved: () => this.dissolved++,
  });

  do(command: Command, member = 0): Outcome {
    const outcome = decode(outcomeSchema, this.registry.apply(encode(command), 1, member));
    if (outcome === null) throw new Error("no outcome");
    return outcome;
  }

  get told(): string[] {
    return this.events.map(({ kind, subject }) => `${kind} ${subject}`);
  }

  get states(): string[] {
    return this.registry.machines().map(({ name, address, state }) => `${name} ${address} ${state}`);
  }
}

const announce = (name: string, address: string, time = 0, leaving = false): Command => ({
  ...{ do: "announce", time, leaving },
  facts: { name, address, kind: "pool", version: null, servers: { sys: "a1" } },
});
const observe = (address: string, answers: boolean): Command => ({
  do: "observe",
  time: 0,
  address,
  answers,
});
const drain = (name: string, draining: boolean, time = 0): Command => ({ do: "drain", time, name, draining });

describe("machines", () => {
  it("come, are lost, come back and leave", () => {
    const held = new Held();
    held.do(announce("n1", "01"));
    expect(held.do(announce("n1", "01")).version).toBeUndefined();
    held.do(observe("01", true));
    held.do(observe("01", false));
    held.do(observe("01", true));
    held.do(announce("n1", "01", 0, true));
    expect(held.states).toEqual(["n1 01 down"]);
    held.do(observe("01", true)); // it still answers while it stops
    expect(held.states).toEqual(["n1 01 down"]);
    held.do(announce("n1", "01"));
    expect(held.told).toEqual(["joined n1", "lost n1", "back n1", "left n1", "back n1"]);
  });

  it("take the place of the one of their name that does not answer", () => {
    const held = new Held();
    held.do(announce("n1", "01"));
    held.do(observe("01", false));
    held.do(announce("n1", "02"));
    expect(held.states).toEqual(["n1 02 up"]);
    // One that restarts before anybody notices is there twice for a moment.
    held.do(announce("n1", "03"));
    expect(held.states).toEqual(["n1 02 up", "n1 03 up"]);
    held.do(observe("02", false));
    expect(held.states).toEqual(["n1 03 up"]);
    expect(held.told.slice(1)).toEqual(["lost n1", "back n1", "joined n1", "back n1"]);
  });

  it("of one name are kept apart while both answer, and the younger does not go when it is silent", () => {
    const held = new Held();
    held.do(announce("n1", "01"));
    held.do(announce("n1", "02"));
    held.do(observe("02", false));
    expect(held.states).toEqual(["n1 01 up", "n1 02 unreachable"]);
  });

  it("are struck only when they do not answer, and their drain with the last of the name", () => {
    const held = new Held();
    held.do(announce("n1", "01"));
    held.do(drain("n1", true));
    expect(held.do({ do: "forget", time: 0, address: "01" })).toEqual({ refused: "inUse" });
    held.do(observe("01", false));
    held.do({ do: "forget", time: 0, address: "01" });
    expect([held.states, held.registry.isDraining("n1")]).toEqual([[], false]);
    expect(held.do({ do: "forget", time: 0, address: "01" })).toEqual({ refused: "unknown" });
    expect(held.told.slice(-2)).toEqual(["forgotten n1", "undrained n1"]);
  });

  it("are at most so many: those that are away make room, those that answer do not", () => {
    const held = new Held();
    const address = (index: number): string => index.toString(16).padStart(4, "0");
    for (let i = 0; i < machinesMax; i++) held.do(announce(`n${i}`, address(i)));
    expect(held.do(announce("more", "ffff"))).toEqual({ refused: "full" });
    held.do(observe(address(7), false));
    held.do(announce("more", "ffff"));
    expect(held.registry.machine(address(7))).toBeUndefined();
    expect(held.registry.machines().length).toBe(machinesMax);
    expect(held.dropped.map(({ key }) => key)).toEqual([address(7)]);
  });

  it("that are gone are remembered, and of those only so many", () => {
    const held = new Held();
    for (let i = 0; i < goneMax + 10; i++) {
      const address = (i + 1).toString(16).padStart(4, "0");
      held.do(announce("n1", address));
      held.do(observe(address, false));
    }
    expect(held.registry.records().length).toBe(goneMax + 1);
    expect(held.dropped.length).toBe(9);
  });
});

describe("a drain", () => {
  it("belongs to the name and outlives the machine's restart", () => {
    const held = new Held();
    held.do(announce("n1", "01"));
    held.do(drain("n1", true));
    held.do(observe("01", false));
    held.do(announce("n1", "02"));
    expect(held.registry.isDraining("n1")).toBe(true);
  });

  it("makes a version above all that were seen, and not below the calendar", () => {
    const held = new Held();
    const first = held.do(drain("n1", true, 1_000_000)).version ?? 0;
    expect(first).toBeGreaterThanOrEqual(1_000_000);
    expect(held.do(drain("n1", false, 5)).version).toBeGreaterThan(first);
  });
});

describe("the registry", () => {
  it("does nothing for what is no command", () => {
    const held = new Held();
    for (const text of [
      "",
      "{}",
      "[1]",
      '{"do":"drain","time":-1,"name":"n1","draining":true}',
      '{"do":"x"}',
    ])
      expect(
        JSON.parse(new TextDecoder().decode(held.registry.apply(new TextEncoder().encode(text), 1, 0))),
      ).toEqual({ refused: "malformed" });
    expect(held.registry.records()).toEqual([]);
  });

  it("knows its daemons, and who of them went without a word", () => {
    const held = new Held();
    held.registry.founded(0, "c1");
    held.do({ do: "daemon", name: "c1", clock: 0 }, 0);
    held.registry.reformed([0, 1, 2], false);
    held.do({ do: "daemon", name: "c2", clock: 0 }, 1);
    held.do({ do: "daemon", name: "c3", clock: 0 }, 2);
    held.registry.reformed([0, 2], true);
    held.registry.reformed([0], false);
    expect(held.registry.lostDaemons).toEqual(["c2"]);
    held.registry.reformed([0, 1], false);
    held.do({ do: "daemon", name: "c2", clock: 0 }, 1);
    expect([held.registry.lostDaemons, held.registry.members]).toEqual([[], [0, 1]]);
    expect(held.told).toEqual([
      ...["daemons c1", "daemons c1,c2", "daemons c1,c2,c3", "daemons c1,c3", "daemons c1", "daemons c1,c2"],
    ]);
    held.registry.reformed([0], true);
    held.do({ do: "forgetDaemon", name: "c2" });
    expect(held.registry.lostDaemons).toEqual([]);
  });
});

const names = ["n1", "n2", "n3"];
const addresses = ["01", "02", "03", "04"];
const commands: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...addresses), fc.nat(50), fc.boolean())
    .map(([name, address, time, leaving]) => announce(name, address, time, leaving)),
  fc
    .tuple(fc.constantFrom(...addresses), fc.boolean())
    .map(([address, answers]) => observe(address, answers)),
  fc
    .tuple(fc.constantFrom(...names), fc.boolean(), fc.nat(50))
    .map(([name, draining, time]) => drain(name, draining, time)),
  fc.constantFrom(...addresses).map((address): Command => ({ do: "forget", time: 0, address })),
);
const newest = (records: readonly PoolRecord[]): Map<string, PoolRecord> => {
  const best = new Map<string, PoolRecord>();
  for (const record of records)
    if (supersedes(record, best.get(keyOf(record)))) best.set(keyOf(record), record);
  return best;
};

describe("any commands", () => {
  it("make the same of a snapshot as of the state it was taken from", () => {
    fc.assert(
      fc.property(fc.array(commands), fc.array(commands), (before, after) => {
        const [one, two] = [new Held(), new Held()];
        for (const command of before) one.do(command);
        two.registry.restore(one.registry.snapshot());
        one.events.length = 0;
        for (const command of after) expect(two.do(command)).toEqual(one.do(command));
        expect(two.registry.snapshot()).toEqual(one.registry.snapshot());
        expect(two.events).toEqual(one.events);
      }),
    );
  });

  it("given to parts of a pool leave every newest decision, whichever way the parts are merged", () => {
    fc.assert(
      fc.property(fc.array(commands), fc.array(commands), fc.array(commands), (common, left, right) => {
        const merged = [0, 1].map((way) => {
          const parts = [new Held(), new Held()] as const;
          for (const part of parts) for (const command of common) part.do(command);
          for (const command of left) parts[0].do(command);
          for (const command of right) parts[1].do(command);
          const [into, from] = way === 0 ? parts : [parts[1], parts[0]];
          const all = newest([...into.registry.records(), ...from.registry.records()]);
          into.do({ do: "merge", records: from.registry.records() });
          for (const [key, record] of all)
            if (record.kind === "drain") expect(into.registry.record(key)).toEqual(record);
          return into.registry.records().filter(({ kind }) => kind === "drain");
        });
        const sorted = merged.map((records) => records.map((each) => JSON.stringify(each)).sort());
        expect(sorted[0]).toEqual(sorted[1]);
      }),
    );
  });

  it("tell events in an order that grows, and every record that the state has", () => {
    fc.assert(
      fc.property(fc.array(commands), (all) => {
        const held = new Held();
        for (const command of all) held.do(command);
        const orders = held.events.map(({ order }) => order);
        expect(orders).toEqual([...new Set(orders)].sort((a, b) => a - b));
        const told = newest(held.changed);
        for (const record of held.registry.records()) expect(told.get(keyOf(record))).toEqual(record);
      }),
    );
  });
});

describe("machines that boot over the network", () => {
  const boot = (mac: number, step: "asked" | "loading" | "booted" | null, name = `m${mac}`): Command => ({
    ...{ do: "boot", time: 1000 },
    report: {
      mac: `02:00:00:00:${(mac >> 8).toString(16).padStart(2, "0")}:${(mac & 255).toString(16).padStart(2, "0")}`,
      name,
      kind: "metal",
      step,
    },
  });
  const steps = ({ registry }: Held): string[] =>
    registry.boots().map(({ report: { name, step } }) => `${name} ${step}`);

  it("are known until one of that name is there, and every step is told", () => {
    const held = new Held();
    held.do(boot(1, "asked"));
    held.do(boot(2, "asked"));
    held.do(boot(1, "loading"));
    expect(steps(held)).toEqual(["m2 asked", "m1 loading"]);
    held.do(announce("m1", "a1"));
    held.do(boot(2, null));
    held.do(boot(3, null));
    expect(steps(held)).toEqual([]);
    expect(held.told).toEqual(["booting m1", "booting m2", "booting m1", "joined m1", "booting m2"]);
    expect(held.changed.map(keyOf)).toEqual(["machine/a1"]); // no store has them
  });

  it("are few, and known to a daemon that joins; one of an older version knows none", () => {
    const held = new Held();
    for (let mac = 0; mac < bootsMax + 2; mac++) held.do(boot(mac, "asked"));
    expect(steps(held).length).toBe(bootsMax);
    expect(steps(held)[0]).toBe("m2 asked");
    const other = new Held();
    other.registry.restore(held.registry.snapshot());
    expect(steps(other)).toEqual(steps(held));
    const { boots: _, ...older } = JSON.parse(new TextDecoder().decode(held.registry.snapshot()));
    other.registry.restore(encode(older));
    expect(steps(other)).toEqual([]);
  });
});
