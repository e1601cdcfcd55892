// Shares pages of this process's linear memory with other processes of the machine: each range is
// a memfd of its own (drivers/ethernet/native/shared.c).
//
// - Others open it as /proc/PID/fd/N: the system asks that they may look at this process, and
//   nothing listens anywhere.
// - Only with the native part: through koffi memory could not be put back safely.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { loadAddon, type NativeShare } from "../ethernet/addon.js";
import { errnoOf } from "../ethernet/errors.js";
import type { SharedMemory, SharedPages } from "../shared-memory.js";

const tagBytes = 16;

/** Names this run of the system, on this machine. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** The name of the memfd with that tag, as the system shows it. */
export const memoryName = (tag: string): string => `/memfd:proteus-${tag} (deleted)`;

/** What the call answers, or undefined when the system refuses. Throws what is no system error. */
function attempted<Value>(call: () => Value): Value | undefined {
  try {
    return call();
  } catch (error) {
    if (errnoOf(error) === 0) throw error;
    return undefined;
  }
}

function pages(native: NativeShare, tag: string, boot: string): SharedPages {
  return {
    path: `/proc/${process.pid}/fd/${native.descriptor}`,
    ...{ tag, boot },
    withdraw: () =>
      attempted(() => {
        native.withdraw();
        return true;
      }) ?? false,
  };
}

function bootIdOrNone(): string | undefined {
  try {
    return bootId();
  } catch {
    return undefined;
  }
}

/** How this process shares memory; undefined without the native part, or without /proc. */
export function sharedMemory(): SharedMemory | undefined {
  const addon = loadAddon();
  const boot = bootIdOrNone();
  if (typeof addon === "string" || boot === undefined) return undefined;
  return {
    pageBytes: addon.pageBytes,
    share(range, sealed) {
      const tag = randomBytes(tagBytes).toString("hex");
      const { buffer, byteOffset, length } = range;
      if (!(buffer instanceof ArrayBuffer)) return undefined;
      const native = attempted(() => addon.share(buffer, byteOffset, length, `proteus-${tag}`, sealed));
      return native === undefined ? undefined : pages(native, tag, boot);
    },
  };
}
