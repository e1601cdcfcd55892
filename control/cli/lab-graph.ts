// `proteus lab graph`: a lab as text, as a picture, or for the tools that draw.
//
// - Of the running lab, or of a lab file, which needs no right and makes nothing.

import { type Command, Option } from "@commander-js/extra-typings";
import { drawGraph, graphFormats, graphOf, type LabGraph } from "../lab/graph.js";
import { isUp, requireLab } from "../lab/lab.js";
import { readTopology } from "./lab-file.js";
import { labOption } from "./lab-options.js";

const help = `
Without a file it draws the running lab, with the state of its machines. Impaired links
are marked.

Examples:
  proteus lab graph
  proteus lab graph --format svg > lab.svg
  proteus lab graph demo.yaml --format mermaid`;

function read(file: string | undefined, lab: string | undefined): LabGraph {
  if (file !== undefined) return graphOf(readTopology(file));
  const state = requireLab(lab);
  const { nodes } = state.topology;
  return graphOf(
    state.topology,
    new Map(nodes.map((node) => [node.name, isUp(state, node) ? "up" : "down"])),
  );
}

/** Adds `graph` to the commands of the lab. */
export function registerGraph(lab: Command): void {
  lab
    .command("graph")
    .description("draw a lab: its networks, machines, links and what is wrong with them")
    .argument("[file]", "a lab file (YAML); default: the running lab")
    .addOption(new Option("--format <format>", "how").choices(graphFormats).default("text" as const))
    .option("--json", "the same as --format json", false)
    .addOption(labOption())
    .addHelpText("after", help)
    .action(async (file, { format, json, lab: name }) => {
      const drawn = await drawGraph(read(file, name), json ? "json" : format);
      process.stdout.write(`${drawn}\n`);
    });
}
