// The charts of a report: Observable Plot draws them here, into SVG that needs no program in
// the browser.
//
// - Times and rates lie on logarithmic axes: systems differ by factors of ten and more, and
//   a factor is the same length everywhere. Bars only where they may begin at zero.
// - FLIP has the same colour in every chart, and so has each other system.

import type * as PlotModule from "@observablehq/plot";
import { load } from "../systems/packages.js";
import { type Report, type Result, systems } from "../types.js";

export interface Chart {
  readonly title: string;
  /** What it shows and how to read it, in a line. */
  readonly caption: string;
  readonly svg: string;
}

type Plot = typeof PlotModule;
/** What the library draws in. */
type Paper = NonNullable<PlotModule.PlotOptions["document"]>;

const width = 860;
const colours = {
  domain: [...systems],
  range: [
    ...["#d1495b", "#e08d9a", "#7d7d7d", "#9c755f", "#4269d0", "#6cc5b0", "#efb118", "#97bbf5"],
    ...["#3ca951", "#a463f2", "#c4a8f0", "#8a4fd0", "#5b8c5a", "#b07aa1"],
  ],
};
const rowHeight = 20;
const margin = { marginLeft: 130, marginRight: 150 };

/** The library, and a document for it to draw in. */
async function open(): Promise<{ plot: Plot; document: Paper }> {
  const plot = await load("@observablehq/plot", () => import("@observablehq/plot"));
  const { parseHTML } = await load("linkedom", () => import("linkedom"));
  return { plot, document: parseHTML("<html><body></body></html>").document as unknown as Paper };
}

const measured = ({ results }: Report, wanted: (result: Result) => boolean): Result[] =>
  results.filter((result) => result.problem === undefined && wanted(result));

/** A wire with nothing done to it. */
const isPlain = (link: Result["link"]): boolean => link === "veth" || link === "between";

/** Facets that people read: `MTU 1500`, `loss-1%`. */
const facetOf = ({ test, link, mtu, placement }: Result, by: "test" | "wire" | "placement"): string => {
  if (by === "placement") return `placement ${placement}`;
  if (by === "test") return `${test}, MTU ${mtu}`;
  return link === "veth" ? `veth, MTU ${mtu}` : link;
};

interface Row {
  readonly system: string;
  /** Its line in the block. */
  readonly place: string;
  readonly facet: string;
  readonly value: number;
  readonly high: number;
}

function rowsOf(
  results: readonly Result[],
  by: "test" | "wire" | "placement",
  value: (result: Result) => number | null,
  high: (result: Result) => number | null = value,
  place: (result: Result) => string = ({ system }) => system,
): Row[] {
  return results.flatMap((result) => {
    const known = value(result);
    if (known === null) return [];
    const facet = facetOf(result, by);
    return [
      { system: result.system, place: place(result), facet, value: known, high: high(result) ?? known },
    ];
  });
}

/** The lines of a block, in the order of the plan. */
const placesOf = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ place }) => place))];

/** A row a system, a block a facet; a dot for the figure, and a line to a second one. */
function dots(plot: Plot, document: Paper, rows: readonly Row[], label: string) {
  const facets = [...new Set(rows.map(({ facet }) => facet))];
  const places = placesOf(rows).length;
  return plot.plot({
    ...{ document, width, ...margin, height: 60 + facets.length * (places * rowHeight + 14) },
    color: colours,
    x: { type: "log", label, grid: true, tickFormat: "~s" },
    y: { label: null, domain: placesOf(rows) },
    fy: { label: null, domain: facets },
    marks: [
      plot.ruleY(rows, {
        x1: "value",
        x2: "high",
        y: "place",
        fy: "facet",
        stroke: "system",
        strokeWidth: 2,
      }),
      plot.tickX(rows, { x: "high", y: "place", fy: "facet", stroke: "system" }),
      plot.dot(rows, { x: "value", y: "place", fy: "facet", fill: "system", r: 5 }),
    ],
  });
}

