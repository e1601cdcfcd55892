// The plan of a lab: names that Linux accepts, addresses that nobody has twice, and
// nothing outside the lab's own namespaces.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { interfacesOf, namespaceName, planLab, planPower } from "../../../control/lab/plan.js";
import { topologies } from "./topologies.js";

const small = parseTopology(
  `name: demo
networks: { lan0: { mtu: 9000 }, lan1: { rate: 1gbit } }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan1, lan0] }
`,
  "demo.yaml",
);

describe("the plan of a lab", () => {
  it("is what one would type", () => {
    expect(planLab(small)).toEqual({
      ip: [
        "link add lan0 mtu 9000 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        "link set lan0 up",
        "link add lan1 mtu 1500 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        "link set lan1 up",
        "netns add proteus-demo-n1",
        "link add eth0 netns proteus-demo-n1 address 02:00:00:00:00:01 mtu 9000 type veth peer name n1_0 mtu 9000",
        "link set n1_0 master lan0 up",
        "netns add proteus-demo-r1",
        "link add eth0 netns proteus-demo-r1 address 02:00:00:00:01:02 mtu 1500 type veth peer name r1_0 mtu 1500",
        "link set r1_0 master lan1 up",
        "link add eth1 netns proteus-demo-r1 address 02:00:00:00:00:02 mtu 9000 type veth peer name r1_1 mtu 9000",
        "link set r1_1 master lan0 up",
      ],
      tc: ["qdisc add dev r1_0 root tbf rate 1gbit burst 125000 latency 20ms"],
      nodes: [
        {
          node: "n1",
          namespace: "proteus-demo-n1",
          ip: ["link set lo up", "addr add 10.0.0.1/24 dev eth0", "link set eth0 up"],
          tc: [],
        },
        {
          node: "r1",
          namespace: "proteus-demo-r1",
          ip: [
            "link set lo up",
            "addr add 10.1.0.2/24 dev eth0",
            "link set eth0 up",
            "addr add 10.0.0.2/24 dev eth1",
            "link set eth1 up",
          ],
          tc: ["qdisc add dev eth0 root tbf rate 1gbit burst 125000 latency 20ms"],
        },
      ],
    });
  });

  it("cuts a node at the switch and inside", () => {
    const [, router] = small.nodes;
    if (router === undefined) throw new Error("no router");
    expect(planPower(small, router, false)).toEqual({
      switch: ["link set r1_0 down", "link set r1_1 down"],
      node: ["link set eth0 down", "link set eth1 down"],
    });
  });

  it("never gives two interfaces one address, one MAC address or one name", () => {
    fc.assert(
      fc.property(topologies, (topology) => {
        const all = topology.nodes.flatMap((node) => interfacesOf(topology, node));
        for (const field of ["ip", "mac", "port"] as const)
          expect(new Set(all.map((each) => each[field])).size).toBe(all.length);
        const atSwitch = [...all.map(({ port }) => port), ...topology.networks.map(({ name }) => name)];
        expect(new Set(atSwitch).size).toBe(atSwitch.length);
      }),
    );
  });

  it("keeps names within Linux's 15 characters and in our own namespaces", () => {
    fc.assert(
      fc.property(topologies, (topology) => {
        const plan = planLab(topology);
        const namespaces = topology.nodes.map((node) => namespaceName(topology.name, node.name));
        for (const line of plan.ip) {
          const [, , device = ""] = line.split(" ");
          const inside = / netns (\S+)/.exec(line)?.[1];
          if (line.startsWith("netns add ")) expect(namespaces).toContain(device);
          else expect(device.length).toBeLessThanOrEqual(15);
          if (inside !== undefined && line.startsWith("link")) expect(namespaces).toContain(inside);
        }
        for (const node of topology.nodes)
          interfacesOf(topology, node).forEach((each, index) => {
            expect(each.name).toBe(`eth${index}`);
            expect(each.port.length).toBeLessThanOrEqual(15);
            expect(each.network).toBe(node.networks[index]);
          });
      }),
    );
  });

  it("lets a token bucket hold two frames at least, so that a large one passes a slow link", () => {
    fc.assert(
      fc.property(topologies, (topology) => {
        const plan = planLab(topology);
        const limits = [...plan.tc, ...plan.nodes.flatMap(({ tc }) => tc)];
        const limited = topology.nodes
          .flatMap((node) => interfacesOf(topology, node))
          .filter(({ rate }) => rate !== null);
        expect(limits.length).toBe(2 * limited.length);
        const smallest = Math.min(...limited.map(({ mtu }) => mtu));
        for (const line of limits)
          expect(Number(/ burst (\d+) /.exec(line)?.[1])).toBeGreaterThanOrEqual(2 * smallest);
      }),
    );
  });
});
