// What the threads of a mount tell each other.
//
// - The serving thread blocks; who has put a message wakes it (drivers/fuse/wake.ts). Plain data only.

import type { MessagePort } from "node:worker_threads";
import type { Invalidation } from "../../../drivers/fuse/encode.js";
import type { Check } from "../../interface/file-check.js";
import type { Came, Values } from "../../venus/link.js";
import type { PermitMode } from "../../venus/permit.js";
import type { PinEntry, Pinned } from "../../venus/pins.js";
import type { LogEntry, MountMode, VenusStatus } from "../../venus/venus.js";

interface SharedWake {
  readonly descriptor: number;
  readonly word: SharedArrayBuffer;
}

/** What the serving thread is started with. */
export interface ServingData {
  readonly descriptor: number;
  /** The cache's folder. */
  readonly folder: string;
  readonly bytesMax: number;
  readonly mode?: MountMode;
  readonly permit: PermitMode;
  readonly port: Uint8Array;
  readonly machine: string;
  readonly wake: SharedWake;
  readonly main: MessagePort;
  readonly nodes: MessagePort;
  readonly names: MessagePort;
}

/** What a notifying thread is started with. */
export interface NotifyingData {
  readonly descriptor: number;
  readonly wake: SharedWake;
  readonly serving: MessagePort;
}

export type ToServing =
  | { readonly kind: "came"; readonly id: number; readonly came: Came }
  | { readonly kind: "break"; readonly token: number; readonly ids: readonly number[] }
  | { readonly kind: "hurry"; readonly token: number; readonly fence: number }
  | { readonly kind: "status"; readonly token: number }
  | { readonly kind: "log"; readonly token: number }
  | { readonly kind: "pin"; readonly token: number; readonly path: string; readonly isWanted: boolean }
  | { readonly kind: "pins"; readonly token: number }
  | { readonly kind: "verify"; readonly token: number; readonly isBegin: boolean; readonly isRepair: boolean }
  /** The mount was taken off: whoever has it still, elsewhere, does without. */
  | { readonly kind: "end" }
  | { readonly kind: "hold" }
  | { readonly kind: "connect" };

export type FromServing =
  | { readonly kind: "mounted"; readonly passthrough: boolean }
  | { readonly kind: "call"; readonly id: number; readonly operation: string; readonly given: Values }
  | { readonly kind: "broken"; readonly token: number }
  | { readonly kind: "status"; readonly token: number; readonly status: VenusStatus }
  | { readonly kind: "log"; readonly token: number; readonly records: readonly LogEntry[] }
  | { readonly kind: "pinned"; readonly token: number; readonly pinned: Pinned }
  | { readonly kind: "pins"; readonly token: number; readonly pins: readonly PinEntry[] }
  | { readonly kind: "verify"; readonly token: number; readonly check: Check }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "ended" };

export interface Notify {
  readonly token: number;
  readonly what: readonly Invalidation[];
}
