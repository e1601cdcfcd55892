// Files on a machine of a lab, with the power cut while they are stored. If one of these fails,
// a file that was acknowledged is lost or another's bytes, or the commands do not say so.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabRunner } from "./lab-runner.js";
import { within } from "./programs.js";
import { settled } from "./settled.js";

const writer = fileURLToPath(new URL("bullet-writer.mjs", import.meta.url));
const example = fileURLToPath(new URL("../../examples/files.mjs", import.meta.url));
const acknowledgedWanted = 12;

describe("a machine with files", () => {
  const lab = new LabRunner();
  const volume = () => join(lab.state, "lab/nodes/n1/bullet.volume");
  const server = () => {
    const ready = JSON.parse(readFileSync(join(lab.state, "lab/nodes/n1/ready.json"), "utf8"));
    return (ready as { capabilities: Record<string, string> }).capabilities.bullet ?? "";
  };
  const json = async (...words: string[]) =>
    JSON.parse((await lab.must(["bullet", ...words, "--json"])).stdout) as Record<string, unknown>;

  beforeAll(async () => {
    const file = join(lab.folder, "files.yaml");
    writeFileSync(
      file,
      `networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0], bullet: { size: 64M } }
  n2: { kind: pool, networks: [lan0] }
`,
    );
    await lab.must(["lab", "up", file]);
  });
  afterAll(() => lab.close());

  it("has every file that it acknowledged after its power was cut, and nothing half-made", async () => {
    const running = lab.start(["lab", "exec", "n2", "--", process.execPath, writer, server()], { cwd: "/" });
    const { stdout } = running.child;
    if (stdout === null) throw new Error("the writer has no output");
    const acknowledged = createInterface({ input: stdout })[Symbol.asyncIterator]();
    const said = async () => String((await within("an acknowledgement", acknowledged.next())).value);
    const stored: (readonly [string, string])[] = [];
    const take = (line: string) => {
      const [capability = "", sum = ""] = line.split(" ");
      if (capability !== "ended") stored.push([capability, sum]);
      return capability !== "ended";
    };
    while (stored.length < acknowledgedWanted) expect(take(await said())).toBe(true);
    const killed = lab.must(["lab", "kill", "n1"]);
    while (take(await said()));
    await killed;
    await within("the writer's end", running.outcome);
    await lab.must(["lab", "start", "n1"]);
    const report = (await json("check", "n1")).report as { files: number; clean: boolean };
    expect(report).toMatchObject({ clean: true, corrupt: [], lostInodes: [] });
    // One more may be there: stored, and not acknowledged any more.
    expect(report.files - stored.length).toBeGreaterThanOrEqual(0);
    expect(report.files - stored.length).toBeLessThanOrEqual(1);
    const lines = stored.map(([capability, sum]) => `${capability} ${sum}\n`).join("");
    const command = ["lab", "exec", "n2", "--", process.execPath, writer];
    const { stdout: compared } = await lab.must(command, { cwd: "/", input: lines });
    expect(compared.trim().split("\n")).toEqual(stored.map(() => "same"));
  });

  const readSum = (capability: string) => `'${process.execPath}' '${example}' ${capability} | sha256sum`;

  it("stores and gives back a person's files", async () => {
    const path = join(lab.folder, "a file");
    const content = randomBytes(3 * 1024 * 1024 + 11);
    writeFileSync(path, content);
    const put = await lab.must(["lab", "exec", "n2", "--", process.execPath, example, server(), path]);
    const [capability = ""] = put.stdout.split(" ");
    const { stdout: sum } = await lab.must(["lab", "exec", "n2", "--", "sh", "-c", readSum(capability)]);
    expect(sum.split(" ")[0]).toBe(createHash("sha256").update(content).digest("hex"));
    expect(await json("size64", capability)).toMatchObject({ bytes: String(content.length) });
    await lab.must(["bullet", "destroy", capability]);
    const gone = await lab.run(["bullet", "read", capability, "--json"]);
    expect([gone.status, (JSON.parse(gone.stderr) as { error: { code: string } }).error.code]).toEqual([
      4,
      "STD_CAPBAD",
    ]);
  });

  it("says when the medium has rotted, with an exit code of its own", async () => {
    const { file } = (await json("create", "n1", "--data", "precious words", "--flags", "3")) as {
      file: string;
    };
    await settled(volume());
    await lab.must(["lab", "kill", "n1"]);
    const bytes = readFileSync(volume());
    const at = bytes.indexOf("precious words");
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0x50;
    writeFileSync(volume(), bytes);
    await lab.must(["lab", "start", "n1"]);
    const check = await lab.run(["bullet", "check", "n1", "--json"]);
    expect(check.status).toBe(6);
    const { report } = JSON.parse(check.stdout) as { report: { corrupt: readonly unknown[] } };
    expect(report.corrupt).toHaveLength(1);
    const read = await lab.run(["bullet", "read", file]);
    expect(read.status).toBe(1);
    expect(read.stderr).toContain("not those that were written");
  });
});
