// The lab file: text in, a checked Topology out.
//
// - Every complaint names the file, the line and the field, and says what to write instead; it
//   is a usage error (exit 2).
// - Order is kept (topology.ts).

import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { speedMax, speedMin } from "../../drivers/serial/line.js";
import { ProteusError } from "../kernel/errors.js";
import { mediumSize } from "../node/config/schemas.js";
import { impairmentFields } from "./impairment-fields.js";
import { isHealthy, mergeImpairments, noImpairments } from "./impairments.js";
import { isName, nameRule } from "./names.js";
import { isRate } from "./rate.js";
import {
  daemonsMax,
  groupNameRule,
  isGroupName,
  type LinkImpairments,
  type MetalMachine,
  metalCards,
  metalFault,
  metalMachines,
  mtuMax,
  mtuMin,
  type NodeKind,
  networksMax,
  nodesMax,
  type Topology,
} from "./topology.js";

/** Names that mean something else to Linux where an interface's name is expected. */
const reservedNetworks = new Set(["lo", "all", "default"]);

const name = z.string({ error: "must be text" }).refine(isName, { error: `a name is ${nameRule}` });

const network = z
  .strictObject(
    {
      mtu: z
        .int({ error: "must be a whole number of bytes, such as 1500" })
        .min(mtuMin, { error: `must be ${mtuMin} or more` })
        .max(mtuMax, { error: `must be ${mtuMax} or less` })
        .default(1500),
      rate: z
        .string({ error: "must be text such as 1gbit or 100mbit" })
        .refine(isRate, {
          error: "must be a rate such as 1gbit, 100mbit or 64kbit (8kbit to 1000gbit)",
        })
        .nullable()
        .default(null),
      kind: z
        .enum(["ethernet", "serial", "ip"], { error: "must be ethernet, serial or ip" })
        .default("ethernet"),
      speed: z
        .int({ error: "must be bits a second, such as 115200" })
        .min(speedMin, { error: `must be ${speedMin} or more` })
        .max(speedMax, { error: `must be ${speedMax} or less` })
        .optional(),
      noise: z
        .number({ error: "must be the probability of damage to a byte, such as 0.0001" })
        .min(0, { error: "must be 0 or more" })
        .max(0.01, { error: "must be 0.01 or less" })
        .optional(),
    },
    { error: (issue) => (issue.code === "invalid_type" ? "must be a map such as { mtu: 1500 }" : undefined) },
  )
  .nullable()
  .transform((value) => value ?? { mtu: 1500, rate: null, kind: "ethernet" as const });

const bullet = z.strictObject(
  { size: mediumSize.default(256 * 1024 * 1024) },
  { error: (issue) => (issue.code === "invalid_type" ? "must be a map such as { size: 256M }" : undefined) },
);

const disk = z.strictObject(
  { size: mediumSize },
  { error: (issue) => (issue.code === "invalid_type" ? "must be a map such as { size: 64M }" : undefined) },
);

const seconds = z.int({ error: "must be a whole number of seconds" }).min(0, { error: "must be 0 or more" });
const replicationSettings = z.strictObject(
  {
    copies: z
      .int({ error: "must be a whole number of copies" })
      .min(1, { error: "must be 1 or more" })
      .max(8, { error: "must be 8 or less" })
      .optional(),
    interval: seconds.min(1, { error: "must be 1 or more" }).optional(),
    grace: seconds.optional(),
    verify: seconds.min(1, { error: "must be 1 or more" }).optional(),
  },
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "must be true, false or a map such as { grace: 60 }" : undefined,
  },
);
const replication = z.preprocess(
  (value) => (value === true ? {} : value === false ? undefined : value),
  replicationSettings.optional(),
);

const node = z.strictObject(
  {
    kind: z.enum(["pool", "router", "host", "metal", "pxe"], {
      error: "must be pool, router, host, metal or pxe",
    }),
    networks: z
      .array(z.string({ error: "must be the name of a network" }), {
        error: "must be a list of networks such as [lan0]",
      })
      .min(1, { error: "must name one network or more, such as [lan0]" }),
    bullet: bullet.optional(),
    firmware: z.enum(["bios", "uefi"], { error: "must be bios or uefi" }).optional(),
    directory: z.boolean({ error: "must be true or false" }).optional(),
    replication: replication.optional(),
    machine: z.enum(metalMachines, { error: `must be ${metalMachines.join(", ")}` }).optional(),
    disk: disk.optional(),
    groups: z
      .array(z.string({ error: "must be the name of a group" }), {
        error: "must be a list of groups such as [chat]",
      })
      .length(1, { error: "must name one group: a metal machine is a member of one at most" })
      .optional(),
    nic: z.enum(metalCards, { error: `must be ${metalCards.join(" or ")}` }).optional(),
  },
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "must be a map such as { kind: pool, networks: [lan0] }" : undefined,
  },
);

const control = z
  .strictObject(
    {
      daemons: z
        .int({ error: "must be a whole number, such as 3; 0 for none" })
        .min(0, { error: "must be 0 or more" })
        .max(daemonsMax, { error: `must be ${daemonsMax} or less` })
        .optional(),
    },
    {
      error: (issue) => (issue.code === "invalid_type" ? "must be a map such as { daemons: 3 }" : undefined),
    },
  )
  .nullish();

