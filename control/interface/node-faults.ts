// Judges what the machines of a pool say of themselves: two with one name, clocks apart,
// different versions, MTUs that do not fit. Pure: documents in, faults out.
//
// - A machine that answered twice (the same kernel address) counts once.
// - Clocks are compared with the one in the middle, the asker's included, so that one wrong
//   clock is named and not all the others; half the time that the answer took is in doubt.
// - MTUs are compared on one network: its name where the asker knows it, a shared IPv4
//   network, or the only network there can be, when no machine has two interfaces.

import type { NodeDocument, NodeInterface } from "./node.js";

/** A document, and how it was got. */
export interface Seen {
  readonly document: NodeDocument;
  /** The asker's calendar when it asked and when it had the answer, milliseconds since 1970. */
  readonly askedMs?: number;
  readonly answeredMs?: number;
  /** Networks of its interfaces, where the asker knows them: interface name to network name. */
  readonly networks?: Readonly<Record<string, string>>;
}

export type NodeFaultKind = "sameName" | "clockSkew" | "versionSkew" | "mtuMismatch" | "daemonsLost";

/** Something that an administrator should mend. */
export interface NodeFault {
  readonly kind: NodeFaultKind;
  /** Whom it concerns, as `tellApart` calls them. */
  readonly nodes: readonly string[];
  readonly message: string;
  readonly hint: string;
}

export interface JudgeOptions {
  /** Clocks may be apart by so much. */
  readonly clockSkewMaxMs?: number;
}

const clockSkewMaxMs = 500;
const addressDigits = 4;

/** One entry a machine: of several answers of one kernel the last. */
function onceEach(seen: readonly Seen[]): Seen[] {
  const byKernel = new Map<string, Seen>();
  seen.forEach((each, index) => {
    byKernel.set(each.document.address ?? `unknown ${index}`, each);
  });
  return [...byKernel.values()];
}

/**
 * Names under which the machines can be told apart, in the order of `seen`: their own, or
 * `n1#e7cf` with the beginning of the kernel's address where several have one name.
 */
export function tellApart(seen: readonly Seen[]): string[] {
  const kernels = new Map<string, Set<string>>();
  seen.forEach(({ document }, index) => {
    const those = kernels.get(document.name) ?? new Set();
    kernels.set(document.name, those.add(document.address ?? `unknown ${index}`));
  });
  return seen.map(({ document }, index) => {
    const those = kernels.get(document.name) ?? new Set();
    if (those.size < 2) return document.name;
    const own = document.address;
    if (own === undefined) return `${document.name}#${index}`;
    let digits = addressDigits;
    const clashes = (): boolean =>
      [...those].some((other) => other !== own && other.startsWith(own.slice(0, digits)));
    while (digits < own.length && clashes()) digits++;
    return `${document.name}#${own.slice(0, digits)}`;
  });
}

interface Named extends Seen {
  readonly label: string;
}

