// What can go wrong with FLIP over IP, as errors that say what to do.
//
// - `code` is stable and for programs; `hint` is one line for people.
// - Only opening throws. What comes from strangers, or is not authentic, is counted.

export type RawIpErrorCode =
  | "RAW_IP_NO_PERMISSION"
  | "RAW_IP_IN_USE"
  | "RAW_IP_NO_ROUTE"
  | "RAW_IP_MTU"
  | "RAW_IP_UNAVAILABLE";

/** A network over IP could not be opened. */
export class RawIpError extends Error {
  override readonly name = "RawIpError";

  constructor(
    readonly code: RawIpErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
