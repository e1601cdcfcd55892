// The lab on this computer: real namespaces, real links, real processes. What is tested
// is what someone at a shell relies on.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processOf, waitUntil } from "../../control/lab/processes.js";
import { hosts, LabRunner, systemNetwork } from "./lab-runner.js";

const isRoot = process.getuid?.() === 0;

/** Echoes one connection on port 99, then ends. */
const echoServer = `require("net").createServer(s => s.pipe(s).on("close", () => process.exit()))
  .listen(99, () => console.log("listening"))`;
const echoClient = (
  address: string,
): string => `const s = require("net").connect(99, "${address}", () => s.end("hello"));
  s.on("data", d => process.stdout.write(d)); s.on("error", e => { console.log(e.code); process.exit(1) });
  s.setTimeout(2000, () => { console.log("timeout"); process.exit(1) })`;

describe("a lab of hosts", () => {
  const lab = new LabRunner();
  const before = systemNetwork();

  beforeAll(async () => {
    writeFileSync(join(lab.folder, "hosts.yaml"), hosts);
    await lab.must(["lab", "up", join(lab.folder, "hosts.yaml")]);
  });
  afterAll(() => lab.close());

  it("is isolated by namespaces where root is present, and never silently in memory", async () => {
    const status = await lab.status();
    expect(status.schema).toBe(1);
    expect(status.isolation).toBe(isRoot ? "netns" : expect.stringMatching(/^(userns|memory)$/));
    expect(status.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["h1 up", "h2 up", "h3 up"]);
    expect(status.nodes[1]?.interfaces).toEqual([
      { name: "eth0", network: "lan0", mac: "02:00:00:00:00:02", ip: "10.0.0.2/24", mtu: 9000 },
      { name: "eth1", network: "lan1", mac: "02:00:00:00:01:02", ip: "10.1.0.2/24", mtu: 1500 },
    ]);
  });

  it("shows nothing of itself in the system's own network", () => {
    expect(systemNetwork()).toEqual(before);
  });

  it("gives each node the interfaces that its status shows", async () => {
    for (const { name, interfaces } of (await lab.status()).nodes) {
      const links = JSON.parse((await lab.exec(name, "ip", "-json", "address")).stdout) as {
        ifname: string;
        address: string;
        mtu: number;
        operstate: string;
        addr_info: { local: string; prefixlen: number; family: string }[];
      }[];
      const seen = links
        .filter(({ ifname }) => ifname !== "lo")
        .map(({ ifname, address, mtu, operstate, addr_info }) => {
          expect(operstate).toBe("UP");
          return {
            name: ifname,
            mac: address,
            mtu,
            ip: addr_info.map((each) => `${each.local}/${each.prefixlen}`).join(),
          };
        });
      const shown = interfaces.map(({ name, mac, mtu, ip }) => ({ name, mac, mtu, ip }));
      expect(seen.sort((a, b) => a.name.localeCompare(b.name))).toEqual(shown);
    }
  });

  it("limits the rate of a network that has one, and no other", async () => {
    const queues = (await lab.exec("h2", "tc", "qdisc")).stdout;
    expect(queues).toMatch(/tbf .* dev eth1 .* rate 100Mbit/);
    expect(queues).toMatch(/noqueue .* dev eth0/);
  });

  it("lets neighbours talk, and forwards no IP between networks", async () => {
    const server = lab.start(["lab", "exec", "h2", "--", process.execPath, "-e", echoServer]);
    await new Promise((resolve) => server.child.stdout?.once("data", resolve));
    const across = await lab.exec("h3", process.execPath, "-e", echoClient("10.0.0.1"));
    expect(across).toMatchObject({ status: 1, stdout: "ENETUNREACH\n" });
    const talk = await lab.exec("h1", process.execPath, "-e", echoClient("10.0.0.2"));
    expect(talk).toMatchObject({ status: 0, stdout: "hello" });
    await server.outcome;
    const forwarding = await lab.exec("h2", "cat", "/proc/sys/net/ipv4/ip_forward");
    expect(forwarding.stdout.trim()).toBe("0");
  });

  it("is left alone by a second `up`, and not replaced by another lab of its name", async () => {
    const again = await lab.must(["lab", "up", join(lab.folder, "hosts.yaml"), "--json"]);
    expect(again.stderr).toContain("is up already");
    expect(JSON.parse(again.stdout)).toEqual(await lab.status());
    const other = await lab.run(["lab", "up", "--nodes", "2", "--name", "hosts"]);
    expect(other.status).toBe(1);
    expect(other.stderr).toContain("running with other nodes");
  });

  it("has to be named when there are several", async () => {
    const second = join(lab.folder, "second.yaml");
    writeFileSync(
      second,
      "name: second\nnetworks: { lan0: }\nnodes: { h1: { kind: host, networks: [lan0] } }\n",
    );
    await lab.must(["lab", "up", second]);
    const unclear = await lab.run(["lab", "status"]);
    expect(unclear.status).toBe(2);
    expect(unclear.stderr).toContain("hosts, second");
    expect((await lab.status("--lab", "second")).lab).toBe("second");
    const named = await lab.run([
      "lab",
      "exec",
      "--lab",
      "second",
      "h1",
      "--",
      "sh",
      "-c",
      "echo $PROTEUS_LAB",
    ]);
    expect(named.stdout).toBe("second\n");
    const behind = await lab.run([
      "lab",
      "exec",
      "h1",
      "--lab",
      "second",
      "--",
      "sh",
      "-c",
      "echo $PROTEUS_LAB",
    ]);
    expect(behind.stdout).toBe("second\n");
    await lab.must(["lab", "down", "second"]);
  });

  describe("exec", () => {
    it("passes stdin to its end, and both outputs", async () => {
      const outcome = await lab.run(["lab", "exec", "h1", "--", "sh", "-c", "cat; echo error >&2"], {
        input: "line 1\nno line end",
      });
      expect(outcome).toMatchObject({ status: 0, stdout: "line 1\nno line end", stderr: "error\n" });
    });

    it.each([0, 1, 7, 255])("passes exit status %d", async (status) => {
      expect((await lab.exec("h1", "sh", "-c", `exit ${status}`)).status).toBe(status);
    });

    it("gives 128 + n when a signal ended the command, 127 when there is no such command", async () => {
      expect((await lab.exec("h1", "sh", "-c", "kill -9 $$")).status).toBe(137);
      expect((await lab.exec("h1", "no-such-command")).status).toBe(127);
    });

    it("keeps the working directory, the environment and the arguments", async () => {
      const script = 'pwd; echo "$LAB_TEST"; for each in "$@"; do echo "<$each>"; done';
      const outcome = await lab.run(
        ["lab", "exec", "h1", "--", "sh", "-c", script, "sh", "a b", "--json", "--", ""],
        {
          cwd: "/usr",
          environment: { LAB_TEST: "it is here" },
        },
      );
      expect(outcome.stdout).toBe("/usr\nit is here\n<a b>\n<--json>\n<-->\n<>\n");
    });

    it("passes signals on", async () => {
      const script = "trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
      const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", script]);
      await new Promise((resolve) => running.child.stdout?.once("data", resolve));
      running.child.kill("SIGTERM");
      expect(await running.outcome).toMatchObject({ status: 5, stdout: "ready\nterm\n" });
    });

    it("takes the command with it when it is killed itself", async () => {
      const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", "echo $$; exec sleep 1000"]);
      const pid = await new Promise<number>((resolve) =>
        running.child.stdout?.once("data", (text: string) => resolve(Number(text))),
      );
      running.child.kill("SIGKILL");
      expect(await waitUntil(() => processOf(pid) === null, 5000)).toBe(true);
    });

    it("runs `proteus` itself though it is not on the path", async () => {
      const outcome = await lab.exec("h1", "proteus", "lab", "status", "--json");
      expect(JSON.parse(outcome.stdout)).toMatchObject({ lab: "hosts" });
    });
  });

  it("loses a killed node's processes and links at once, and gets it back with `start`", async () => {
    const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", "echo ready; sleep 1000 & sleep 1001"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    const pids = (await lab.status()).nodes[0]?.pids ?? [];
    expect(pids.length).toBeGreaterThanOrEqual(2);
    await lab.must(["lab", "kill", "h1"]);
    expect((await running.outcome).status).toBe(137);
    expect(pids.map((pid) => processOf(pid)).filter((each) => each !== null)).toEqual([]);
    expect((await lab.status()).nodes[0]).toMatchObject({ state: "down", pids: [] });
    expect(await lab.exec("h1", "true")).toMatchObject({
      status: 5,
      stderr: expect.stringContaining("lab start h1"),
    });

    await lab.must(["lab", "start", "h1"]);
    expect((await lab.must(["lab", "start", "h1"])).stderr).toContain("up already");
    const server = lab.start(["lab", "exec", "h1", "--", process.execPath, "-e", echoServer]);
    await new Promise((resolve) => server.child.stdout?.once("data", resolve));
    expect((await lab.exec("h2", process.execPath, "-e", echoClient("10.0.0.1"))).stdout).toBe("hello");
    await server.outcome;
  });

  it("is gone without a trace after `down`", async () => {
    const planned = JSON.parse((await lab.must(["lab", "down", "hosts", "--dry-run", "--json"])).stdout);
    expect(planned).toMatchObject({ dryRun: true, removed: { lab: "hosts", why: "is running" } });
    const { dryRun, removed } = JSON.parse((await lab.must(["lab", "down", "hosts", "--json"])).stdout);
    const sorted = (items: readonly string[]): string[] => [...items].sort(); // processes are in no order
    expect({ dryRun, removed: { ...removed, items: sorted(removed.items) } }).toMatchObject({
      dryRun: false,
      removed: { ...planned.removed, items: sorted(planned.removed.items), why: "was running" },
    });
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
    expect(await lab.run(["lab", "status"])).toMatchObject({ status: 3 });
    expect(await lab.run(["lab", "down"])).toMatchObject({ status: 0 });
    expect(await lab.run(["lab", "down", "hosts"])).toMatchObject({ status: 3 });
  });
});

