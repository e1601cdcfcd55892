// Joined cells in a person's folder. If one of these fails, a joined cell is forgotten, or others read what
// it shares, or a name leads out of the folder.

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import {
  forgetCell,
  keepCell,
  knownCell,
  knownCells,
  knownCellsFolder,
} from "../../../../control/node/fs/known-cells.js";

const above = mkdtempSync(join(tmpdir(), "cells-"));
const folder = join(above, "proteus", "cells");
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => rmSync(above, { recursive: true }));

const server = "010203040506";
const cell = (name: string) => ({
  ...{ name, servers: [{ server, volumes: [{ name: "home", capability: `${server}${"0".repeat(20)}` }] }] },
});

describe("joined cells", () => {
  it("are kept until they are left, for their owner alone", () => {
    expect(knownCells(folder)).toEqual([]);
    keepCell(folder, cell("math"));
    keepCell(folder, cell("art"));
    keepCell(folder, { ...cell("math"), servers: [] });
    expect(knownCells(folder)).toEqual([cell("art"), { name: "math", servers: [] }]);
    expect(statSync(join(folder, "art.json")).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(forgetCell(folder, "math")).toBe(true);
    expect(forgetCell(folder, "math")).toBe(false);
    expect(readdirSync(folder)).toEqual(["art.json"]);
  });

  it("are none where a file is broken, is of another cell, or has a name that is none", () => {
    keepCell(folder, cell("math"));
    writeFileSync(join(folder, "half.json"), '{"schema":1,"name":"half"');
    writeFileSync(join(folder, "other.json"), JSON.stringify({ schema: 1, ...cell("math") }));
    writeFileSync(
      join(folder, "bad.json"),
      JSON.stringify({ schema: 1, name: "bad", servers: [{ server }] }),
    );
    writeFileSync(join(above, "proteus", "out.json"), JSON.stringify({ schema: 1, ...cell("out") }));
    expect(knownCells(folder).map(({ name }) => name)).toEqual(["math"]);
    expect(knownCell(folder, "../out")).toBeUndefined();
    expect(forgetCell(folder, "../out")).toBe(false);
    expect(readdirSync(join(above, "proteus"))).toContain("out.json");
  });

  it("are in the config folder", () => {
    expect(knownCellsFolder({ XDG_CONFIG_HOME: "/c" })).toBe("/c/proteus/cells");
  });
});
