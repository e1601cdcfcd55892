// `proteus lab impair`: breaks links on purpose, and mends them.
//
// - What is not given stays as it is; zero is as if it had never been set.
// - With --duration the command waits that long, then puts back what was, also when it is
//   interrupted. Without any value it shows what is wrong with the links.

import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { usageError } from "../kernel/errors.js";
import { changing } from "../lab/changing.js";
import { impair } from "../lab/impair.js";
import { impairmentFields } from "../lab/impairment-fields.js";
import {
  type ImpairmentFields,
  type Impairments,
  impairmentText,
  mergeImpairments,
  noImpairments,
} from "../lab/impairments.js";
import { requireLab } from "../lab/lab.js";
import { impairmentsOf, type Link, linkName, linksOf, requireLinks } from "../lab/links.js";
import type { LabState } from "../lab/state.js";
import { interruptible, jsonOption, labOption } from "./lab-options.js";
import { emit, narrate } from "./output.js";
import { parseDuration } from "./quantity.js";
import { table } from "./table.js";

const help = `
NODE is all links of a node, NODE:NETWORK or NODE:ethN one of them. Both directions of a
link are impaired, and every protocol alike. Shares are 5% or 0.05; the delay is each way.

Examples:
  proteus lab impair n1 --loss 5% --delay 2ms
  proteus lab impair n1:lan0 --loss 0              # the delay stays
  proteus lab impair r1:lan1 --cut --duration 10s  # waits, then joins it again
  proteus lab impair n1 --reset
  proteus lab impair                               # what is wrong with which link

In a lab file:
  impairments:
    n1: { loss: 5%, delay: 2ms, reorder: 1%, duplicate: 1%, corrupt: 0.1% }
    r1:lan1: { rate: 100mbit, cut: false }`;

type Field = Exclude<keyof ImpairmentFields, "cut">;

const explained: Readonly<Record<Field, readonly [string, string]>> = {
  loss: ["<share>", "frames that are lost"],
  delay: ["<time>", "how much longer each frame is on its way, each way: 2ms, 500us"],
  reorder: ["<share>", "frames that the next one overtakes"],
  duplicate: ["<share>", "frames that arrive twice"],
  corrupt: ["<share>", "frames with a bit flipped"],
  rate: ["<rate>", "bits a second, in each direction: 100mbit; 0: what the network has"],
};

/** A value of the command line as the lab file would have it, checked by the same rule. */
function fieldOption(name: Field): Option {
  const [argument, text] = explained[name];
  return new Option(`--${name} ${argument}`, text).argParser((given: string) => {
    const result = impairmentFields.safeParse({ [name]: given });
    if (!result.success)
      throw new InvalidArgumentError(`${result.error.issues[0]?.message ?? "It is wrong"}.`);
    return given;
  });
}

interface ImpairOptions {
  readonly lab?: string;
  readonly json: boolean;
  readonly reset: boolean;
  readonly cut?: boolean;
  readonly duration?: string;
  readonly loss?: string;
  readonly delay?: string;
  readonly reorder?: string;
  readonly duplicate?: string;
  readonly corrupt?: string;
  readonly rate?: string;
}

function fieldsOf({ loss, delay, reorder, duplicate, corrupt, rate, cut }: ImpairOptions): ImpairmentFields {
  return impairmentFields.parse({ loss, delay, reorder, duplicate, corrupt, rate, cut });
}

function documentOf({ topology }: LabState, links: readonly Link[]): object {
  return {
    lab: topology.name,
    links: links.map((link) => ({
      link: linkName(link),
      node: link.node,
      network: link.network,
      ...impairmentsOf(topology, link),
    })),
  };
}

function show(state: LabState, links: readonly Link[], json: boolean): void {
  emit("lab impair", json, documentOf(state, links), () =>
    table(
      ["LINK", "IMPAIRMENTS"],
      links.map((link) => [linkName(link), impairmentText(impairmentsOf(state.topology, link))]),
    ),
  );
}

/** The values that `fields` sets, as they were before: what a duration ends with. */
function restored(
  now: Impairments,
  before: Impairments,
  fields: ImpairmentFields,
  all: boolean,
): Impairments {
  if (all) return before;
  const set = (Object.keys(fields) as (keyof ImpairmentFields)[]).filter(
    (name) => fields[name] !== undefined,
  );
  const keys = set.map((name) => (name === "delay" ? "delayMs" : name));
  return { ...now, ...Object.fromEntries(keys.map((key) => [key, before[key]])) };
}

async function impairCommand(target: string | undefined, options: ImpairOptions): Promise<void> {
  const fields = fieldsOf(options);
  const sets = options.reset || Object.values(fields).some((value) => value !== undefined);
  const lab = requireLab(options.lab);
  if (!sets) {
    if (options.duration !== undefined) throw usageError("--duration needs something that lasts so long");
    const links =
      target === undefined ? lab.topology.nodes.flatMap(linksOf) : requireLinks(lab.topology, target);
    show(lab, links, options.json);
    return;
  }
  if (target === undefined)
    throw usageError("which node or link?", "proteus lab impair NODE --loss 5%, or NODE:NETWORK");
  const duration = options.duration === undefined ? null : parseDuration(options.duration);
  const { name } = lab.topology;
  const change = (before: Impairments): Impairments =>
    mergeImpairments(options.reset ? noImpairments : before, fields);
  const made = async () =>
    changing(name, async (before) => {
      const links = requireLinks(before.topology, target);
      return { before, links, state: await impair(before, links, change) };
    });
  if (duration === null) {
    const { state, links } = await made();
    show(state, links, options.json);
    return;
  }
  await interruptible(async (abort) => {
    const { before, links, state } = await made();
    show(state, links, options.json);
    narrate(`for ${duration / 1000} s …`);
    await sleep(duration, undefined, { signal: abort }).catch(() => undefined);
    await changing(name, (now) =>
      impair(now, links, (impaired, link) =>
        restored(impaired, impairmentsOf(before.topology, link), fields, options.reset),
      ),
    );
    narrate(`${links.map(linkName).join(", ")}: as before`);
  }, "what was before was put back");
}

/** Adds `impair` to the commands of the lab. */
export function registerImpair(lab: Command): void {
  lab
    .command("impair")
    .description("lose, delay, reorder, double or damage frames of a link, slow it down, or cut it")
    .argument("[link]", "NODE, NODE:NETWORK or NODE:ethN")
    .addOption(fieldOption("loss"))
    .addOption(fieldOption("delay"))
    .addOption(fieldOption("reorder"))
    .addOption(fieldOption("duplicate"))
    .addOption(fieldOption("corrupt"))
    .addOption(fieldOption("rate"))
    .option("--cut", "nothing passes")
    .option("--no-cut", "frames pass again")
    .option("--reset", "everything else to nothing", false)
    .option("--duration <duration>", "only so long, then as before: 10s")
    .addOption(labOption())
    .addOption(jsonOption())
    .addHelpText("after", help)
    .action(async (target, options) => impairCommand(target, options as ImpairOptions));
}