describe("without root", () => {
  const lab = new LabRunner();
  afterAll(() => lab.close());

  it("the lab is made in a user namespace, where a node's user is root", async () => {
    const file = join(lab.folder, "hosts.yaml");
    writeFileSync(file, hosts);
    const up = await lab.run(["lab", "up", file, "--isolation", "userns"]);
    if (up.status === 4) {
      expect(up.stderr).toContain("cannot be made here"); // The system does not allow it.
      return;
    }
    expect(up).toMatchObject({ status: 0, stderr: expect.stringContaining("user namespace") });
    expect((await lab.status()).isolation).toBe("userns");
    expect((await lab.exec("h1", "id", "-u")).stdout).toBe("0\n");
    expect((await lab.exec("h1", "ip", "-brief", "address", "show", "eth0")).stdout).toContain("10.0.0.1/24");
    const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", "echo ready; sleep 1000"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    await lab.must(["lab", "kill", "h1"]);
    expect((await running.outcome).status).toBe(137);
    await lab.must(["lab", "start", "h1"]);
    await lab.must(["lab", "down"]);
    expect(lab.processes()).toEqual([]);
  });

  it("and without user namespaces in memory, where machines are processes", async () => {
    const file = join(lab.folder, "hosts.yaml");
    writeFileSync(file, hosts);
    const up = await lab.must(["lab", "up", file, "--isolation", "memory"]);
    expect(up.stderr).toContain("in-memory LAN");
    expect((await lab.status()).isolation).toBe("memory");
    const sockets = await lab.exec(
      "h2",
      "sh",
      "-c",
      'test -S "$PROTEUS_HUB_eth0" && test -S "$PROTEUS_HUB_eth1"',
    );
    expect(sockets.status).toBe(0);
    const running = lab.start(["lab", "exec", "h1", "--", "sh", "-c", "echo ready; sleep 1000"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    await lab.must(["lab", "kill", "h1"]);
    expect((await running.outcome).status).toBe(137);
    expect((await lab.status()).nodes.map(({ state }) => state)).toEqual(["down", "up", "up"]);
    await lab.must(["lab", "down"]);
    expect(lab.processes()).toEqual([]);
  });
});

describe.runIf(isRoot)("another user", () => {
  const nobody = 65534;
  const lab = new LabRunner(nobody);
  afterAll(() => lab.close());

  it("gets the best lab that the system allows, told which, and takes it down again", async (context) => {
    // A checkout below /root cannot be read by anyone else.
    if ((await lab.run(["--version"], { cwd: "/" })).status !== 0) context.skip();
    const file = join(lab.folder, "hosts.yaml");
    writeFileSync(file, hosts);
    const up = await lab.must(["lab", "up", file], { cwd: "/" });
    const { isolation, nodes } = await lab.status();
    expect(up.stderr).toContain(
      { userns: "user namespace", memory: "in-memory LAN", netns: "never" }[isolation],
    );
    expect(nodes.map(({ state }) => state)).toEqual(["up", "up", "up"]);
    expect((await lab.exec("h2", "sh", "-c", "exit 9")).status).toBe(9);
    const refused = await lab.run(["lab", "up", file, "--name", "other", "--isolation", "netns"]);
    expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining("run as root") });
    await lab.must(["lab", "down"]);
    expect(lab.processes()).toEqual([]);
  });
});

