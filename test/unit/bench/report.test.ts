// The report: one page that needs nothing else, with every chart of which there are figures.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseReport } from "../../../control/bench/compare.js";
import { chartsOf } from "../../../control/bench/report/charts.js";
import { pageOf } from "../../../control/bench/report/page.js";
import { prepareFolder, writeReport } from "../../../control/bench/report/write.js";
import { environmentText, reportText } from "../../../control/cli/bench-table.js";
import { syntheticReport } from "./synthetic.js";

const report = syntheticReport(({ system }) => system === "nats");
const said = { text: reportText(report), environment: environmentText(report.environment) };

describe("the charts", () => {
  it("are drawn of every kind of test", async () => {
    const charts = await chartsOf(report);
    expect(charts).toHaveLength(10);
    for (const { svg, title } of charts) {
      expect(svg, title).toContain("<svg");
      expect(svg, title).not.toMatch(/NaN|undefined|Infinity/);
    }
    const [, latency] = charts;
    for (const system of ["flip", "grpc", "node-udp"]) expect(latency?.svg).toContain(`>${system}<`);
    expect(latency?.svg).not.toContain(">nats<"); // not measured, not drawn
  });

  it("are only those of which there are figures", async () => {
    const results = report.results.filter(({ test }) => test === "idle");
    const charts = await chartsOf({ ...report, results, ratios: [] });
    expect(charts.map(({ title }) => title)).toEqual(["A server that nobody calls"]);
  });
});

describe("the page", () => {
  it("loads nothing and runs nothing", async () => {
    const page = pageOf(report, { ...said, charts: await chartsOf(report) });
    expect(page).not.toMatch(/<script|<link|<img|@import|url\((?!#)/);
    expect(page.match(/(?:src|href)="(?!#)[^"]*"/g) ?? []).toEqual([]);
  });

  it("shows text as text", () => {
    const page = pageOf(report, { ...said, charts: "no <library>" });
    expect(page).toContain("a &#60;cpu&#62; &#38; more");
    expect(page).toContain("No charts: no &#60;library&#62;");
    expect(page).not.toContain("<apt-get>");
  });

  it("says how many goals are met", () => {
    const met = report.ratios.filter((ratio) => ratio.met).length;
    expect(pageOf(report, { ...said, charts: [] })).toContain(
      `${met} of ${report.ratios.length} goals are met`,
    );
  });
});

describe("the folder of a report", () => {
  const folder = mkdtempSync(join(tmpdir(), "report-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("gets the page and the figures behind it", async () => {
    const target = join(folder, "new", "report");
    prepareFolder(target);
    await writeReport(target, report, said);
    expect(readdirSync(target).sort()).toEqual(["report.html", "report.json"]);
    const read = parseReport(readFileSync(join(target, "report.json"), "utf8"), "report.json");
    expect(read.results).toEqual(report.results);
  });

  it("is refused before anything is measured", () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(() => prepareFolder(file)).toThrow("no report can be written");
  });
});

it("shows a row a case on the terminal, and why one has no figures", () => {
  const text = reportText(report);
  for (const { system } of report.results) expect(text).toContain(system);
  expect(text).toContain("nats veth X MTU 1500: nats-server is not installed");
});
