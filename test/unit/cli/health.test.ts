// If one of these fails, `status` calls a sick lab healthy, or a healthy one sick.

import { describe, expect, it } from "vitest";
import { type Asked, controlItems, labItems, poolItems, worst } from "../../../control/cli/health.js";
import { healthText } from "../../../control/cli/status.js";
import type { LabStatus, NodeStatus } from "../../../control/lab/status.js";
import { fakeNode } from "../node/control/fake-pool.js";

function node(name: string, changes: Partial<NodeStatus> = {}): NodeStatus {
  const interfaces = [
    { name: "eth0", network: "lan0", mac: "02:00:00:00:00:01", ip: "10.0.0.1/24", mtu: 1500 },
  ];
  return { name, kind: "pool", state: "up", interfaces, agent: 1, pids: [1], ...changes };
}

const lab = (...nodes: NodeStatus[]): LabStatus => ({
  schema: 1,
  lab: "demo",
  isolation: "netns",
  networks: [{ name: "lan0", mtu: 1500, rate: null, nodes: nodes.map(({ name }) => name) }],
  nodes,
});

let kernels = 0;
function answer(name: string, mtu = 1500, lost = 0): Asked {
  const eth0 = { name: "eth0", mtu, received: 5, sent: 6, receiveDropped: lost, sendDropped: 0 };
  const address = (++kernels).toString(16).padStart(16, "0");
  return { document: { name, address, version: "1.0.0", uptimeSeconds: 3, interfaces: [eth0] } };
}

const states = (status: LabStatus, asked: Record<string, Asked>) =>
  labItems(status, new Map(Object.entries(asked))).map(({ state, what }) => `${state} ${what}`);

describe("the health of a pool", () => {
  const daemon = { member: 0, name: "c1", self: true, watching: true };

  it("is bad where a machine does not answer, unknown where one was stopped", () => {
    const nodes = (["up", "draining", "unreachable", "down"] as const).map((state) =>
      fakeNode(state, { state, silentMs: 5000 }),
    );
    expect(poolItems("lan", nodes).map(({ state, what }) => [state, what])).toEqual([
      ["ok", "lan:up"],
      ["ok", "lan:draining"],
      ["bad", "lan:unreachable"],
      ["unknown", "lan:down"],
    ]);
    expect(poolItems("lan", nodes)[2]).toMatchObject({ hint: expect.stringContaining("node forget") });
  });

  it("is bad when nobody watches, and for every fault", () => {
    const fault = { kind: "sameName" as const, nodes: ["a"], message: "two", hint: "rename" };
    const states = (items: ReturnType<typeof controlItems>) => items.map(({ state }) => state);
    expect(states(controlItems("pool lan", [daemon], []))).toEqual(["ok"]);
    expect(states(controlItems("pool lan", [daemon], [fault]))).toEqual(["ok", "bad"]);
    expect(states(controlItems("pool lan", [{ ...daemon, watching: false }], []))).toEqual(["bad"]);
  });
});

describe("the health of a lab", () => {
  it("is ok when every machine answers", () => {
    const host = node("h1", { kind: "host", agent: null });
    expect(states(lab(node("n1"), host), { n1: answer("n1") })).toEqual([
      "ok lab demo",
      "ok demo:n1",
      "ok demo:n1:eth0",
      "ok demo:h1",
    ]);
  });

  it("is bad when a machine is down, or its process is there and does not answer", () => {
    const asked = { n1: { why: "no answer within 2 s" }, n2: answer("n2") };
    const items = labItems(
      lab(node("n1"), node("n2"), node("n3", { state: "down" })),
      new Map(Object.entries(asked)),
    );
    expect(items.map(({ state }) => state)).toEqual(["bad", "bad", "ok", "ok", "bad"]);
    expect(items[1]?.words).toContain("no answer within 2 s");
    expect(items[4]?.hint).toBe("proteus lab start n3");
  });

  it("is unknown when nobody could ask", () => {
    expect(states(lab(node("n1")), {})).toEqual(["unknown lab demo", "unknown demo:n1"]);
  });

  it("is bad when the machines do not fit together, though each of them answers", () => {
    const both = lab(node("n1"), node("n2"));
    expect(states(both, { n1: answer("n1"), n2: answer("n1") })).toContain("bad lab demo");
    const items = labItems(
      both,
      new Map([
        ["n1", answer("n1")],
        ["n2", answer("n2", 9000)],
      ]),
    );
    expect(items[0]?.state).toBe("bad");
    expect(items.at(-1)?.words).toContain("MTUs differ on lan0");
  });

  it("shows what an interface has lost, and an interface that is not attached", () => {
    const items = labItems(lab(node("n1")), new Map([["n1", answer("n1", 1500, 7)]]));
    expect(items[2]?.words).toContain("lost 7");
    const none: Asked = { document: { name: "n1", interfaces: [] } };
    expect(states(lab(node("n1")), { n1: none })).toContain("bad demo:n1:eth0");
  });
});

describe("the whole", () => {
  it("is the worst of its parts, and unknown without any", () => {
    expect(worst([])).toBe("unknown");
    expect(worst(["ok", "ok"])).toBe("ok");
    expect(worst(["ok", "unknown"])).toBe("unknown");
    expect(worst(["unknown", "bad", "ok"])).toBe("bad");
  });

  it("begins with one word that says it, and has colours only where they are wanted", () => {
    const report = {
      state: "bad",
      items: [{ state: "bad", what: "demo:n1", words: "down", hint: "start it" }],
    } as const;
    expect(healthText(report, false)).toBe(
      "health: bad\nSTATE  WHAT     IS\nbad    demo:n1  down\ndemo:n1: start it",
    );
    expect(healthText({ state: "unknown", items: [] }, false)).toContain("no lab runs here");
  });
});