function bars(plot: Plot, document: Paper, rows: readonly Row[], label: string) {
  const facets = [...new Set(rows.map(({ facet }) => facet))];
  const places = placesOf(rows).length;
  return plot.plot({
    ...{ document, width, ...margin, height: 60 + facets.length * (places * rowHeight + 14) },
    color: colours,
    x: { label, grid: true },
    y: { label: null, domain: placesOf(rows) },
    fy: { label: null, domain: facets },
    marks: [
      plot.barX(rows, { x: "value", y: "place", fy: "facet", fill: "system" }),
      plot.text(rows, {
        ...{ x: "value", y: "place", fy: "facet", dx: 4, textAnchor: "start" },
        text: ({ value }: Row) => (value >= 10 ? value.toFixed(0) : value.toFixed(2)),
      }),
      plot.ruleX([0]),
    ],
  });
}

/** Latency against load, a panel a quantile. */
function curves(plot: Plot, document: Paper, results: readonly Result[]) {
  const quantiles = [
    ["p50", "p50Us"],
    ["p99", "p99Us"],
    ["p99.9", "p999Us"],
  ] as const;
  const points = results.flatMap(({ system, curve = [] }) =>
    curve.flatMap((point) =>
      quantiles.map(([quantile, key]) => ({
        ...{ system, quantile, perSecond: point.offeredPerSecond, us: point[key], load: point.load },
      })),
    ),
  );
  return plot.plot({
    ...{ document, width, height: 320, marginLeft: 60, marginRight: 70 },
    color: colours,
    x: { type: "log", label: "calls offered a second", grid: true, tickFormat: "~s", ticks: 3 },
    y: { type: "log", label: "µs", grid: true, tickFormat: "~s" },
    fx: { label: null, domain: quantiles.map(([name]) => name) },
    marks: [
      plot.line(points, { x: "perSecond", y: "us", fx: "quantile", stroke: "system", sort: "perSecond" }),
      plot.dot(points, { x: "perSecond", y: "us", fx: "quantile", fill: "system", r: 3 }),
      plot.text(
        points.filter(({ load }) => load === 0.9),
        {
          ...{ x: "perSecond", y: "us", fx: "quantile", fill: "system", text: "system" },
          ...{ dx: 6, textAnchor: "start", clip: false },
        },
      ),
    ],
  });
}

/** Every sample that was kept, as boxes. */
function boxes(plot: Plot, document: Paper, results: readonly Result[]) {
  const samples = results.flatMap((result) =>
    result.each.flatMap(({ samplesUs = [] }) =>
      samplesUs
        .filter((us) => us > 0)
        .map((us) => ({ system: result.system, facet: facetOf(result, "placement"), us })),
    ),
  );
  const facets = [...new Set(samples.map(({ facet }) => facet))];
  const places = new Set(samples.map(({ system }) => system)).size;
  return plot.plot({
    ...{ document, width, ...margin, height: 60 + facets.length * (places * rowHeight + 14) },
    color: colours,
    x: { type: "log", label: "µs", grid: true, tickFormat: "~s" },
    y: { label: null, domain: systems.filter((system) => samples.some((each) => each.system === system)) },
    fy: { label: null, domain: facets },
    marks: [plot.boxX(samples, { x: "us", y: "system", fy: "facet", fill: "system", r: 1 })],
  });
}

/** How far each ratio is from its goal: 1 and more is met. */
function goals(plot: Plot, document: Paper, { ratios }: Report) {
  const rows = ratios.map(({ name, value, goal, better, met }) => ({
    ...{ name, met: met ? "met" : "missed", far: better === "lower" ? goal / value : value / goal },
  }));
  return plot.plot({
    ...{ document, width, marginLeft: 400, marginRight: 30, height: 50 + rows.length * rowHeight },
    color: { domain: ["met", "missed"], range: ["#3ca951", "#d1495b"] },
    x: { type: "log", label: "times as good as the goal", grid: true, tickFormat: "~g" },
    y: { label: null, domain: rows.map(({ name }) => name) },
    marks: [
      plot.ruleX([1], { strokeWidth: 2 }),
      plot.ruleY(rows, { x1: 1, x2: "far", y: "name", stroke: "met", strokeWidth: 3 }),
      plot.dot(rows, { x: "far", y: "name", fill: "met", r: 5 }),
    ],
  });
}

