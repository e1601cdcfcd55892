// The contract of a tap: it sees every FLIP frame that passes an interface, both ways, and
// takes no part.
//
// - A tap has no address, answers nothing and sends nothing; those who talk do not notice it.
// - Frames are listed by `poll` and stay readable until the next one.
// - What passed faster than it was read is lost to the tap alone, and counted.

/** A frame as a tap saw it. */
export interface TapFrame {
  /** Whole microseconds since 1970, when the system saw it. */
  readonly timeUs: number;
  /** Sent by a program on this side; undefined where the tap cannot tell. */
  readonly outgoing: boolean | undefined;
  /** Ethernet header first; a view that the next poll may overwrite. */
  readonly bytes: Uint8Array;
}

export interface Tap {
  /** The interface, for people. */
  readonly name: string;
  /** The frames that have come since the last poll, oldest first; some at a time. */
  poll(): readonly TapFrame[];
  /** Calls back from the event loop when frames may be there; null stops that. */
  watch(callback: (() => void) | null): void;
  /** Frames lost so far because the tap was not read in time. */
  dropped(): number;
  close(): void;
}
