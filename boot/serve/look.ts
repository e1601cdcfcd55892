// Is another DHCP server on this network? Asked in both ways (frames.ts), from a MAC address made up for
// that, before anything of ours answers.
//
// - Servers may try an address for three seconds before they offer it, and answer nobody else meanwhile:
//   we wait for two of these turns, and ask twice.
// - The first that answers is enough. An offer that nobody takes is forgotten by its server.

import { randomFillSync, randomInt } from "node:crypto";
import { openRaw } from "../../drivers/ethernet/raw.js";
import { discover, understand } from "./frames.js";

const waitMs = 7000;
const againMs = 3000;

/** The IP address of a DHCP server that answers on the interface; undefined: none does. */
export function lookForServer(name: string, abort?: AbortSignal): Promise<string | undefined> {
  const mac = randomFillSync(new Uint8Array(6));
  mac[0] = 0x02;
  const first = randomInt(1, 0x7fffffff);
  return new Promise((resolve, reject) => {
    const finish = (server: string | undefined): void => {
      clearTimeout(timer);
      clearTimeout(again);
      abort?.removeEventListener("abort", stop);
      raw.close();
      resolve(server);
    };
    const stop = (): void => finish(undefined);
    const raw = openRaw(name, (frame) => {
      const heard = understand(frame);
      if (heard?.kind !== "offer") return;
      if (heard.transaction === first || heard.transaction === first + 1) finish(heard.server);
    });
    const timer = setTimeout(stop, waitMs);
    abort?.addEventListener("abort", stop, { once: true });
    const ask = (): void => {
      try {
        raw.send(discover(mac, first, false));
        raw.send(discover(mac, first + 1, true));
      } catch (error) {
        reject(error); // before it counts as a network where nobody answers
        finish(undefined);
      }
    };
    const again = setTimeout(ask, againMs);
    ask();
  });
}
