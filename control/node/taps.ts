// Opens a tap by the name of an interface, as interfaces.ts opens the interface itself: the
// machine's own, or, in a lab without namespaces, the one that PROTEUS_HUB_NAME stands for.

import { openTap } from "../../drivers/ethernet/tap.js";
import { tapPath } from "../../drivers/memory/hub.js";
import { openHubTap } from "../../drivers/memory/hub-tap.js";
import type { Tap } from "../../drivers/tap.js";
import { usageError } from "../kernel/errors.js";
import { isWire } from "./interface-name.js";

export interface TapsOptions {
  /** For people: a slower way had to be taken. */
  readonly say: (line: string) => void;
  /** A tap will show nothing any more. */
  readonly lost: (error: Error) => void;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Opens a tap on each interface, or none. Fails as the driver fails. */
export async function openTaps(names: readonly string[], options: TapsOptions): Promise<Tap[]> {
  const environment = options.environment ?? process.env;
  const taps: Tap[] = [];
  try {
    for (const name of names) {
      if (isWire(name))
        throw usageError(
          `"${name}" cannot be listened to`,
          "capture on the Ethernet side of a router; a serial line has one program at each end",
          "INTERFACE_INVALID",
        );
      const socket = environment[`PROTEUS_HUB_${name}`];
      const tap = socket
        ? await openHubTap(tapPath(socket), name, options.lost)
        : openTap(name, { say: options.say });
      taps.push(tap);
    }
    return taps;
  } catch (error) {
    for (const tap of taps) tap.close();
    throw error;
  }
}
