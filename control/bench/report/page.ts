// The page of a report: one HTML file that needs nothing else, neither the net nor a program.
//
// - Text of the report in, HTML out; everything that is not our own markup is escaped.
// - A chart that could not be drawn is a sentence; the figures are there all the same.

import type { Report } from "../types.js";
import type { Chart } from "./charts.js";

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1e23; background: #fff; margin: 2rem auto; max-width: 58rem;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 0.2rem; }
p { margin: 0.2rem 0 0.8rem; } .quiet { color: #5c6570; }
pre { font: 12px/1.45 ui-monospace, monospace; overflow-x: auto; background: #f6f7f9; padding: 1rem;
  border-radius: 6px; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0;
  border-bottom: 1px solid #e3e6ea; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.met { color: #22793a; } .missed { color: #b3263a; font-weight: 600; }
figure { margin: 0; overflow-x: auto; } svg { max-width: 100%; height: auto; }`;

/** Text as HTML shows it. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

function ratioRows({ ratios }: Report): string {
  const row = (cells: readonly string[]) => `<tr>${cells.join("")}</tr>`;
  return ratios
    .map(({ name, value, goal, better, met }) =>
      row([
        `<td>${escaped(name)}</td>`,
        `<td class="number">${value.toFixed(2)}</td>`,
        `<td class="number">${better === "lower" ? "≤" : "≥"} ${goal.toFixed(2)}</td>`,
        `<td class="${met ? "met" : "missed"}">${met ? "met" : "missed"}</td>`,
      ]),
    )
    .join("\n");
}

function ratioTable(report: Report): string {
  if (report.ratios.length === 0) return "";
  const missed = report.ratios.filter(({ met }) => !met).length;
  const said = `${report.ratios.length - missed} of ${report.ratios.length} goals are met.`;
  const head = "<tr><th>ratio, within this run</th><th>value</th><th>goal</th><th></th></tr>";
  return `<h2>Ratios and their goals</h2>\n<p>${said}</p>\n<table>${head}\n${ratioRows(report)}</table>`;
}

const section = ({ title, caption, svg }: Chart): string =>
  `<h2>${escaped(title)}</h2>\n<p class="quiet">${escaped(caption)}</p>\n<figure>${svg}</figure>`;

/**
 * The page.
 *
 * @param text the report as the terminal shows it, for the tables
 * @param charts what was drawn, or why nothing was
 */
export function pageOf(
  report: Report,
  {
    text,
    charts,
    environment,
  }: {
    readonly text: string;
    readonly charts: readonly Chart[] | string;
    readonly environment: readonly string[];
  },
): string {
  const { begun, proteus } = report.environment;
  const drawn =
    typeof charts === "string"
      ? [`<p class="missed">No charts: ${escaped(charts)}</p>`]
      : charts.map(section);
  const remarks = report.remarks.map((remark) => `<li>${escaped(remark)}</li>`).join("\n");
  return [
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    `<title>FLIP beside TCP/IP, ${escaped(begun.slice(0, 10))}</title>\n<style>${style}</style>\n</head>\n<body>`,
    `<h1>FLIP beside TCP/IP</h1>\n<p class="quiet">Proteus ${escaped(proteus)}, ${escaped(begun)}</p>`,
    `<p>${environment.map(escaped).join("<br>\n")}</p>`,
    ratioTable(report),
    ...(remarks === "" ? [] : [`<h2>To be read with it</h2>\n<ul>${remarks}</ul>`]),
    ...drawn,
    `<h2>All figures</h2>\n<p class="quiet">The same with every run and samples: report.json.</p>`,
    `<pre>${escaped(text)}</pre>\n</body>\n</html>\n`,
  ].join("\n");
}
