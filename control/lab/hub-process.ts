// The process of the LAN in memory: `node hub-process.js FOLDER`, where FOLDER is the
// lab's; the topology comes on stdin. Started by medium.ts, ends with SIGTERM.

import { readFileSync } from "node:fs";
import { serveHub } from "./hub.js";
import { controlSocket, interfaceSocket } from "./state.js";
import type { Topology } from "./topology.js";

const topology = JSON.parse(readFileSync(0, "utf8")) as Topology;
try {
  await serveHub(topology, {
    interfaceSocket: (node, name) => interfaceSocket(topology.name, node, name),
    controlSocket: controlSocket(topology.name),
  });
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
}
