// Commands that run until they are told to stop: what their options and signals have in
// common.

/** Collects the values of an option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The end of a command in the foreground. */
export interface Stopped {
  /** Resolves at SIGINT or SIGTERM; rejects when `fail` was called. */
  readonly promise: Promise<void>;
  readonly fail: (error: unknown) => void;
}

/** Begins to listen for the signals that end a command. */
export function untilStopped(): Stopped {
  let fail: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    fail = reject;
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  promise.catch(() => undefined); // whoever waits for it hears of it
  return { promise, fail };
}
