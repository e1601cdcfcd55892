// If one of these fails, the simulator would not notice a pool that loses decisions, shows what
// is not there, or tells its changes in different orders.

import { describe, expect, it } from "vitest";
import type { PoolEvent, PoolNode } from "../../../control/interface/pool.js";
import { type DaemonView, Decisions, differences, orderFaults } from "../../../simulation/checkers/pool.js";

const node = (name: string, address: string, more: Partial<PoolNode> = {}): PoolNode => ({
  ...{ name, address, kind: "pool", state: "up", draining: false, version: null, servers: {} },
  ...{ silentMs: 0, status: null },
  ...more,
});
type Records = ReturnType<NonNullable<DaemonView["pool"]>["records"]>;

function view(
  name: string,
  {
    nodes = [node("n1", "01")],
    records = [] as Records,
    events = [] as PoolEvent[],
    daemons = ["c1", "c2"],
  } = {},
): DaemonView {
  const listed = daemons.map((each, member) => ({
    member,
    name: each,
    self: each === name,
    watching: member === 0,
  }));
  return {
    name,
    pool: { nodes: () => nodes, daemons: () => listed, faults: () => [], records: () => records },
    events,
  };
}
const drain = (key: string, value: boolean, version: number) => ({ kind: "drain", key, value, version });
const truth = [{ name: "n1", address: "01" }];

describe("the judge of a pool", () => {
  it("finds nothing where all agree with what is there", () => {
    expect(differences([view("c1"), view("c2")], truth)).toEqual([]);
  });

  it.each([
    ["a machine that is missing", view("c2", { nodes: [] })],
    ["a machine that is gone", view("c2", { nodes: [node("n1", "01"), node("n1", "00")] })],
    ["an old kernel", view("c2", { nodes: [node("n1", "00")] })],
    ["another state", view("c2", { nodes: [node("n1", "01", { state: "unreachable" })] })],
    ["other records", view("c2", { records: [drain("n1", true, 1)] })],
    ["a daemon by itself", view("c2", { daemons: ["c2"] })],
    ["no daemon", { name: "c2", pool: null, events: [] }],
  ])("finds %s", (_what, other) => {
    expect(differences([view("c1"), other], truth)).not.toEqual([]);
  });

  it("finds two of one name that nobody reports", () => {
    const nodes = [node("n1#01", "01"), node("n1#02", "02")];
    const twins = [...truth, { name: "n1", address: "02" }];
    expect(differences([view("c1", { nodes }), view("c2", { nodes })], twins).join()).toMatch(
      /several machines/,
    );
  });

  it("finds a decision that was acknowledged and is lost, or that nobody made", () => {
    const decisions = new Decisions();
    decisions.begin("n1", true).version = 5;
    expect(decisions.faults(view("c1", { records: [drain("n1", true, 5)] }))).toEqual([]);
    expect(decisions.faults(view("c1"))).not.toEqual([]);
    expect(decisions.faults(view("c1", { records: [drain("n1", true, 4)] }))).not.toEqual([]);
    expect(decisions.faults(view("c1", { records: [drain("n1", false, 5)] }))).not.toEqual([]);
    expect(decisions.faults(view("c1", { records: [drain("n1", false, 6)] }))).not.toEqual([]);
    const open = decisions.begin("n1", false); // its caller never heard how it ended
    expect(decisions.faults(view("c1", { records: [drain("n1", false, 6)] }))).toEqual([]);
    expect(decisions.faults(view("c1", { records: [drain("n1", false, 5)] }))).not.toEqual([]);
    decisions.refuse(open);
    expect(decisions.faults(view("c1", { records: [drain("n1", false, 6)] }))).not.toEqual([]);
  });

  it("finds events in another order, after the time from which daemons were together", () => {
    const events = [3, 4].map((order): PoolEvent => ({ order, kind: "joined", subject: `n${order}` }));
    const other = [{ order: 2, kind: "lost" as const, subject: "n1" }, ...events];
    expect(orderFaults([view("c1", { events }), view("c2", { events: other })], 2)).toEqual([]);
    expect(orderFaults([view("c1", { events }), view("c2", { events: other })], 1)).not.toEqual([]);
    expect(orderFaults([view("c1", { events }), view("c2", { events: events.slice(1) })], 0)).not.toEqual([]);
  });
});
