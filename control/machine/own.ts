// The interfaces that this machine's node has: those of its settings, else the only Ethernet one.
//
// - The same answer that `node start` gives itself; nothing is opened, and it need not run.

import { loadConfig } from "../node/config/load.js";
import { defaultInterface } from "../node/start.js";

/** Throws CONFIG_* or INTERFACE_UNCLEAR. */
export function ownInterfaces(): readonly string[] {
  const set = loadConfig().values["node.interfaces"];
  return set.length > 0 ? set : [defaultInterface()];
}
