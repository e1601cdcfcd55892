// Runs one end of a benchmark control, for a process of its own:
//
//   node controls-main.js floor server IFACE [MODE]
//   node controls-main.js floor client IFACE ROUNDS [MODE]
//   node controls-main.js spin-tcp server ADDRESS PORT
//   node controls-main.js spin-tcp client ADDRESS PORT ROUNDS
//
// A client prints {"microseconds": […]}, a server {"echoed": n}.

import { runFloorClient, runFloorServer, runSpinTcpClient, runSpinTcpServer } from "./controls.js";
import type { EthernetMode } from "./ethernet.js";

function modeOf(text: string | undefined): EthernetMode | "auto" {
  switch (text) {
    case "ring":
    case "recvmmsg":
    case "koffi":
      return text;
    default:
      return "auto";
  }
}

function run([test, end, target = "", ...rest]: readonly string[]): object {
  const number = (index: number): number => Number(rest[index] ?? 0);
  switch (`${test} ${end}`) {
    case "floor server":
      return { echoed: runFloorServer({ interfaceName: target, mode: modeOf(rest[0]) }) };
    case "floor client": {
      const control = { interfaceName: target, mode: modeOf(rest[1]) };
      return { microseconds: Array.from(runFloorClient(control, { rounds: number(0) })) };
    }
    case "spin-tcp server":
      return { echoed: runSpinTcpServer({ address: target, port: number(0) }) };
    case "spin-tcp client": {
      const control = { address: target, port: number(0) };
      return { microseconds: Array.from(runSpinTcpClient(control, { rounds: number(1) })) };
    }
    default:
      throw new Error("usage: controls-main (floor|spin-tcp) (server|client) …");
  }
}

console.log(JSON.stringify(run(process.argv.slice(2))));
