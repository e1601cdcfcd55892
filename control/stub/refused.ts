// How a server's code says no: it throws, and the client gets the status.
//
// - Only statuses that the operation's table lists, or commonErrors, reach the client; any
//   other is a mistake in the server.

/** A request is not granted; nothing of it was done, but for what `extra` counts. */
export class Refused extends Error {
  override readonly name = "Refused";

  /** `extra`: h_extra of the reply, where an operation says how far it came. */
  constructor(
    readonly status: number,
    readonly extra = 0,
  ) {
    super(`refused with status ${status}`);
  }
}

/** Refuses a request with one of the statuses of core-wasm/status.ts. */
export function refuse(status: number): never {
  throw new Refused(status);
}
