// Links broken on purpose: what is asked for happens to ICMP, UDP, TCP and FLIP alike, ends
// with zero, and calls stay at most once through all of it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabStatus } from "../../control/lab/status.js";
import { isLong, perTier } from "../simulation/seeds.js";
import { type LabRunner, systemNetwork } from "./lab-runner.js";
import { isRoot, mustBeReal, Programs, until } from "./programs.js";

const file = `name: broken
networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
`;

/** Sends so many datagrams to an echo of its own kind, a few at once; prints how many answers come back. */
const udpEcho = `const s = require("dgram").createSocket("udp4");
  s.on("message", (m, from) => s.send(m, from.port, from.address)); s.bind(77, () => console.log("listening"))`;
const udpCount = (
  count: number,
): string => `const s = require("dgram").createSocket("udp4"); let got = 0, sent = 0;
  const seen = new Set();
  s.on("message", (m) => { got++; seen.add(m.readUInt32BE(0)) });
  const end = (before, left) => { if (got !== before && left > 0) return setTimeout(end, 500, got, left - 1);
    console.log(JSON.stringify({ got, seen: seen.size })); process.exit() };
  const more = () => { if (sent === ${count}) return setTimeout(end, 500, got, 20);
    for (let i = 0; i < 10 && sent < ${count}; i++) {
      const b = Buffer.alloc(100); b.writeUInt32BE(sent++); s.send(b, 77, "10.0.0.1") }
    setTimeout(more, 2) }; more()`;
const tcpSink = `const h = require("crypto").createHash("sha256"); let n = 0;
  require("net").createServer(s => s.on("data", d => { n += d.length; h.update(d) })
    .on("end", () => { console.log(n, h.digest("hex")); process.exit() }))
  .listen(99, () => console.log("listening"))`;
const tcpSend = (bytes: number): string => `const b = require("crypto").randomBytes(${bytes});
  console.log(b.length, require("crypto").createHash("sha256").update(b).digest("hex"));
  require("net").connect(99, "10.0.0.1", function () { this.end(b) }).on("close", () => process.exit())`;

interface Shown {
  readonly links: readonly Record<string, unknown>[];
}

