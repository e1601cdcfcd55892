// If one of these fails, Prometheus cannot read a node, reads wrong figures, or a stranger on
// the LAN can.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import parseText from "parse-prometheus-text-format";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { samplesOf } from "../../../control/cli/metrics.js";
import { type Counters, counterNames } from "../../../control/kernel/counters.js";
import { parseListen } from "../../../control/node/config/listen.js";
import { askPage } from "../../../control/node/metrics/client.js";
import { counterMetric, NodeMetrics } from "../../../control/node/metrics/metrics.js";
import { servePages } from "../../../control/node/metrics/server.js";
import { Totals } from "../../../control/node/metrics/totals.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "metrics-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const facts = { name: 'a "quoted" name', version: "1.2.3", abi: 2 };

/** A machine whose counters a test sets. */
function machine() {
  const counters = Object.fromEntries(counterNames.map((name, i) => [name, i])) as Record<
    keyof Counters,
    number
  >;
  const device = { received: 1, sent: 2, receiveDropped: 3, sendDropped: 4 };
  return {
    counters,
    device,
    kernel: { counters: () => ({ ...counters }), threadsBusy: 6, framesHeld: 7, groupBytes: 8 },
    interfaces: [{ name: "eth0", mtu: 1500, receiveFrames: 1024, counters: () => ({ ...device }) }],
    executions: () => 9,
  };
}

type Families = ReturnType<typeof parseText>;
const figureOf = (families: Families, name: string): number =>
  Number(families.find((family) => family.name === name)?.metrics[0]?.value ?? Number.NaN);

describe("the metrics of a node", () => {
  it("are what the kernel counts, in a format that another program reads", async () => {
    const families = parseText(await new NodeMetrics(machine(), facts).text());
    counterNames.forEach((name, index) => {
      expect(figureOf(families, counterMetric(name))).toBe(index);
    });
    for (const { name, help, type } of families) {
      expect(name).toMatch(/^(proteus|nodejs|process)_[a-z0-9_]+$/);
      expect(help).toMatch(/\w/);
      expect(name.endsWith("_total"), name).toBe(type === "COUNTER");
    }
    expect(figureOf(families, "proteus_kernel_threads_busy")).toBe(6);
    expect(figureOf(families, "proteus_interface_mtu")).toBe(1500);
    expect(figureOf(families, "proteus_interface_receive_dropped_total")).toBe(3);
    expect(figureOf(families, "proteus_echo_executions_total")).toBe(9);
    expect(figureOf(families, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  });

  it("go on where a counter of the kernel wraps", async () => {
    const measured = machine();
    const metrics = new NodeMetrics(measured, facts);
    measured.counters.framesIn = 0xfffffff0;
    metrics.sample();
    measured.counters.framesIn = 0x10;
    expect(figureOf(parseText(await metrics.text()), "proteus_kernel_frames_in_total")).toBe(0x100000010);
    expect(figureOf(parseText(await metrics.text()), "proteus_kernel_frames_in_total")).toBe(0x100000010);
  });

  it("are the same as JSON", async () => {
    const samples = samplesOf(await new NodeMetrics(machine(), facts).text());
    const labels = { name: facts.name, version: "1.2.3", abi: "2" };
    expect(samples).toContainEqual({ name: "proteus_build_info", labels, value: 1 });
    expect(samples).toContainEqual({
      name: "proteus_interface_sent_total",
      labels: { interface: "eth0" },
      value: 2,
    });
  });
});

describe("a total", () => {
  it("is the sum of what came, however often it wraps", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffffffff })), (steps) => {
        const totals = new Totals();
        let sum = 0;
        for (const step of steps) {
          sum += step;
          expect(totals.add("x", sum % 2 ** 32)).toBe(sum);
        }
      }),
    );
  });
});

describe("the place where they are asked for", () => {
  const pages = {
    metrics: async () => ({ text: "a 1\n", type: "text/plain; version=0.0.4" }),
    status: () => ({ name: "n1" }),
  };
  const failures: unknown[] = [];
  const serve = (text: string, own = pages) =>
    servePages(parseListen(text).listen, own, (error) => failures.push(error));
  const ask = (text: string, page: "/metrics" | "/status" = "/metrics", timeoutMs = 5000) =>
    askPage(parseListen(text).listen, page, { timeoutMs, whom: "n1" });

  it("answers on loopback and at a socket that only its owner may use", async () => {
    const path = join(folder, "a.sock");
    const [tcp, unix] = [await serve("127.0.0.1:0"), await serve(`unix:${path}`)];
    const port = /:(\d+)\/metrics$/.exec(tcp?.where ?? "")?.[1];
    for (const where of [`127.0.0.1:${port}`, `unix:${path}`]) {
      expect(await ask(where)).toBe("a 1\n");
      expect(JSON.parse(await ask(where, "/status"))).toEqual({ name: "n1" });
    }
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const [page, method, status] of [
      ["/metrics?x=1", "GET", 200],
      ["/other", "GET", 404],
      ["/metrics", "POST", 405],
    ] as const)
      expect((await fetch(`http://127.0.0.1:${port}${page}`, { method })).status).toBe(status);
    await Promise.all([tcp?.close(), unix?.close()]);
    await expect(ask(`unix:${path}`)).rejects.toMatchObject({ code: "NODE_SILENT", exit: 5 });
    await expect(ask(`127.0.0.1:${port}`)).rejects.toMatchObject({
      code: "NODE_SILENT",
      why: "nobody listens there",
    });
  });

  it("takes a socket that a crash left, and not one in use", async () => {
    const path = join(folder, "b.sock");
    const dies = `() => process.kill(process.pid, "SIGKILL")`;
    const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, ${dies})`;
    spawnSync(process.execPath, ["-e", program]);
    expect(statSync(path).isSocket()).toBe(true);
    const first = await serve(`unix:${path}`);
    await expect(serve(`unix:${path}`)).rejects.toMatchObject({ code: "METRICS_LISTEN", exit: 1 });
    expect(await ask(`unix:${path}`)).toBe("a 1\n");
    await first?.close();
  });

  it("leaves a file that happens to have the name of the socket", async () => {
    const path = join(folder, "notes.txt");
    writeFileSync(path, "mine");
    await expect(serve(`unix:${path}`)).rejects.toMatchObject({ code: "METRICS_LISTEN", exit: 1 });
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  it("is nowhere when it is off", async () => {
    expect(await serve("off")).toBeNull();
    await expect(ask("off")).rejects.toMatchObject({ code: "NODE_METRICS_OFF", exit: 3 });
  });

  it("drops the asker, and says so in the log, when a page fails", async () => {
    const path = join(folder, "c.sock");
    const fault = new Error("broken");
    const server = await serve(`unix:${path}`, { ...pages, metrics: () => Promise.reject(fault) });
    await expect(ask(`unix:${path}`)).rejects.toMatchObject({ code: "NODE_SILENT" });
    expect(failures).toContain(fault);
    await server?.close();
  });

  it("that stands still, or is something else, is an error in time", async () => {
    const path = join(folder, "d.sock");
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(path, resolve));
    await expect(ask(`unix:${path}`, "/metrics", 50)).rejects.toMatchObject({ code: "NODE_SILENT" });
    silent.close();
    const other = createServer((socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    const second = join(folder, "e.sock");
    await new Promise<void>((resolve) => other.listen(second, resolve));
    await expect(ask(`unix:${second}`)).rejects.toMatchObject({ code: "ANSWER_WRONG" });
    other.close();
  });
});
