// The program of a Linux pool machine that was booted over the network: boot/linux/init.c starts it,
// and it is the machine's agent, told by the kernel's command line (boot/linux/words.ts).
//
// - It is `proteus node start` in this process, so that there is one Node and no more.
// - It says on the console that it serves as a metal machine does, once the agent's ready file is there.
//   Standard output, where the agent prints capabilities, goes nowhere (init.c).

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { agentWords, type LinuxInterface, servesText } from "../../boot/linux/words.js";

const readyFile = "/run/ready.json";
const lookMs = 20;
const networks = "/sys/class/net";
const ethernet = "1"; // ARPHRD_ETHER

const factOf = (name: string, fact: string): string =>
  readFileSync(join(networks, name, fact), "utf8").trim();

const interfaces = (): LinuxInterface[] =>
  readdirSync(networks)
    .filter((name) => factOf(name, "type") === ethernet)
    .map((name) => ({ name, mac: factOf(name, "address") }));

const words = agentWords(readFileSync("/proc/cmdline", "utf8"), interfaces(), totalmem(), readyFile);
process.argv.splice(2, process.argv.length, ...words);
const timer = setInterval(() => {
  if (!existsSync(readyFile)) return;
  clearInterval(timer);
  process.stderr.write(`${servesText(readFileSync(readyFile, "utf8"))}\n`);
}, lookMs);
timer.unref();
await (await import("./program.js")).run(words);