const file = z
  .strictObject(
    {
      name: name.default("lab"),
      networks: z.record(z.string(), network, {
        error: "must be a map of networks such as lan0: { mtu: 1500 }",
      }),
      nodes: z.record(z.string(), node, {
        error: "must be a map of nodes such as n1: { kind: pool, networks: [lan0] }",
      }),
      control,
      impairments: z
        .record(z.string(), impairmentFields, {
          error: "must be a map of links such as n1:lan0: { loss: 5% }",
        })
        .nullish(),
    },
    {
      error: (issue) => (issue.code === "invalid_type" ? "must be a map with networks and nodes" : undefined),
    },
  )
  .superRefine((value, context) => {
    const complain = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: "custom", path, message });
    };
    const networks = Object.keys(value.networks);
    const nodes = Object.keys(value.nodes);
    if (networks.length === 0)
      complain(["networks"], "has no network; write one, such as lan0: { mtu: 1500 }");
    if (networks.length > networksMax) complain(["networks"], `has more than ${networksMax} networks`);
    if (nodes.length === 0)
      complain(["nodes"], "has no node; write one, such as n1: { kind: pool, networks: [lan0] }");
    if (nodes.length > nodesMax) complain(["nodes"], `has more than ${nodesMax} nodes`);
    for (const each of networks) {
      if (!isName(each)) complain(["networks", each], `a name is ${nameRule}`);
      else if (reservedNetworks.has(each))
        complain(["networks", each], "Linux keeps this name for itself; choose another");
      const { kind, rate, speed, noise } = value.networks[each] ?? {};
      const on = Object.values(value.nodes).filter((node) => node.networks.includes(each));
      if (kind === "serial" && rate !== null)
        complain(["networks", each, "rate"], "a cable has a speed, in bits a second");
      if (kind === "serial" && on.length !== 2)
        complain(["networks", each], `a cable joins two nodes; ${on.length} are on it`);
      if (kind === "ip" && on.length < 2)
        complain(["networks", each], "a network over IP has two nodes or more");
      if (kind !== "serial" && (speed !== undefined || noise !== undefined))
        complain(["networks", each], "only a network of kind: serial has a speed and noise");
      const bare = on.find((node) => node.kind === "metal" || node.kind === "pxe");
      if (kind !== "ethernet" && bare !== undefined)
        complain(["networks", each], `a ${bare.kind} machine has Ethernet only`);
    }
    for (const [each, facts] of Object.entries(value.nodes)) {
      const { kind, networks: on, bullet: files, directory, replication: copies } = facts;
      const lacks = serverless[kind];
      if (lacks !== undefined && directory === true) complain(["nodes", each, "directory"], lacks);
      if (copies !== undefined) {
        const why = lacks;
        const hasNames = Object.values(value.nodes).some((other) => other.directory === true);
        const fault = why ?? (hasNames ? undefined : "no node has directory: true, so no file has a name");
        if (fault !== undefined) complain(["nodes", each, "replication"], fault);
      }
      for (const field of ["machine", "nic", "disk", "groups"] as const)
        if (kind !== "metal" && facts[field] !== undefined)
          complain(["nodes", each, field], "only a machine of kind metal has one; leave it out");
      for (const group of facts.groups ?? [])
        if (!isGroupName(group)) complain(["nodes", each, "groups"], groupNameRule);
      const noSuchMachine = metalFault(metalOf(facts));
      if (kind === "metal" && noSuchMachine !== undefined) complain(["nodes", each, "nic"], noSuchMachine);
      if (!isName(each)) complain(["nodes", each], `a name is ${nameRule}`);
      if (lacks !== undefined && files !== undefined) complain(["nodes", each, "bullet"], lacks);
      if (facts.firmware !== undefined && kind !== "pxe")
        complain(["nodes", each, "firmware"], "only a machine of kind pxe is started by firmware");
      if ((kind === "metal" || kind === "pxe") && on.length > metalNetworksMax)
        complain(["nodes", each, "networks"], `a ${kind} machine is on ${metalNetworksMax} networks at most`);
      if (kind === "router" && on.length < 2)
        complain(
          ["nodes", each, "networks"],
          "a router joins two networks or more; write kind: pool for one",
        );
      on.forEach((to, index) => {
        if (!networks.includes(to))
          complain(
            ["nodes", each, "networks", index],
            `there is no network "${to}"; there is ${networks.join(", ")}`,
          );
        if (on.indexOf(to) !== index)
          complain(["nodes", each, "networks", index], `network "${to}" is listed twice; once is enough`);
      });
    }
    for (const target of Object.keys(value.impairments ?? {})) {
      const [each = "", to] = target.split(":");
      const on = value.nodes[each]?.networks;
      if (on === undefined)
        complain(["impairments", target], `there is no node "${each}"; there is ${nodes.join(", ")}`);
      else if (to !== undefined && !isLinkOf(on, to))
        complain(["impairments", target], `${each} has no link to "${to}"; it is on ${on.join(", ")}`);
      else if (
        on.some((name, index) => {
          const meant = to === undefined || to === name || to === `eth${index}`;
          return meant && value.networks[name]?.kind === "serial";
        })
      )
        complain(["impairments", target], "a cable cannot be impaired; its network may have noise: 0.0001");
    }
  });