/** All charts of which there are figures. Rejects when the library is not installed. */
export async function chartsOf(report: Report): Promise<Chart[]> {
  const { plot, document } = await open();
  const charts: Chart[] = [];
  const add = (
    title: string,
    caption: string,
    items: readonly unknown[],
    draw: () => { readonly outerHTML: string },
  ): void => {
    if (items.length > 0) charts.push({ title, caption, svg: draw().outerHTML });
  };
  const nulls = measured(report, ({ test, link }) => test === "null-rpc" && isPlain(link));
  const latency = rowsOf(
    nulls,
    "placement",
    ({ p50Us }) => p50Us,
    ({ p99Us }) => p99Us,
  );
  add("Goals", "Right of the line a goal is met. Logarithmic.", report.ratios, () =>
    goals(plot, document, report),
  );
  add("Null call", "Dot: p50, tick: p99, µs. Less is better. Logarithmic.", latency, () =>
    dots(plot, document, latency, "µs"),
  );
  add("Null call, single samples", "Quartiles and outliers of the samples kept. Logarithmic.", nulls, () =>
    boxes(plot, document, nulls),
  );
  const ways = rowsOf(
    measured(report, ({ test, system }) => test === "null-rpc" && system === "flip"),
    "placement",
    ({ p50Us }) => p50Us,
    ({ p99Us }) => p99Us,
    ({ link }) => (isPlain(link) ? "no router" : link),
  );
  if (ways.some(({ place }) => place !== "no router"))
    add("Null call through routers", "Dot: p50, tick: p99, µs. Logarithmic.", ways, () =>
      dots(plot, document, ways, "µs"),
    );
  const rates = rowsOf(
    measured(report, ({ test }) => test.startsWith("rate-")),
    "test",
    ({ callsPerSecond }) => callsPerSecond,
  );
  add("Calls a second, by clients", "More is better. Logarithmic.", rates, () =>
    dots(plot, document, rates, "calls a second"),
  );
  const open_ = measured(report, ({ test }) => test === "open-loop");
  add(
    "Latency against load, open loop",
    "Calls begin when their time has come; a stall counts in every call that it delays. Logarithmic.",
    open_,
    () => curves(plot, document, open_),
  );
  const speed = ({ megabytesPerSecond }: Result) => megabytesPerSecond;
  const bulk = rowsOf(
    measured(
      report,
      ({ link, test }) => isPlain(link) && (test.startsWith("call-") || test.startsWith("reply-")),
    ),
    "test",
    speed,
  );
  add("Data", "MB/s of payload in one direction. More is better.", bulk, () =>
    bars(plot, document, bulk, "MB/s"),
  );
  const wires = rowsOf(
    measured(report, ({ link, test }) => !isPlain(link) && test === "call-1m"),
    "wire",
    speed,
  );
  add("Calls of 1 MiB on other wires", "MB/s. A wire of 1 Gbit/s carries 125.", wires, () =>
    bars(plot, document, wires, "MB/s"),
  );
  const star = rowsOf(
    measured(report, ({ test }) => test === "incast" || test === "sharing"),
    "test",
    speed,
  );
  add("Incast of 15, and FLIP beside TCP", "MB/s into one link that carries 125.", star, () =>
    bars(plot, document, star, "MB/s"),
  );
  const idle = rowsOf(
    measured(report, ({ test }) => test === "idle"),
    "test",
    ({ idleCpu = null }) => (idleCpu === null ? null : 100 * idleCpu),
  );
  add("A server that nobody calls", "CPU time, percent of a core. Less is better.", idle, () =>
    bars(plot, document, idle, "%"),
  );
  return charts;
}
