// What can go wrong with a serial line, as errors that say what to do.
//
// - `code` is stable and for programs; `hint` is one line for people.
// - Only opening throws. What comes damaged over the line is counted.

export type SerialErrorCode =
  | "SERIAL_NO_PORT"
  | "SERIAL_NO_PERMISSION"
  | "SERIAL_IN_USE"
  | "SERIAL_UNAVAILABLE"
  | "SERIAL_FAILED";

/** A serial line could not be opened. */
export class SerialError extends Error {
  override readonly name = "SerialError";

  constructor(
    readonly code: SerialErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The error for people behind what serialport said when it opened `path`. */
export function explainSerial(error: unknown, path: string): SerialError {
  const reason = error instanceof Error ? error.message : String(error);
  const cause = { cause: error };
  if (/No such file/i.test(reason))
    return new SerialError(
      "SERIAL_NO_PORT",
      `there is no serial port ${path}`,
      "ls /dev/serial/by-id /dev/ttyS* shows those of this machine",
      cause,
    );
  if (/Permission denied|Operation not permitted/i.test(reason))
    return new SerialError(
      "SERIAL_NO_PERMISSION",
      `no permission to open ${path}`,
      "join the group of the file (often dialout), or run it as root",
      cause,
    );
  if (/lock|busy|temporarily unavailable/i.test(reason))
    return new SerialError(
      "SERIAL_IN_USE",
      `another program has ${path}`,
      `end it first: fuser ${path} names it; a line carries one machine's frames`,
      cause,
    );
  return new SerialError(
    "SERIAL_FAILED",
    `${path} could not be opened: ${reason}`,
    "see whether it is a serial port, and whether it can do that speed",
    cause,
  );
}