describe("a mistake on the command line", () => {
  const lab = new LabRunner();
  afterAll(() => lab.close());

  it.each([
    [["lab", "up", "no-such-file.yaml"], 3, "there is no such file"],
    [["lab", "up", "--name", "Not A Name"], 2, "cannot be the name of a lab"],
    [["lab", "up", "--nodes", "0"], 2, "cannot have 0 nodes"],
    [["lab", "up", "--nodes", "many"], 2, "whole number"],
    [["lab", "up", "x.yaml", "--nodes", "2"], 2, "cannot be given together"],
    [["lab", "up", "--timeout", "soon"], 2, "number of seconds"],
    [["lab", "status", "--lab", "none"], 3, 'lab "none" is not running'],
    [["lab", "exec", "n1", "--", "true"], 3, "no lab is running"],
    [["lab", "exec", "n1"], 2, "command"],
    [["lab", "exec", "n1", "--"], 2, "command"],
    [["lab", "kill"], 2, "node"],
    [["lab", "start", "n1", "--lab", "none"], 3, "is not running"],
  ])("%j ends with %d and says why", async (words, status, message) => {
    const outcome = await lab.run(words);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stdout).toBe("");
    expect(outcome.status).toBe(status);
  });

  it("in a lab file is shown with its line", async () => {
    const file = join(lab.folder, "bad.yaml");
    writeFileSync(file, "networks:\n  lan0:\nnodes:\n  n1: { kind: pool, networks: [lan1] }\n");
    const outcome = await lab.run(["lab", "up", file]);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toContain(
      'bad.yaml:4: nodes.n1.networks.0: there is no network "lan1"; there is lan0',
    );
    expect(lab.processes()).toEqual([]);
  });
});
