// Loads the package serialport, when a serial line is really used.
//
// - It is an optional dependency with a native part: a machine without it has all other wires.

import { SerialError } from "./errors.js";

export type SerialPackage = typeof import("serialport");

/** The package. Rejects with SERIAL_UNAVAILABLE. */
export async function loadSerialPackage(): Promise<SerialPackage> {
  try {
    return await import("serialport");
  } catch (cause) {
    throw new SerialError(
      "SERIAL_UNAVAILABLE",
      `serial lines cannot be used: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}`,
      "npm install serialport",
      { cause },
    );
  }
}
