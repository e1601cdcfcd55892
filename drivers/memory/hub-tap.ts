// A tap on the LAN in memory: the hub shows on a socket of its own, beside that of the
// interface, every frame of the interface's network (drivers/tap.ts has the contract).
//
// - On the stream: messages as hub.ts has them. The greeting, then for each frame a head of
//   16 bytes, big-endian, and the frame: time in microseconds since 1970 (float64), frames
//   dropped for this tap so far (u32), 1 when the interface's own machine sent it (u32).
// - What a tap sends is ignored. A hub is a hub: what two others say to each other passes too.

import { createConnection, type Socket } from "node:net";
import type { Tap, TapFrame } from "../tap.js";
import { WaitingFrames } from "../waiting-frames.js";
import { HubError, MessageReader } from "./hub.js";

const headBytes = 16;
const droppedAt = 8;
const outgoingAt = 12;

/** The message of a frame for a tap, without the length in front. */
export function tapHead(timeUs: number, dropped: number, outgoing: boolean): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeDoubleBE(timeUs);
  head.writeUInt32BE(dropped, droppedAt);
  head.writeUInt32BE(outgoing ? 1 : 0, outgoingAt);
  return head;
}

class HubTap implements Tap {
  readonly #socket: Socket;
  readonly #waiting = new WaitingFrames();
  #dropped = 0;

  constructor(
    readonly name: string,
    socket: Socket,
  ) {
    this.#socket = socket;
  }

  receive(message: Buffer): void {
    if (message.length < headBytes) return;
    this.#dropped = message.readUInt32BE(droppedAt);
    this.#waiting.take({
      timeUs: message.readDoubleBE(),
      outgoing: message.readUInt32BE(outgoingAt) === 1,
      bytes: message.subarray(headBytes),
    });
  }

  wake(): void {
    this.#waiting.wake();
  }

  poll(): readonly TapFrame[] {
    return this.#waiting.poll();
  }

  watch(callback: (() => void) | null): void {
    this.#waiting.watch(callback);
  }

  dropped(): number {
    return this.#dropped + this.#waiting.overrun;
  }

  close(): void {
    this.#waiting.watch(null);
    this.#socket.destroy();
  }
}

/**
 * Connects to the socket of a tap at the hub; `name` is for people, `lost` is told when the hub
 * ends. Rejects with a HubError when nothing listens there, or no hub.
 */
export function openHubTap(path: string, name: string, lost: (error: Error) => void): Promise<Tap> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    const reader = new MessageReader();
    let tap: HubTap | null = null;
    const end = (code: HubError["code"], message: string, cause?: unknown): void => {
      socket.destroy();
      const error = new HubError(code, message, "see whether the lab runs: proteus lab status", { cause });
      reject(error);
      lost(error);
    };
    const unreachable = (why: string, cause?: unknown): void =>
      end("HUB_UNREACHABLE", `the in-memory LAN behind ${name} cannot be reached: ${why}`, cause);
    socket.on("error", (error) => unreachable(error.message, error));
    socket.on("end", () => unreachable(`nothing serves ${path} any more`));
    socket.on("data", (chunk) => {
      try {
        for (const message of reader.push(chunk)) {
          if (tap !== null) tap.receive(message);
          else {
            tap = new HubTap(name, socket);
            resolve(tap);
          }
        }
      } catch (error) {
        end("HUB_PROTOCOL", `what listens at ${path} is no in-memory LAN`, error);
        return;
      }
      tap?.wake();
    });
  });
}
