// A Linux pool machine boots over the network of a lab, beside a metal one: Debian's kernel, this
// computer's Node and the project. If this fails, programs that need Linux have no machine to run on.
//
// - The kernel is Debian's package, fetched and unpacked here, never installed. About a minute under
//   QEMU's translation and 100 MB: in the nightly tier only.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { isRoot, Programs, until, within } from "./programs.js";

const file = `networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  l1: { kind: pxe, networks: [lan0], image: linux }
  m1: { kind: pxe, networks: [lan0] }
`;
const bootMs = 180_000;

interface Listed {
  readonly nodes: readonly {
    readonly name: string;
    readonly kind: string;
    readonly state: string;
    readonly servers?: Readonly<Record<string, string>>;
  }[];
}

/** Debian's kernel for virtual machines, unpacked into the folder. */
function fetchKernel(folder: string): void {
  const run = (...words: [string, ...string[]]): string =>
    execFileSync(words[0], words.slice(1), { cwd: folder, encoding: "utf8", timeout: 120_000 });
  const depends = run("apt-cache", "depends", "linux-image-cloud-amd64");
  const [, name] = /Depends: (linux-image-\S+-cloud-amd64)$/m.exec(depends) ?? [];
  if (name === undefined) throw new Error(`apt knows no kernel for virtual machines: ${depends}`);
  run("apt-get", "download", name);
  const [archive = ""] = readdirSync(folder).filter((each) => each.endsWith(".deb"));
  run("dpkg-deb", "-x", archive, join(folder, "kernel"));
}

describe.runIf(isRoot)("boot serve, of Linux", () => {
  const pool = new Programs();
  const folder = mkdtempSync(join(tmpdir(), "kernel-"));
  let serving: Running | undefined;
  beforeAll(async () => {
    fetchKernel(folder);
    writeFileSync(join(pool.lab.folder, "linux.yaml"), file);
    await pool.up(join(pool.lab.folder, "linux.yaml"));
  });
  afterAll(async () => {
    serving?.child.kill("SIGTERM");
    if (serving !== undefined) await within("the end of boot serve", serving.outcome);
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("starts a machine that serves as any other of the pool, and a metal one beside it", async () => {
    const kernel = ["--kernel", join(folder, "kernel")];
    serving = pool.start("n1", "boot", "serve", "--interface", "eth0", "--json", ...kernel);
    const nodes = async (): Promise<Listed["nodes"]> =>
      (JSON.parse((await pool.lab.must(["node", "list", "--json"])).stdout) as Listed).nodes;
    const up = async (kind: string) =>
      (await nodes()).find((each) => each.name.startsWith("m-") && each.kind === kind && each.state === "up");
    await until("the metal machine", () => up("metal"), bootMs);
    const linux = await until("the Linux machine", () => up("pool"), bootMs);
    const words = ["--port", linux.servers?.echo ?? "", "--size", "30000", "--count", "20"];
    const called = await pool.run("n1", "call", ...words, "--json");
    expect(JSON.parse(called.stdout)).toMatchObject({ succeeded: 20 });
  });
});
