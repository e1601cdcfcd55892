// What a run writes down for people: frames as pcap, a timeline. Where to, is the caller's:
// nothing here opens a file.

import { pcapHead, pcapRecord } from "../../drivers/capture/pcap.js";
import type { World } from "../engine/world.js";
import { Timeline } from "./timeline.js";

/** Where the two files go; what is left out is not written. */
export interface RecorderOptions {
  readonly pcap?: (bytes: Uint8Array) => void;
  readonly timeline?: (text: string) => void;
}

export class Recorder {
  readonly #options: RecorderOptions;
  #timeline: Timeline | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Begins with a world whose networks may still be to come. */
  open(world: World): Timeline | null {
    const { pcap, timeline } = this.#options;
    if (pcap !== undefined) {
      pcap(pcapHead());
      world.onSend = (frame) => pcap(pcapRecord(world.now, frame));
    }
    if (timeline !== undefined) this.#timeline = new Timeline(() => world.now, timeline);
    return this.#timeline;
  }

  close(): void {
    this.#timeline?.close();
  }
}
