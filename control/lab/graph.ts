// A lab as a drawing: networks and machines, and the links between them with what is
// wrong with them.
//
// - One neutral document, `graphOf`; each format is a view of it. Pure, but for the SVG,
//   which Graphviz lays out (loaded only for that).
// - State of machines is there when a running lab is drawn, and left out for a file.

import { impairmentText, isHealthy } from "./impairments.js";
import { impairmentsOf } from "./links.js";
import { interfacesOf } from "./plan.js";
import type { NodeKind, Topology } from "./topology.js";

export const graphFormats = ["text", "dot", "mermaid", "svg", "json"] as const;
export type GraphFormat = (typeof graphFormats)[number];

export interface LabGraph {
  readonly schema: 1;
  readonly lab: string;
  readonly networks: readonly { readonly name: string; readonly mtu: number; readonly rate: string | null }[];
  readonly nodes: readonly {
    readonly name: string;
    readonly kind: NodeKind;
    readonly state?: "up" | "down";
  }[];
  readonly links: readonly {
    readonly node: string;
    readonly network: string;
    readonly interface: string;
    readonly ip: string;
    /** In words; null when nothing is. */
    readonly impaired: string | null;
  }[];
}

/** The graph of a topology; `states` are those of its machines when it runs. */
export function graphOf(
  topology: Topology,
  states: ReadonlyMap<string, "up" | "down"> = new Map(),
): LabGraph {
  return {
    schema: 1,
    lab: topology.name,
    networks: topology.networks.map(({ name, mtu, rate }) => ({ name, mtu, rate })),
    nodes: topology.nodes.map(({ name, kind }) => {
      const state = states.get(name);
      return { name, kind, ...(state === undefined ? {} : { state }) };
    }),
    links: topology.nodes.flatMap((node) =>
      interfacesOf(topology, node).map(({ name, network, ip }) => {
        const impairments = impairmentsOf(topology, { node: node.name, network });
        return {
          node: node.name,
          network,
          interface: name,
          ip,
          impaired: isHealthy(impairments) ? null : impairmentText(impairments),
        };
      }),
    ),
  };
}

type GraphNetwork = LabGraph["networks"][number];
type GraphNode = LabGraph["nodes"][number];
type GraphLink = LabGraph["links"][number];

const networkNote = ({ mtu, rate }: GraphNetwork): string => `mtu ${mtu}${rate === null ? "" : `, ${rate}`}`;
const nodeNote = ({ kind, state }: GraphNode): string => (state === undefined ? kind : `${kind}, ${state}`);

/** A tree: each network with the machines on it. */
export function graphText(graph: LabGraph): string {
  return graph.networks
    .map((network) => {
      const links = graph.links.filter((link) => link.network === network.name);
      const lines = links.map((link, index) => {
        const node = graph.nodes.find(({ name }) => name === link.node);
        const branch = index === links.length - 1 ? "└─" : "├─";
        const impaired = link.impaired === null ? "" : `  ⚡ ${link.impaired}`;
        const note = node === undefined ? "" : `  (${nodeNote(node)})`;
        return `${branch} ${link.node}  ${link.interface}  ${link.ip}${note}${impaired}`;
      });
      return [`${network.name}  (${networkNote(network)})`, ...lines].join("\n");
    })
    .join("\n");
}

/** Names of ours are letters, digits and "-": quoting is enough. */
const networkId = (name: string): string => `network ${name}`;
const nodeId = (name: string): string => `node ${name}`;

const linkNote = ({ interface: at, ip, impaired }: GraphLink): string[] => [
  `${at} ${ip}`,
  ...(impaired === null ? [] : [impaired]),
];

const quote = (text: string): string => `"${text.replaceAll('"', '\\"')}"`;

/** Attributes as Graphviz takes them. */
function attributes(all: Readonly<Record<string, string>>): string {
  return `[${Object.entries(all)
    .map(([name, value]) => `${name}=${quote(value)}`)
    .join(", ")}]`;
}

/** Lines of a label; the backslash is Graphviz's own. */
const label = (...lines: string[]): string => lines.join("\\n");

const red = "#c62828";
const grey = "#777777";

