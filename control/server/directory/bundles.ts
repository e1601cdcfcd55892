// Bundles: the commands that wait while a message of the group is on its way go out together in
// the next one. So many writers at once cost each member one message, and one flush, and not one each.
//
// - Commands of a bundle are executed in their order, each for itself; one outcome each.
// - One bundle of a member is on its way at a time, and never longer than the group's messages. A
//   command that does not fit into one goes alone, and is refused alone.
// - Bytes that are no bundle do not decode: they change nothing.

import { Cursor, list, Malformed, raw, uint16 } from "../../interface/types.js";
import { decodeOutcome, encodeOutcome, OUTCOME_BYTES, type Outcome } from "./commands.js";

/** Commands of one bundle. */
export const BUNDLE_COMMANDS_MAX = 64;
const countBytes = 2;
const lengthBytes = 2;

export function encodeBundle(commands: readonly Uint8Array[]): Uint8Array {
  const size = commands.reduce((sum, { length }) => sum + lengthBytes + length, countBytes);
  const bytes = new Uint8Array(size);
  const cursor = new Cursor(bytes);
  uint16.write(cursor, commands.length);
  for (const command of commands) {
    uint16.write(cursor, command.length);
    bytes.set(command, cursor.take(command.length));
  }
  return bytes;
}

/** The commands of a bundle, or none of bytes that are no bundle. */
export function decodeBundle(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    const cursor = new Cursor(bytes);
    const commands = Array.from({ length: Math.min(uint16.read(cursor), BUNDLE_COMMANDS_MAX) }, () => {
      const length = uint16.read(cursor);
      const at = cursor.take(length);
      return bytes.subarray(at, at + length);
    });
    return cursor.at === cursor.end ? commands : [];
  } catch (error) {
    if (error instanceof Malformed) return [];
    throw error;
  }
}

const outcomesType = list(raw(OUTCOME_BYTES), BUNDLE_COMMANDS_MAX);

export function encodeOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  const encoded = outcomes.map(encodeOutcome);
  const bytes = new Uint8Array(outcomesType.size(encoded));
  outcomesType.write(new Cursor(bytes), encoded);
  return bytes;
}

const decodeOutcomes = (bytes: Uint8Array): Outcome[] =>
  outcomesType.read(new Cursor(bytes)).map(decodeOutcome);

interface Waiting {
  readonly command: Uint8Array;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends the commands of one member. */
export class Bundles {
  readonly #send: (bundle: Uint8Array) => Promise<Uint8Array>;
  readonly #bytesMax: () => number;
  #waiting: Waiting[] = [];
  #underWay = false;

  /**
   * @param send has a bundle executed; resolves with its outcomes (encodeOutcomes)
   * @param bytesMax of a bundle
   */
  constructor(send: (bundle: Uint8Array) => Promise<Uint8Array>, bytesMax: () => number) {
    this.#send = send;
    this.#bytesMax = bytesMax;
  }

  /** Resolves with what the command came to. Rejects as `send` does. */
  submit(command: Uint8Array): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      if (!this.#underWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, this.#fitting());
      try {
        const outcomes = decodeOutcomes(await this.#send(encodeBundle(some.map(({ command }) => command))));
        for (const [index, { resolve, reject }] of some.entries()) {
          const outcome = outcomes[index];
          if (outcome === undefined) reject(new Error("a command of a bundle has no outcome"));
          else resolve(outcome);
        }
      } catch (error) {
        for (const { reject } of some) reject(error);
      }
    }
    this.#underWay = false;
  }

  /** How many of those that wait go into one bundle: one at least. */
  #fitting(): number {
    let [count, bytes] = [0, countBytes];
    for (const { command } of this.#waiting) {
      bytes += lengthBytes + command.length;
      if (count > 0 && (bytes > this.#bytesMax() || count >= BUNDLE_COMMANDS_MAX)) break;
      count++;
    }
    return count;
  }
}