/** Why kinds of machines have no such server. */
const serverless: Readonly<Partial<Record<NodeKind, string>>> = {
  host: "a host has no agent and no servers; write kind: pool",
  metal: "a metal machine has only the servers echo, sys and segment; write kind: pool",
  pxe: "a pxe machine has what it boots; write kind: pool",
};

type NodeFacts = z.infer<typeof node>;

function metalOf({ machine = "microvm", nic = "virtio" }: NodeFacts): MetalMachine {
  return { machine, nic };
}

/** What a node is, when it is a machine that not every metal machine is. */
function chosenMetal(facts: NodeFacts): { readonly metal?: MetalMachine } {
  return facts.machine === undefined && facts.nic === undefined ? {} : { metal: metalOf(facts) };
}

/** As many as boot/metal/networks.ts takes. */
const metalNetworksMax = 4;

/** Is `n1:TO` a link of a node on these networks? By the name of a network or of its interface. */
function isLinkOf(networks: readonly string[], to: string): boolean {
  return networks.some((network, index) => to === network || to === `eth${index}`);
}

/** The impairments of a file, link by link: those of a node first, then those of a link over them. */
function impairedLinks({ nodes, impairments }: z.infer<typeof file>): LinkImpairments[] {
  const entries = Object.entries(impairments ?? {});
  return Object.entries(nodes)
    .flatMap(([name, { networks }]) =>
      networks.map((network, index) => {
        const all = entries.filter(([target]) => target === name);
        const own = entries.filter(
          ([target]) => target === `${name}:${network}` || target === `${name}:eth${index}`,
        );
        const merged = [...all, ...own].reduce(
          (sum, [, fields]) => mergeImpairments(sum, fields),
          noImpairments,
        );
        return { node: name, network, impairments: merged };
      }),
    )
    .filter(({ impairments }) => !isHealthy(impairments));
}

function invalid(source: string, complaints: readonly string[]): ProteusError {
  const shown = complaints.slice(0, 5);
  const more = complaints.length - shown.length;
  return new ProteusError({
    code: "LAB_FILE_INVALID",
    exit: 2,
    message: `${source} is not a lab file`,
    why: shown.join("\n     ") + (more > 0 ? `\n     and ${more} more` : ""),
    unchanged: "no lab was made or changed",
    hint: "see `proteus lab up --help` for an example of a lab file",
  });
}

/** Reads a lab file. `source` is its name, for messages. Throws LAB_FILE_INVALID. */
export function parseTopology(text: string, source: string): Topology {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0)
    throw invalid(
      source,
      document.errors.map((error) => `${source}:${lines.linePos(error.pos[0]).line}: ${error.message}`),
    );
  /** The line of a field, or of the closest one around it that is there. */
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const found = document.getIn(path.slice(0, length), true);
      if (isNode(found) && found.range) return lines.linePos(found.range[0]).line;
    }
    return 1;
  };
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    // An alias without an anchor, or one that grows without end.
    throw invalid(source, [`${source}: ${(error as Error).message}`]);
  }
  const result = file.safeParse(content);
  if (!result.success)
    throw invalid(
      source,
      result.error.issues.map((issue) => {
        const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
        const path = unknown === undefined ? issue.path : [...issue.path, unknown];
        const field = path.length === 0 ? "the file" : path.map(String).join(".");
        const message = unknown === undefined ? issue.message : "is not known here; leave it out";
        return `${source}:${lineOf(path)}: ${field}: ${message}`;
      }),
    );
  const impaired = impairedLinks(result.data);
  const daemons = result.data.control?.daemons;
  return {
    name: result.data.name,
    networks: Object.entries(result.data.networks).map(([name, value]) => ({
      name,
      mtu: value.mtu,
      rate: value.rate,
      ...(value.kind === "ethernet" ? {} : { kind: value.kind }),
      ...(value.speed === undefined ? {} : { speed: value.speed }),
      ...(value.noise === undefined ? {} : { noise: value.noise }),
    })),
    nodes: Object.entries(result.data.nodes).map(([name, facts]) => ({
      ...{ name, kind: facts.kind, networks: facts.networks },
      ...chosenMetal(facts),
      ...(facts.disk === undefined ? {} : { disk: { bytes: facts.disk.size } }),
      ...(facts.groups === undefined ? {} : { groups: facts.groups }),
      ...(facts.bullet === undefined ? {} : { bullet: { bytes: facts.bullet.size } }),
      ...(facts.directory === true ? { directory: true } : {}),
      ...(facts.firmware === undefined ? {} : { firmware: facts.firmware }),
      ...(facts.replication === undefined ? {} : { replication: facts.replication }),
    })),
    ...(daemons === undefined ? {} : { daemons }),
    ...(impaired.length === 0 ? {} : { impairments: impaired }),
  };
}
