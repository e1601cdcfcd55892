// Garbage collection on a lab's machines. If one of these fails, a file that has a name goes away,
// or one that has none stays for ever.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabRunner } from "./lab-runner.js";
import { until } from "./programs.js";

const file = `
networks: { lan0: { mtu: 1500 } }
nodes:
  n1: { kind: pool, networks: [lan0], bullet: { size: 16M }, directory: true }
  n2: { kind: pool, networks: [lan0], bullet: { size: 16M }, directory: true }
  n3: { kind: pool, networks: [lan0], directory: true }
`;

interface Report {
  readonly complete: boolean;
  readonly aged: number;
  readonly servers: readonly {
    readonly name: string;
    readonly aged: string;
    readonly ages: { readonly objects: number; readonly doomedCount: number } | null;
  }[];
}

describe("a touch run", { timeout: 300_000 }, () => {
  const lab = new LabRunner();
  const gc = async (...words: string[]) => {
    const { status, stdout, stderr } = await lab.run(["gc", "--json", "--timeout", "5s", ...words]);
    return { status, stderr, report: JSON.parse(stdout) as Report };
  };
  const files = ({ servers }: Report): number =>
    servers.reduce((sum, { name, ages }) => sum + (name.endsWith(":bullet") ? (ages?.objects ?? 0) : 0), 0);

  beforeAll(async () => {
    const path = join(lab.folder, "lab.yaml");
    writeFileSync(path, file);
    await lab.must(["lab", "up", path]);
    await until("the directory servers", async () => {
      const { status } = await lab.run(["directory", "members", "--timeout", "1s"]);
      return status === 0 ? true : undefined;
    });
    await lab.must(["mkdir", "-p", "/home/alice"]);
    const local = join(lab.folder, "text");
    for (const [index, name] of ["kept", "left"].entries()) {
      writeFileSync(local, `this is ${name}`);
      await lab.must(["put", local, `/home/alice/${name}`, "--server", index === 0 ? "n1" : "n2"]);
    }
    for (const server of ["n1:bullet", "n2:bullet", "n1:directory-server"])
      await lab.must(["std", "setparams", server, "--settings", "lifetime=2"]);
    await lab.must(["rm", "/home/alice/left"]);
  }, 120_000);
  afterAll(() => lab.close());

  it("keeps what has a name, and lets the rest go when it was told", async () => {
    for (let age = 0; age < 2; age++) expect((await gc("--age")).report).toMatchObject({ aged: 3 });
    const told = await gc();
    expect(told.status).toBe(0);
    expect(files(told.report)).toBe(2);
    expect(told.report.servers.map(({ ages }) => ages?.doomedCount)).toEqual([0, 0, 1]);
    await gc("--age");
    expect(files((await gc()).report)).toBe(1);
    for (let age = 0; age < 4; age++) await gc("--age");
    expect((await lab.must(["cat", "/home/alice/kept"])).stdout).toBe("this is kept");
  });

  it("ages nothing while a machine with named files is away", async () => {
    await lab.must(["lab", "kill", "n1"]);
    const { status, report, stderr } = await gc("--age");
    expect(status).toBe(6);
    expect(report).toMatchObject({ complete: false, aged: 0 });
    expect(stderr).toContain("GC_INCOMPLETE");
    await lab.must(["lab", "start", "n1"]);
    await until("a run that sees everything", async () => {
      const again = await gc("--age");
      return again.status === 0 && again.report.aged === 3 ? true : undefined;
    });
    expect((await lab.must(["cat", "/home/alice/kept"])).stdout).toBe("this is kept");
  });
});
