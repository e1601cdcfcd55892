// A drawing of a lab shows all of it, whatever format it has, and what is wrong with it.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  drawGraph,
  graphDot,
  graphFormats,
  graphMermaid,
  graphOf,
  graphText,
} from "../../../control/lab/graph.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { topologies } from "./topologies.js";

const topology = parseTopology(
  `name: demo
networks: { lan0: , lan1: { rate: 1gbit } }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }
  h1: { kind: host, networks: [lan1] }
impairments: { r1:lan1: { loss: 5%, delay: 2ms } }
`,
  "test",
);
const graph = graphOf(topology, new Map([["n1", "down"]]));

describe("a drawing of a lab", () => {
  it("is a tree of networks and machines as text", () => {
    expect(graphText(graph)).toBe(
      `lan0  (mtu 1500)
├─ n1  eth0  10.0.0.1/24  (pool, down)
└─ r1  eth0  10.0.0.2/24  (router)
lan1  (mtu 1500, 1gbit)
├─ r1  eth1  10.1.0.2/24  (router)  ⚡ loss 5%, delay 2ms
└─ h1  eth0  10.1.0.3/24  (host)`,
    );
  });

  it("has an edge for each link in dot and Mermaid, the impaired one marked", () => {
    const dot = graphDot(graph).split("\n");
    expect(dot.filter((line) => line.includes(" -- "))).toHaveLength(4);
    const marked = String.raw`[label="eth1 10.1.0.2/24\nloss 5%, delay 2ms", color="#c62828", fontcolor="#c62828"]`;
    expect(dot.find((line) => line.includes("loss 5%"))).toBe(`  "node r1" -- "network lan1" ${marked};`);
    const mermaid = graphMermaid(graph).split("\n");
    expect(mermaid[0]).toBe("graph LR");
    expect(mermaid.filter((line) => line.includes("---|"))).toHaveLength(4);
    expect(mermaid).toContain("  linkStyle 2 stroke:#c62828,color:#c62828");
    expect(mermaid).toContain("  style node0 stroke-dasharray:4 3,color:#777777");
  });

  it("is a document as JSON", async () => {
    expect(JSON.parse(await drawGraph(graph, "json"))).toEqual(graph);
    expect(graph.links[2]).toEqual({
      node: "r1",
      network: "lan1",
      interface: "eth1",
      ip: "10.1.0.2/24",
      impaired: "loss 5%, delay 2ms",
    });
  });

  it("is a picture that has every name and no error, whatever the names are", async () => {
    await fc.assert(
      fc.asyncProperty(topologies, async (any) => {
        const svg = await drawGraph(graphOf(any), "svg");
        expect(svg).toMatch(/^<\?xml.*<svg .*<\/svg>$/s);
        for (const { name } of [...any.nodes, ...any.networks])
          expect(svg).toContain(`>${name.replaceAll("-", "&#45;")}</text>`);
        expect(svg.match(/class="edge"/g) ?? []).toHaveLength(graphOf(any).links.length);
      }),
      { numRuns: 10 },
    );
  });

  it("is there in every format for every lab", async () => {
    for (const format of graphFormats) expect((await drawGraph(graph, format)).length).toBeGreaterThan(100);
  });
});
