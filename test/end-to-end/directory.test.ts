// Names outlive the machines that serve them: three directory servers of a lab lose their power one
// after the other while two machines change names, and then all at once.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { byObject, type Operation } from "../../simulation/checkers/linearizable.js";
import { type RegisterInput, type RegisterOutput, register } from "../../simulation/checkers/models.js";
import { isLong, perTier } from "../simulation/seeds.js";
import { LabRunner, mainPath } from "./lab-runner.js";
import { until } from "./programs.js";

type Seen = Operation<RegisterInput, RegisterOutput> & { readonly object: string; readonly code?: string };

const writer = fileURLToPath(new URL("./directory-writer.mjs", import.meta.url));
const dist = join(dirname(mainPath), "../..");
const servers = ["n1", "n2", "n3"];
const file = `
networks: { lan0: {} }
nodes:
${servers.map((name) => `  ${name}: { kind: pool, networks: [lan0], directory: true }`).join("\n")}
  n4: { kind: host, networks: [lan0] }
  n5: { kind: host, networks: [lan0] }
`;

describe("names on three directory servers", () => {
  const lab = new LabRunner();
  let root = "";

  const members = async (): Promise<Record<string, string> | undefined> => {
    const { status, stdout } = await lab.run(["directory", "members", "--json", "--timeout", "1s"]);
    if (status !== 0) return undefined;
    const told = JSON.parse(stdout) as { members: { name: string; state: string }[] };
    return Object.fromEntries(told.members.map(({ name, state }) => [name, state]));
  };
  const serving = (count: number) =>
    until(`${count} directory servers that serve`, async () => {
      const states = Object.values((await members()) ?? {});
      return states.filter((state) => state === "serving").length === count ? true : undefined;
    });

  beforeAll(async () => {
    const path = join(lab.folder, "lab.yaml");
    writeFileSync(path, file);
    await lab.must(["lab", "up", path]);
    const ready = join(lab.state, "lab", "nodes", "n1", "ready.json");
    root = (JSON.parse(readFileSync(ready, "utf8")) as { capabilities: { directory: string } }).capabilities
      .directory;
    await serving(3);
  });
  afterAll(() => lab.close());

  it("are as they were left, whichever of the machines loses its power", async () => {
    const count = perTier({ quick: 100, long: 400, nightly: 2000 });
    const running = ["n4", "n5"].map((node) =>
      lab.start(["lab", "exec", node, "--", process.execPath, writer, dist, root, node, String(count)]),
    );
    for (const victim of servers.slice(0, perTier({ quick: 1, long: 3, nightly: 3 }))) {
      await lab.must(["lab", "kill", victim]);
      await serving(2);
      await lab.must(["lab", "start", victim]);
      await serving(3);
    }
    const outcomes = await Promise.all(running.map(({ outcome }) => outcome));
    expect(outcomes.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      outcomes.map(() => ({ status: 0, stderr: "" })),
    );
    const history = outcomes.flatMap(({ stdout }) =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Seen),
    );
    expect(history).toHaveLength(2 * count);
    expect(history.flatMap(({ code, input }) => (code === undefined ? [] : [`${input.do}: ${code}`]))).toEqual([]);
    expect(byObject(history, register())).toBe("yes");
  });

  if (isLong)
    it("are still there when the power of all was gone", async () => {
      const lookup = () => lab.run(["directory", "list", root, "--json"]);
      const before = (await lookup()).stdout;
      await Promise.all(servers.map((name) => lab.must(["lab", "kill", name])));
      await lab.must(["lab", "start", "n2"]);
      expect((await lab.run(["directory", "members", "--timeout", "500ms"])).status).toBe(5);
      await lab.must(["lab", "start", "n3"]);
      await serving(2);
      expect((await lookup()).stdout).toBe(before);
    });
});