describe.skipIf(!isRoot && !mustBeReal)("an impaired link", () => {
  const machines = new Programs();
  const { lab } = machines;
  const before = systemNetwork();
  const impair = async (...words: string[]): Promise<Shown> =>
    JSON.parse((await lab.must(["lab", "impair", ...words, "--json"])).stdout) as Shown;

  /** Starts a program on n1 and waits until it says that it listens. */
  const listening = async (program: string) => {
    const running = lab.start(["lab", "exec", "n1", "--", process.execPath, "-e", program]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    return running;
  };
  const udp = async (count: number): Promise<{ got: number; seen: number }> => {
    const echo = await listening(udpEcho);
    const { stdout } = await lab.exec("n2", process.execPath, "-e", udpCount(count));
    echo.child.kill("SIGTERM");
    await echo.outcome;
    return JSON.parse(stdout) as { got: number; seen: number };
  };
  const ping = async (...words: string[]) => {
    const { stdout } = await lab.exec("n2", "ping", ...words, "10.0.0.1");
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
    return {
      sent: Number(sent),
      received: Number(received),
      duplicates: Number(/\+(\d+) duplicates/.exec(stdout)?.[1] ?? 0),
      fastestMs: Number(/min\/avg\/max\/mdev = ([\d.]+)/.exec(stdout)?.[1]),
    };
  };

  /** Frames that a node's interface has sent or received so far. */
  const frames = async (node: string, way: "rx" | "tx"): Promise<number> => {
    const { stdout } = await lab.exec(node, "ip", "-s", "-j", "link", "show", "eth0");
    const [link] = JSON.parse(stdout) as { stats64: Record<"rx" | "tx", { packets: number }> }[];
    return link?.stats64[way].packets ?? Number.NaN;
  };

  beforeAll(async () => {
    writeFileSync(join(lab.folder, "broken.yaml"), file);
    await machines.up(join(lab.folder, "broken.yaml"));
    // What is counted below is not to wait for answers of ARP, which get lost as well.
    for (const [node, other] of [
      ["n1", 2],
      ["n2", 1],
    ] as const) {
      const neighbour = [`10.0.0.${other}`, "lladdr", `02:00:00:00:00:0${other}`, "dev", "eth0"];
      const { status } = await lab.exec(node, "ip", "neigh", "replace", ...neighbour, "nud", "permanent");
      expect(status).toBe(0);
    }
  });
  afterAll(() => lab.close());

  it("loses the share that it is told of every protocol's frames, both ways", async () => {
    await impair("n1", "--loss", "30%");
    // There and back: 0.7 × 0.7 = 0.49 come home.
    const icmp = await ping("-q", "-c", "400", "-i", "0.002", "-W", "1");
    expect(icmp.sent).toBe(400);
    expect(icmp.received / 400).toBeGreaterThan(0.35);
    expect(icmp.received / 400).toBeLessThan(0.63);
    const datagrams = await udp(1000);
    expect(datagrams.got / 1000).toBeGreaterThan(0.38);
    expect(datagrams.got / 1000).toBeLessThan(0.6);
    const server = await machines.serve("n1", "1057");
    const before = { sent: await frames("n2", "tx"), came: await frames("n1", "rx") };
    const report = await machines.call("n2", server.putPort, "--count", "300");
    expect(report.succeeded).toBe(300);
    const sent = (await frames("n2", "tx")) - before.sent;
    const came = (await frames("n1", "rx")) - before.came;
    expect(sent).toBeGreaterThan(300);
    expect(came / sent).toBeGreaterThan(0.58);
    expect(came / sent).toBeLessThan(0.82);
    expect(await server.stop()).toBe(300);
    const { stdout } = await lab.exec("n1", "tc", "-s", "qdisc", "show", "dev", "eth0", "clsact");
    expect(Number(/dropped (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(400);
  });

  it("keeps what is not given, and is whole again with zero", async () => {
    const both = await impair("n1", "--delay", "5ms");
    expect(both.links).toEqual([expect.objectContaining({ link: "n1:lan0", loss: 0.3, delayMs: 5 })]);
    expect((await impair("n1:eth0", "--loss", "0")).links[0]).toMatchObject({ loss: 0, delayMs: 5 });
    const late = await ping("-c", "20", "-i", "0.01");
    expect(late.received).toBe(20);
    expect(late.fastestMs).toBeGreaterThanOrEqual(10);
    await impair("n1", "--delay", "0");
    for (const [node, device] of [["n1", "eth0"]] as const) {
      const { stdout: queues } = await lab.exec(node, "tc", "qdisc", "show", "dev", device);
      expect(queues).toMatch(/^qdisc noqueue[^\n]*\n?$/);
      expect((await lab.exec(node, "ip", "-d", "link", "show", device)).stdout).toContain(
        "gso_max_segs 65535",
      );
    }
    await until("the end of the wire's process", () => (lab.processes().length === 4 ? true : undefined));
    expect(await udp(200)).toEqual({ got: 200, seen: 200 });
    const status: LabStatus = await lab.status();
    expect(status.nodes[0]?.interfaces[0]).not.toHaveProperty("impairments");
  });

  it("doubles frames, and lets later ones overtake", async () => {
    await impair("n1", "--duplicate", "50%", "--reorder", "20%");
    const { got, seen } = await udp(200);
    expect(seen).toBe(200);
    // 1.5 × 1.5 = 2.25 answers to each.
    expect(got / 200).toBeGreaterThan(1.9);
    expect(got / 200).toBeLessThan(2.6);
    expect((await ping("-c", "100", "-i", "0.002")).duplicates).toBeGreaterThan(50);
  });

  it("keeps calls at most once while it loses, doubles and reorders", async () => {
    await impair("n1", "--loss", "2%", "--duplicate", "5%", "--reorder", "5%", "--delay", "500us");
    const server = await machines.serve("n1", "1057");
    const count = perTier({ quick: 1000, long: 5000, nightly: 100_000 });
    const [small, large] = await Promise.all([
      machines.call("n2", server.putPort, "--count", `${count}`),
      machines.call("n2", server.putPort, "--count", `${count / 10}`, "--size", "8K"),
    ]);
    expect([small.succeeded, large.succeeded]).toEqual([count, count / 10]);
    expect(await server.stop()).toBe(count + count / 10);
  });

  it("damages frames, which TCP notices by their checksums", async () => {
    await impair("n1", "--reset", "--corrupt", "2%");
    const sink = await listening(tcpSink);
    const sent = await lab.exec("n2", process.execPath, "-e", tcpSend(2_000_000));
    const { stdout } = await sink.outcome;
    expect(stdout).toBe(`listening\n${sent.stdout}`);
    const counters = await lab.exec("n1", "cat", "/proc/net/snmp");
    const [names = "", values = ""] = counters.stdout
      .split("\n")
      .filter((line) => /^(Tcp|Ip):/.test(line))
      .slice(2);
    const errors = values.split(" ")[names.split(" ").indexOf("InCsumErrors")];
    expect(Number(errors)).toBeGreaterThan(0);
  });

  it("has no more bits a second than its rate, in each direction", async () => {
    await impair("n1", "--reset", "--rate", "20mbit");
    const { stdout: queues } = await lab.exec("n1", "tc", "qdisc", "show", "dev", "eth0");
    expect(queues).toMatch(/tbf .* rate 20Mbit/);
    const sink = await listening(tcpSink);
    const began = performance.now();
    await lab.exec("n2", process.execPath, "-e", tcpSend(4_000_000));
    await sink.outcome;
    expect(4_000_000 * 8).toBeLessThan(((performance.now() - began) / 1000) * 20e6);
    await impair("n1", "--rate", "0");
    expect((await lab.exec("n1", "tc", "qdisc", "show", "dev", "eth0")).stdout).toMatch(/^qdisc noqueue/);
  });

  it("passes nothing while it is cut, for as long as it was to be", async () => {
    const running = lab.start(["lab", "impair", "n1", "--cut", "--duration", "60s"]);
    await new Promise((resolve) => running.child.stdout?.once("data", resolve));
    expect((await ping("-c", "3", "-i", "0.01", "-W", "1")).received).toBe(0);
    expect((await lab.must(["lab", "impair"])).stdout).toMatch(/^n1:lan0 +cut$/m);
    running.child.kill("SIGINT");
    expect(await running.outcome).toMatchObject({ status: 130 });
    expect((await ping("-c", "3", "-i", "0.01")).received).toBe(3);
    await lab.must(["lab", "impair", "n1", "--loss", "10%", "--duration", "100ms"]);
    expect((await impair("n1")).links[0]).toMatchObject({ loss: 0, cut: false });
  });

  it("stays impaired through a power cut of its node", async () => {
    await impair("n1", "--delay", "3ms", "--loss", "1%");
    await lab.must(["lab", "kill", "n1"]);
    await lab.must(["lab", "start", "n1"]);
    expect((await lab.status()).nodes[0]?.interfaces[0]?.impairments).toMatchObject({
      loss: 0.01,
      delayMs: 3,
    });
    expect((await ping("-c", "20", "-i", "0.01", "-W", "1")).fastestMs).toBeGreaterThanOrEqual(6);
    await impair("n1", "--reset");
  });

  it("is shown when the process in it was killed, and passes frames again after the next change", async () => {
    await impair("n1", "--delay", "1ms");
    await impair("n2", "--duplicate", "1%");
    const wires = join(lab.state, "broken", "wires.json");
    process.kill((JSON.parse(readFileSync(wires, "utf8")) as { pid: number }).pid, "SIGKILL");
    await until("the end of the wire", async () =>
      (await lab.must(["lab", "status"])).stdout.includes("n1:lan0 passes nothing") ? true : undefined,
    );
    expect((await lab.status()).nodes[0]?.interfaces[0]?.dead).toBe(true);
    await impair("n2", "--reset");
    expect((await ping("-c", "5", "-i", "0.01")).fastestMs).toBeGreaterThanOrEqual(2);
    expect((await lab.status()).nodes[0]?.interfaces[0]).not.toHaveProperty("dead");
    await impair("n1", "--reset");
  });

  it("is refused with the reason when it makes no sense", async () => {
    for (const [words, status, said] of [
      [["n1", "--loss", "5"], 2, "a share is"],
      [["n1", "--delay", "2"], 2, "a delay is"],
      [["n9", "--loss", "5%"], 3, 'no node "n9"'],
      [["n1:lan7", "--loss", "5%"], 3, "its links are n1:lan0"],
      [["--loss", "5%"], 2, "which node or link"],
      [["n1", "--duration", "5s"], 2, "--duration needs something"],
    ] as const) {
      const outcome = await lab.run(["lab", "impair", ...words]);
      expect(outcome.status).toBe(status);
      expect(outcome.stderr).toContain(said);
    }
  });

  it("leaves nothing behind when the lab goes, its wires least of all", async () => {
    await impair("n2", "--duplicate", "1%");
    await lab.must(["lab", "down"]);
    expect(lab.processes()).toEqual([]);
    expect(systemNetwork()).toEqual(before);
  });
});

if (isLong)
  describe("a link of a lab in memory", () => {
    const machines = new Programs();
    const lab: LabRunner = machines.lab;
    afterAll(() => lab.close());

    it("has the impairments of its file, and loses them with zero; calls stay at most once", async () => {
      const path = join(lab.folder, "memory.yaml");
      writeFileSync(
        path,
        `${file}impairments: { n1: { loss: 2%, duplicate: 10%, reorder: 10%, delay: 1ms } }\n`,
      );
      await machines.up(path, "--isolation", "memory");
      const server = await machines.serve("n1", "1057");
      const slow = await machines.call("n2", server.putPort, "--count", "200");
      expect(slow).toMatchObject({ succeeded: 200 });
      expect(slow.p50Us).toBeGreaterThanOrEqual(2000);
      await lab.must(["lab", "impair", "n1", "--reset"]);
      expect(await machines.call("n2", server.putPort, "--count", "200")).toMatchObject({ succeeded: 200 });
      expect(await server.stop()).toBe(400);
    });
  });
