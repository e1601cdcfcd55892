// The secrets of a server: its get-port, the key of its check fields, and the generation of
// the server itself. With them a restarted or moved server is the same to its clients.
//
// - As a file they are one JSON document (secretsText, parseSecrets); where it lies and who may
//   read it is control/node/secrets.ts.
// - What holds them shows nothing of them: not as text, not as JSON, not when it is inspected.
//   secretsText is for the file and for the command that prints a secret on purpose.

import { KEYED_GENERATION_BYTES, KEYED_KEY_BYTES, PORT_BYTES } from "../../core-wasm/wire/formats.js";
import { fromHex, toHex } from "../kernel/bytes.js";

/** The generation of a server itself, when it outlives the server. */
export interface OwnGeneration {
  readonly generation: Uint8Array;
  /** Makes another one, and answers it when it is durable. */
  renew(): Uint8Array;
}

/** What a server is made with to be itself: with a key it has the keyed scheme. */
export interface ServerIdentity {
  /** Six bytes: clients call the one-way image. */
  readonly getPort: Uint8Array;
  readonly key?: Uint8Array | undefined;
  readonly own?: OwnGeneration | undefined;
}

export interface ServerSecrets {
  /** Six bytes. */
  readonly getPort: Uint8Array;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Of object 0, the server itself. */
  readonly own: OwnGeneration;
}

/** The bytes of a server's secrets. */
export interface SecretBytes {
  readonly getPort: Uint8Array;
  readonly key: Uint8Array;
  readonly generation: Uint8Array;
}

const schema = 1;
const hidden = "[secret]";

export const newSecrets = (random: (bytes: number) => Uint8Array): SecretBytes => ({
  getPort: random(PORT_BYTES),
  key: random(KEYED_KEY_BYTES),
  generation: random(KEYED_GENERATION_BYTES),
});

const inspect = Symbol.for("nodejs.util.inspect.custom");

/** What is not shown by accident: as text, as JSON, or inspected. */
class Hidden {
  toJSON(): string {
    return hidden;
  }

  toString(): string {
    return hidden;
  }

  [inspect](): string {
    return hidden;
  }
}

class KeptGeneration extends Hidden implements OwnGeneration {
  #generation: Uint8Array;
  readonly #make: () => Uint8Array;

  constructor(generation: Uint8Array, make: () => Uint8Array) {
    super();
    this.#generation = generation;
    this.#make = make;
  }

  get generation(): Uint8Array {
    return this.#generation;
  }

  renew(): Uint8Array {
    this.#generation = this.#make();
    return this.#generation;
  }
}

/** Secrets in the memory of a program. */
export class Secrets extends Hidden implements ServerSecrets {
  readonly getPort: Uint8Array;
  readonly key: Uint8Array;
  readonly own: OwnGeneration;

  /** @param keep makes bytes with a new generation durable; what it throws leaves the old one */
  constructor(
    { getPort, key, generation }: SecretBytes,
    random: (bytes: number) => Uint8Array,
    keep: (bytes: SecretBytes) => void = () => undefined,
  ) {
    super();
    this.getPort = getPort;
    this.key = key;
    this.own = new KeptGeneration(generation, () => {
      const renewed = random(KEYED_GENERATION_BYTES);
      keep({ getPort, key, generation: renewed });
      return renewed;
    });
  }
}

/** Secrets that end with the program. */
export const passingSecrets = (random: (bytes: number) => Uint8Array): Secrets =>
  new Secrets(newSecrets(random), random);

/** The document of a secret file. */
export function secretsText({ getPort, key, generation }: SecretBytes): string {
  const document = { schema, getPort: toHex(getPort), key: toHex(key), generation: toHex(generation) };
  return `${JSON.stringify(document)}\n`;
}

/** What a secret file says, or undefined when it is none. */
export function parseSecrets(text: string): SecretBytes | undefined {
  let document: Readonly<Record<string, unknown>>;
  try {
    document = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  const field = (name: string, length: number): Uint8Array | undefined => {
    const value = document[name];
    const bytes = typeof value === "string" ? fromHex(value) : undefined;
    return bytes?.length === length ? bytes : undefined;
  };
  const getPort = field("getPort", PORT_BYTES);
  const key = field("key", KEYED_KEY_BYTES);
  const generation = field("generation", KEYED_GENERATION_BYTES);
  if (document.schema !== schema || getPort === undefined || key === undefined || generation === undefined)
    return undefined;
  return { getPort, key, generation };
}
