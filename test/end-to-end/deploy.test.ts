// If one of these fails, an administrator who follows docs/DEPLOY.md gets stuck on it.
//
// - The page is the script: its `sh` blocks are run as they stand there, on two machines that
//   have a shell and a C library. That takes a minute, and belongs to the long tier.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../control/node/config/load.js";
import { bundle } from "../../scripts/bundle.mjs";
import { proteus } from "../unit/cli/command.js";
import { BareMachine } from "./bare-machine.js";
import { LabRunner, type Running } from "./lab-runner.js";
import { isRoot, until, within } from "./programs.js";

const page = readFileSync(fileURLToPath(new URL("../../docs/DEPLOY.md", import.meta.url)), "utf8");

/** The steps of the page by their number, each with the lines that are run. */
const steps = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, lines = ""]) => lines);
      return [Number.parseInt(text, 10), blocks.join("")] as const;
    }),
);
const stepsOf = (...numbers: number[]): string => numbers.map((number) => steps.get(number) ?? "").join("");

describe("the page on deploying", () => {
  const folder = mkdtempSync(join(tmpdir(), "deploy-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("has settings that are right, and only commands that there are", async () => {
    const settings = /<<'END'\n(.*?)^END$/ms.exec(page)?.[1] ?? "";
    const path = join(folder, "config.toml");
    writeFileSync(path, settings);
    const { values } = loadConfig({ file: path, environment: {} });
    expect(values).toMatchObject({ "node.interfaces": ["eth0"], "log.format": "json" });
    const commands = new Set(
      [...page.matchAll(/^(?:# )?proteus ((?:[a-z]+(?: |$))+)/gm)].map(([, words = ""]) => words.trim()),
    );
    expect(commands.size).toBeGreaterThan(5);
    for (const words of commands) {
      const { exit, stdout } = await proteus(...words.split(" "), "--help");
      const [usage = ""] = stdout.split("\n");
      const [, command = ""] = /^Usage: proteus ((?:[a-z]+ )+)/.exec(usage) ?? [];
      expect([exit, `${words} `]).toEqual([0, expect.stringContaining(command)]);
      // What is left are its arguments: it must be a command, not a group that knows no such one.
      if (command !== `${words} `) expect(usage).not.toContain("[command]");
      expect(command).not.toBe("");
    }
  });
});

const long = (process.env.PROTEUS_TIER ?? "quick") !== "quick";
const patienceMs = 60_000;

if (isRoot && long)
  describe("machines on which there is nothing", () => {
    const lab = new LabRunner();
    const folder = mkdtempSync(join(tmpdir(), "deploy-"));
    const services: Running[] = [];
    let machines: BareMachine[] = [];

    beforeAll(async () => {
      const file = join(folder, "two.yaml");
      writeFileSync(
        file,
        [
          "networks: { lan0: }",
          "nodes:",
          "  h1: { kind: host, networks: [lan0] }",
          "  h2: { kind: host, networks: [lan0] }",
          "control: { daemons: 0 }",
        ].join("\n"),
      );
      await lab.must(["lab", "up", file, "--isolation", "netns"], { cwd: "/" });
      const archive = bundle(folder, { fast: true });
      machines = ["h1", "h2"].map((node) => new BareMachine(lab, node, join(folder, node)));
      for (const machine of machines) machine.put(archive, `root/${archive.split("/").at(-1)}`);
    }, 5 * patienceMs);
    afterAll(async () => {
      await lab.close();
      rmSync(folder, { recursive: true, force: true });
    }, patienceMs);

    it(
      "become a pool by following the page",
      async () => {
        for (const [index, machine] of machines.entries()) {
          const said = await machine.shell(stepsOf(3, 4).replace("[node]\n", `[node]\nname = "m${index}"\n`));
          expect(said).toMatch(/^\d+\.\d+\.\d+$/m);
          expect(said).toMatch(/node\.interfaces +\["eth0"\] +\/etc\/proteus\/config\.toml:3/);
          expect(await machine.shell(stepsOf(5))).not.toMatch(/^(missing|poorer)/m);
          await machine.shell(stepsOf(6));
          const unit = readFileSync(join(machine.root, "etc/systemd/system/proteus-node.service"), "utf8");
          services.push(machine.service(unit));
        }
        const ready = await Promise.all(
          machines.map((machine, index) =>
            until(
              `the service of m${index}`,
              () => {
                if (services[index]?.child.exitCode !== null) throw new Error("the service has ended");
                return readReady(join(machine.root, "run/proteus-node/ready.json"));
              },
              patienceMs,
            ),
          ),
        );
        const [first, second] = machines;
        const [its] = ready;
        await first?.shell(stepsOf(9));
        if (first === undefined || second === undefined || its === undefined)
          throw new Error("two machines were made");
        expect(await first.shell(stepsOf(7))).toMatch(
          /^health: ok\n[\s\S]*m0 on eth0[\s\S]*"status":"[0-9a-f]{12}"/,
        );
        const status = `proteus node status --port ${its.status} --interface eth0 --json`;
        expect(JSON.parse(await second.shell(status))).toMatchObject({
          name: "m0",
          interfaces: [{ name: "eth0" }],
        });
        const call = `proteus call --port ${its.echo} --interface eth0 --size 1402 --count 1000 --json`;
        expect(JSON.parse(await second.shell(call))).toMatchObject({ succeeded: 1000, failures: {} });
        const unit = readFileSync(join(first.root, "etc/systemd/system/proteus-control.service"), "utf8");
        expect(unit).toMatch(/^ExecStart=\/opt\/proteus\/\S+ \S+ control start$/m);
        expect(await first.shell("proteus metrics")).toMatch(/^proteus_echo_executions_total 1000$/m);
      },
      5 * patienceMs,
    );

    it(
      "stop when systemd tells them to, and have logged it as JSON",
      async () => {
        for (const [index, service] of services.entries()) {
          machines[index]?.stop();
          const { status, stderr } = await within("the end of the service", service.outcome, patienceMs);
          const words = stderr
            .trimEnd()
            .split("\n")
            .map((line) => (JSON.parse(line) as { msg: string }).msg);
          expect([status, words]).toEqual([0, ["the node serves", "the node stops"]]);
        }
      },
      patienceMs,
    );
  });

/** The ports of a service that serves. */
function readReady(path: string): { echo: string; status: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as { echo: string; status: string };
  } catch {
    return undefined;
  }
}