/** For Graphviz. */
export function graphDot(graph: LabGraph): string {
  const networks = graph.networks.map((network) => {
    const note = label(network.name, networkNote(network));
    const look = { shape: "box", style: "rounded,filled", fillcolor: "#dbe7f5", label: note };
    return `${quote(networkId(network.name))} ${attributes(look)}`;
  });
  const nodes = graph.nodes.map((node) => {
    const shape = { pool: "ellipse", router: "diamond", host: "box", metal: "hexagon", pxe: "octagon" }[
      node.kind
    ];
    const down = { style: "filled,dashed", fillcolor: "#eeeeee", fontcolor: grey };
    const look = { shape, label: label(node.name, nodeNote(node)), ...(node.state === "down" ? down : {}) };
    return `${quote(nodeId(node.name))} ${attributes(look)}`;
  });
  const links = graph.links.map((link) => {
    const impaired: Record<string, string> = link.impaired === null ? {} : { color: red, fontcolor: red };
    const ends = `${quote(nodeId(link.node))} -- ${quote(networkId(link.network))}`;
    return `${ends} ${attributes({ label: label(...linkNote(link)), ...impaired })}`;
  });
  const font = { fontname: "sans-serif" };
  return [
    `graph ${quote(graph.lab)} {`,
    `  graph ${attributes({ rankdir: "LR", nodesep: "0.4", ranksep: "2.2", ...font })};`,
    `  node ${attributes({ fontsize: "12", margin: "0.25,0.12", ...font })};`,
    `  edge ${attributes({ fontsize: "9", ...font })};`,
    ...[...networks, ...nodes, ...links].map((line) => `  ${line};`),
    "}",
  ].join("\n");
}

/** For Mermaid, as Markdown pages take it. */
export function graphMermaid(graph: LabGraph): string {
  const networkNumber = new Map(graph.networks.map(({ name }, index) => [name, `network${index}`] as const));
  const nodeNumber = new Map(graph.nodes.map(({ name }, index) => [name, `node${index}`] as const));
  const text = (...lines: string[]): string => `"${lines.join("<br/>")}"`;
  const shapes: Readonly<Record<NodeKind, readonly [string, string]>> = {
    pool: ["([", "])"],
    router: ["{{", "}}"],
    host: ["[", "]"],
    metal: ["[[", "]]"],
    pxe: ["[[", "]]"],
  };
  const nodes = graph.nodes.map((node) => {
    const [open, close] = shapes[node.kind];
    return `  ${nodeNumber.get(node.name)}${open}${text(node.name, nodeNote(node))}${close}`;
  });
  const impaired = graph.links.flatMap((link, index) => (link.impaired === null ? [] : [index]));
  const down = graph.nodes.flatMap(({ name, state }) => (state === "down" ? [nodeNumber.get(name)] : []));
  return [
    "graph LR",
    ...graph.networks.map(
      (network) => `  ${networkNumber.get(network.name)}[/${text(network.name, networkNote(network))}/]`,
    ),
    ...nodes,
    ...graph.links.map(
      (link) =>
        `  ${nodeNumber.get(link.node)} ---|${text(...linkNote(link))}| ${networkNumber.get(link.network)}`,
    ),
    ...impaired.map((index) => `  linkStyle ${index} stroke:${red},color:${red}`),
    ...down.map((name) => `  style ${name} stroke-dasharray:4 3,color:${grey}`),
  ].join("\n");
}

/** A picture of its own, for a browser or a page. */
export async function graphSvg(graph: LabGraph): Promise<string> {
  const { Graphviz } = await import("@hpcc-js/wasm-graphviz");
  const graphviz = await Graphviz.load();
  return graphviz.layout(graphDot(graph), "svg", "dot").trimEnd();
}

/** The graph in any format. */
export async function drawGraph(graph: LabGraph, format: GraphFormat): Promise<string> {
  switch (format) {
    case "text":
      return graphText(graph);
    case "dot":
      return graphDot(graph);
    case "mermaid":
      return graphMermaid(graph);
    case "svg":
      return graphSvg(graph);
    case "json":
      return JSON.stringify(graph);
  }
}
