// `npm run bench:controls`: are the benchmark's own controls as fast as plain C?
//
// - spin-tcp and floor of the addon against the C programs in native/, in turn, on one
//   veth pair between two namespaces that this script makes and takes away. Needs root, cc
//   and a built checkout.
// - Medians of the runs' medians, and their ratio. spin-tcp has to stay within 1.3: a slow
//   control makes good ratios elsewhere.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist/drivers/ethernet/controls-main.js");
const runs = 5;
const rounds = 20_000;
const port = 7400;
const deadlineMs = 30_000;
const names = { server: `pbs${process.pid}`, client: `pbc${process.pid}` };
const address = { server: "10.0.0.1", client: "10.0.0.2" };

const tool = (command, ...args) => execFileSync(command, args, { stdio: ["ignore", "pipe", "inherit"] });
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Starts one end: pinned to its core, in its namespace. Resolves with what it printed. */
function end(which, core, command) {
  const child = spawn("ip", ["netns", "exec", names[which], "taskset", "-c", `${core}`, ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  let text = "";
  child.stdout.on("data", (data) => {
    text += data;
  });
  const done = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      if (code === 0 || which === "server") resolve(text);
      else reject(new Error(`${command.join(" ")} ended with ${code}`));
    });
  });
  return { child, done };
}

/** One run: the server first; a client that comes too early finds it by itself or tries again. */
async function once(placement, server, client) {
  const serving = end("server", placement === "X" ? 1 : 0, server);
  await new Promise((resolve) => setTimeout(resolve, 300));
  try {
    const printed = JSON.parse(await end("client", 0, client).done);
    return printed.p50Us ?? median(printed.microseconds);
  } finally {
    serving.child.kill("SIGKILL");
    await serving.done;
  }
}

function macOf(which) {
  const [link] = JSON.parse(tool("ip", "-json", "-n", names[which], "link", "show", "eth0").toString());
  return link.address;
}

function makePair() {
  for (const name of Object.values(names)) tool("ip", "netns", "add", name);
  tool(
    "ip",
    "-n",
    names.server,
    "link",
    "add",
    "eth0",
    "type",
    "veth",
    "peer",
    "eth0",
    "netns",
    names.client,
  );
  for (const which of ["server", "client"]) {
    tool("ip", "-n", names[which], "address", "add", `${address[which]}/24`, "dev", "eth0");
    tool("ip", "-n", names[which], "link", "set", "eth0", "up");
  }
}

const folder = mkdtempSync(join(tmpdir(), "proteus-controls-"));
try {
  for (const name of ["spin-tcp", "raw-ping"]) {
    tool("cc", "-O2", "-o", join(folder, name), join(root, "test/bench/native", `${name}.c`));
  }
  makePair();
  const ours = (kind, ...args) => [process.execPath, main, kind, ...args];
  const plain = (name, ...args) => [join(folder, name), ...args];
  console.log(
    `${readFileSync("/proc/sys/kernel/osrelease", "utf8").trim()}, Node ${process.version}, ${runs} runs`,
  );
  for (const placement of ["X", "S"]) {
    const spin = placement === "X" ? "pause" : "yield";
    const tcp = [address.server, `${port}`];
    const pairs = {
      "spin-tcp": {
        addon: [ours("spin-tcp", "server", ...tcp), ours("spin-tcp", "client", ...tcp, `${rounds}`)],
        c: [
          plain("spin-tcp", "server", ...tcp, `${rounds}`, spin),
          plain("spin-tcp", "client", ...tcp, `${rounds}`, spin),
        ],
      },
      floor: {
        addon: [ours("floor", "server", "eth0"), ours("floor", "client", "eth0", `${rounds}`)],
        c: [
          plain("raw-ping", "server", "eth0", macOf("client"), `${rounds}`, spin),
          plain("raw-ping", "client", "eth0", macOf("server"), `${rounds}`, spin),
        ],
      },
    };
    for (const [name, { addon, c }] of Object.entries(pairs)) {
      const figures = { addon: [], c: [] };
      for (let run = 0; run < runs; run++) {
        figures.addon.push(await once(placement, ...addon));
        figures.c.push(await once(placement, ...c));
      }
      const [a, b] = [median(figures.addon), median(figures.c)];
      console.log(
        `${name.padEnd(8)} ${placement}  addon ${a.toFixed(2)} µs  C ${b.toFixed(2)} µs  ratio ${(a / b).toFixed(2)}`,
      );
    }
  }
} finally {
  for (const name of Object.values(names)) {
    try {
      tool("ip", "netns", "delete", name);
    } catch {
      // it was not made
    }
  }
  rmSync(folder, { recursive: true, force: true });
}
