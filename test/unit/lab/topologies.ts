// Random topologies, all of them valid.

import fc from "fast-check";
import { isName, type Topology } from "../../../control/lab/topology.js";

const reserved = ["lo", "all", "default", "__proto__"];
const names = fc
  .stringMatching(/^[a-z0-9][a-z0-9-]{0,11}$/)
  .filter((name) => isName(name) && !reserved.includes(name));
const networks = fc.uniqueArray(
  fc.record({
    name: names,
    mtu: fc.integer({ min: 256, max: 65521 }),
    rate: fc.constantFrom(null, "1gbit", "100mbit", "64kbit"),
  }),
  { minLength: 1, maxLength: 5, selector: ({ name }) => name },
);

export const topologies: fc.Arbitrary<Topology> = networks.chain((networks) => {
  const on = fc.shuffledSubarray(
    networks.map(({ name }) => name),
    { minLength: 1 },
  );
  const node = fc
    .record({ name: names, networks: on, host: fc.boolean() })
    .map(({ name, networks, host }) => ({
      name,
      kind: host ? ("host" as const) : networks.length > 1 ? ("router" as const) : ("pool" as const),
      networks,
    }));
  const nodes = fc.uniqueArray(node, { minLength: 1, maxLength: 8, selector: ({ name }) => name });
  return fc.record({ name: names, networks: fc.constant(networks), nodes });
});