/** All faults: same names first, then versions, clocks, MTUs. */
export function judgeNodes(seen: readonly Seen[], options: JudgeOptions = {}): NodeFault[] {
  const once = onceEach(seen);
  const labels = tellApart(once);
  const named = once.map((each, index): Named => ({ ...each, label: labels[index] ?? each.document.name }));
  return [
    ...sameNames(named),
    ...versions(named),
    ...clocks(named, options.clockSkewMaxMs ?? clockSkewMaxMs),
    ...mtus(named),
  ];
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function sameNames(named: readonly Named[]): NodeFault[] {
  const groups = [...groupBy(named, ({ document }) => document.name)];
  return groups.flatMap(([name, those]): NodeFault[] => {
    if (those.length < 2) return [];
    const where = those.map(({ label, document }) => {
      const macs = (document.interfaces ?? []).flatMap(({ mac }) =>
        mac === undefined ? [] : [macText(mac)],
      );
      return macs.length === 0 ? label : `${label} (${macs.join(", ")})`;
    });
    return [
      {
        kind: "sameName",
        nodes: those.map(({ label }) => label),
        message: `${those.length} machines are called ${name}: ${where.join(", ")}`,
        hint: "give each a name of its own: node.name in its config file, or its host name",
      },
    ];
  });
}

const macText = (mac: string): string => mac.replace(/..(?=.)/g, "$&:");

const versionText = ({ document: { version, abi, wire } }: Named): string =>
  [
    ...(version === undefined ? [] : [`version ${version}`]),
    ...(abi === undefined ? [] : [`kernel ${abi}`]),
    ...(wire === undefined ? [] : [`FLIP ${wire.flip} with extensions ${wire.extensions}`]),
  ].join(", ");

function versions(named: readonly Named[]): NodeFault[] {
  const known = named.filter((each) => versionText(each) !== "");
  const groups = [...groupBy(known, versionText)].sort(([, a], [, b]) => b.length - a.length);
  if (groups.length < 2) return [];
  const parts = groups.map(([text, those]) => `${those.map(({ label }) => label).join(", ")}: ${text}`);
  return [
    {
      kind: "versionSkew",
      nodes: known.map(({ label }) => label),
      message: `the machines are not of one version: ${parts.join("; ")}`,
      hint: "install the same version on all of them; until then new features are not used between them",
    },
  ];
}

/** How far a machine's clock is from the asker's, and how sure that is; all in milliseconds. */
function offsetOf({ document, askedMs, answeredMs }: Named): { offset: number; doubt: number } | null {
  if (document.clockMs === undefined || askedMs === undefined || answeredMs === undefined) return null;
  return { offset: document.clockMs - (askedMs + answeredMs) / 2, doubt: Math.abs(answeredMs - askedMs) / 2 };
}

/** The clock in the middle; of two in the middle the one nearer to the asker's. */
function middle(offsets: readonly number[]): number {
  const sorted = [...offsets].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? 0;
  const lower = sorted[(sorted.length - 1) >> 1] ?? upper;
  return Math.abs(lower) <= Math.abs(upper) ? lower : upper;
}

const asker = "the machine that asked";

function clocks(named: readonly Named[], most: number): NodeFault[] {
  const offsets = named.flatMap((each) => {
    const offset = offsetOf(each);
    return offset === null ? [] : [{ label: each.label, ...offset }];
  });
  if (offsets.length === 0) return [];
  const all = [{ label: asker, offset: 0, doubt: 0 }, ...offsets];
  const right = middle(all.map(({ offset }) => offset));
  return all.flatMap(({ label, offset, doubt }): NodeFault[] => {
    const apart = offset - right;
    if (Math.abs(apart) - doubt <= most) return [];
    const seconds = (Math.abs(apart) / 1000).toFixed(1);
    return [
      {
        kind: "clockSkew",
        nodes: [label],
        message: `the clock of ${label} is ${seconds} s ${apart > 0 ? "ahead" : "behind"}`,
        hint: "have it keep time, with systemd-timesyncd or chrony",
      },
    ];
  });
}

function mtus(named: readonly Named[]): NodeFault[] {
  const single = named.every(({ document }) => (document.interfaces ?? []).length <= 1);
  const places = named.flatMap((each) =>
    (each.document.interfaces ?? []).flatMap((one) =>
      one.mtu === undefined
        ? []
        : networksOf(each, one, single).map((network) => ({
            network,
            mtu: one.mtu,
            of: `${each.label}:${one.name}`,
          })),
    ),
  );
  return [...groupBy(places, ({ network }) => network)].flatMap(([network, those]): NodeFault[] => {
    const byMtu = [...groupBy(those, ({ mtu }) => String(mtu))].sort(([, a], [, b]) => b.length - a.length);
    if (byMtu.length < 2) return [];
    const parts = byMtu.map(([mtu, some]) => `${mtu} at ${some.map(({ of }) => of).join(", ")}`);
    return [
      {
        kind: "mtuMismatch",
        nodes: those.map(({ of }) => of),
        message: `MTUs differ on ${network}: ${parts.join("; ")}`,
        hint: "give all interfaces of one network the same MTU: ip link set dev NAME mtu BYTES",
      },
    ];
  });
}

/** The networks that an interface is known to be on. */
function networksOf(seen: Seen, { name, subnets }: NodeInterface, single: boolean): readonly string[] {
  const known = seen.networks?.[name];
  if (known !== undefined) return [known];
  if (single) return ["the network"];
  return subnets ?? [];
}
