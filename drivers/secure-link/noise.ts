// The Noise handshake IK with X25519, ChaCha20-Poly1305 and BLAKE2s, on the primitives of
// node:crypto: two machines that know each other's public keys agree on two keys, one a direction.
//
// - Exactly the Noise Protocol Framework, revision 34 (noiseprotocol.org): sections 5 and 7.5.
//
//     IK:  <- s   …   -> e, es, s, ss   <- e, ee, se
//
// - The initiator must know whom it calls; the responder learns who calls from the first message
//   and has to judge it by `remoteStatic`. The names of both hashes are for the published vectors.
// - What does not decrypt throws a NoiseError.
// - Nothing here sends, waits or knows the time.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

export const keyBytes = 32;
export const tagBytes = 16;
/** What the two messages of the handshake have beyond their payloads. */
export const firstMessageBytes = keyBytes + keyBytes + 2 * tagBytes;
export const secondMessageBytes = keyBytes + tagBytes;

/** A message is not from whom it should be, or not whole. */
export class NoiseError extends Error {
  override readonly name = "NoiseError";
}

/** A pair of X25519 keys. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

const pkcs8 = Buffer.from("302e020100300506032b656e04220420", "hex");
const spki = Buffer.from("302a300506032b656e032100", "hex");

function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" }).subarray(spki.length);
}

/** The pair of a private key of 32 bytes. */
export function keyPairOf(secret: Uint8Array): KeyPair {
  if (secret.length !== keyBytes) throw new RangeError(`a key has ${keyBytes} bytes`);
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8, secret]), format: "der", type: "pkcs8" });
  return { privateKey, publicKey: rawPublic(createPublicKey(privateKey)) };
}

/** A new pair. */
export function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("x25519");
  return { privateKey, publicKey: rawPublic(publicKey) };
}

/** The 32 bytes of a private key. */
export function secretOf({ privateKey }: KeyPair): Buffer {
  return privateKey.export({ format: "der", type: "pkcs8" }).subarray(pkcs8.length);
}

function shared({ privateKey }: KeyPair, peer: Uint8Array): Buffer {
  try {
    const publicKey = createPublicKey({ key: Buffer.concat([spki, peer]), format: "der", type: "spki" });
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    throw new NoiseError("a public key that gives no secret", { cause }); // a point of small order
  }
}

function nonceOf(counter: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(counter), 4);
  return nonce;
}

/** ChaCha20-Poly1305: the ciphertext and its tag. */
export function seal(key: Uint8Array, counter: number, data: Uint8Array, text: Uint8Array): Buffer {
  const cipher = createCipheriv("chacha20-poly1305", key, nonceOf(counter), { authTagLength: tagBytes });
  if (data.length > 0) cipher.setAAD(data, { plaintextLength: text.length });
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** The text behind what `seal` made; null when it is not authentic. */
export function unseal(
  key: Uint8Array,
  counter: number,
  data: Uint8Array,
  sealed: Uint8Array,
): Buffer | null {
  const length = sealed.length - tagBytes;
  if (length < 0) return null;
  const cipher = createDecipheriv("chacha20-poly1305", key, nonceOf(counter), { authTagLength: tagBytes });
  if (data.length > 0) cipher.setAAD(data, { plaintextLength: length });
  cipher.setAuthTag(sealed.subarray(length));
  try {
    return Buffer.concat([cipher.update(sealed.subarray(0, length)), cipher.final()]);
  } catch {
    return null;
  }
}

export type NoiseHash = "BLAKE2s" | "SHA256";
const algorithms = { BLAKE2s: "blake2s256", SHA256: "sha256" } as const;

/** The chaining key, the hash of all so far, and the key of the handshake's own messages. */
class Symmetric {
  readonly #name: NoiseHash;
  readonly #algorithm: string;
  #chaining: Buffer;
  #hash: Buffer;
  #key: Buffer | null = null;
  #counter = 0;

  constructor(hash: NoiseHash) {
    this.#name = hash;
    this.#algorithm = algorithms[hash];
    const name = Buffer.from(`Noise_IK_25519_ChaChaPoly_${hash}`);
    this.#hash =
      name.length > keyBytes ? this.#digest(name) : Buffer.concat([name, Buffer.alloc(keyBytes)], keyBytes);
    this.#chaining = this.#hash;
  }

  /** The same state, to go on with elsewhere. */
  copy(): Symmetric {
    const copy = new Symmetric(this.#name);
    copy.#chaining = this.#chaining;
    copy.#hash = this.#hash;
    copy.#key = this.#key;
    copy.#counter = this.#counter;
    return copy;
  }

  #digest(...parts: readonly Uint8Array[]): Buffer {
    const hash = createHash(this.#algorithm);
    for (const part of parts) hash.update(part);
    return hash.digest();
  }

  #derive(material: Uint8Array): readonly [Buffer, Buffer] {
    const mac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer => {
      const hmac = createHmac(this.#algorithm, key);
      for (const part of parts) hmac.update(part);
      return hmac.digest();
    };
    const start = mac(this.#chaining, material);
    const first = mac(start, Uint8Array.of(1));
    return [first, mac(start, first, Uint8Array.of(2))];
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#digest(this.#hash, data);
  }

  mixKey(material: Uint8Array): void {
    [this.#chaining, this.#key] = this.#derive(material);
    this.#counter = 0;
  }

  encrypt(text: Uint8Array): Buffer {
    const sealed =
      this.#key === null ? Buffer.from(text) : seal(this.#key, this.#counter++, this.#hash, text);
    this.mixHash(sealed);
    return sealed;
  }

  decrypt(sealed: Uint8Array): Buffer {
    const text =
      this.#key === null ? Buffer.from(sealed) : unseal(this.#key, this.#counter++, this.#hash, sealed);
    if (text === null) throw new NoiseError("a message of the handshake is not authentic");
    this.mixHash(sealed);
    return text;
  }

  split(): readonly [Buffer, Buffer] {
    return this.#derive(new Uint8Array(0));
  }
}

export interface HandshakeOptions {
  readonly own: KeyPair;
  /** What both ends must have in mind alike. */
  readonly prologue: Uint8Array;
  readonly ephemeral?: KeyPair;
  readonly hash?: NoiseHash;
}

/** The keys that a handshake ends with. */
export interface TransportKeys {
  readonly send: Buffer;
  readonly receive: Buffer;
}

/** The end that begins. */
export class Initiator {
  #symmetric: Symmetric;
  readonly #own: KeyPair;
  readonly #ephemeral: KeyPair;
  readonly #peer: Uint8Array;

  constructor({ own, prologue, ephemeral, hash = "BLAKE2s" }: HandshakeOptions, peer: Uint8Array) {
    this.#own = own;
    this.#peer = peer;
    this.#ephemeral = ephemeral ?? newKeyPair();
    this.#symmetric = new Symmetric(hash);
    this.#symmetric.mixHash(prologue);
    this.#symmetric.mixHash(peer);
  }

  /** The first message. */
  write(payload: Uint8Array): Buffer {
    const symmetric = this.#symmetric;
    symmetric.mixHash(this.#ephemeral.publicKey);
    symmetric.mixKey(shared(this.#ephemeral, this.#peer));
    const key = symmetric.encrypt(this.#own.publicKey);
    symmetric.mixKey(shared(this.#own, this.#peer));
    return Buffer.concat([this.#ephemeral.publicKey, key, symmetric.encrypt(payload)]);
  }

  /** Takes the second message and gives its payload. Throws NoiseError; the true one may still come. */
  read(message: Uint8Array): Buffer {
    if (message.length < secondMessageBytes) throw new NoiseError("the answer is too short");
    const symmetric = this.#symmetric.copy();
    const ephemeral = message.subarray(0, keyBytes);
    symmetric.mixHash(ephemeral);
    symmetric.mixKey(shared(this.#ephemeral, ephemeral));
    symmetric.mixKey(shared(this.#own, ephemeral));
    const payload = symmetric.decrypt(message.subarray(keyBytes));
    this.#symmetric = symmetric;
    return payload;
  }

  keys(): TransportKeys {
    const [send, receive] = this.#symmetric.split();
    return { send, receive };
  }
}

/** The end that answers. */
export class Responder {
  readonly #symmetric: Symmetric;
  readonly #own: KeyPair;
  readonly #ephemeral: KeyPair;
  #peerEphemeral: Uint8Array = new Uint8Array(0);
  #peer: Buffer = Buffer.alloc(0);

  constructor({ own, prologue, ephemeral, hash = "BLAKE2s" }: HandshakeOptions) {
    this.#own = own;
    this.#ephemeral = ephemeral ?? newKeyPair();
    this.#symmetric = new Symmetric(hash);
    this.#symmetric.mixHash(prologue);
    this.#symmetric.mixHash(own.publicKey);
  }

  /** Who began; after `read`. */
  get remoteStatic(): Buffer {
    return this.#peer;
  }

  /** Takes the first message and gives its payload. Throws NoiseError. */
  read(message: Uint8Array): Buffer {
    if (message.length < firstMessageBytes) throw new NoiseError("the first message is too short");
    const symmetric = this.#symmetric;
    this.#peerEphemeral = message.slice(0, keyBytes);
    symmetric.mixHash(this.#peerEphemeral);
    symmetric.mixKey(shared(this.#own, this.#peerEphemeral));
    const payloadAt = 2 * keyBytes + tagBytes;
    this.#peer = symmetric.decrypt(message.subarray(keyBytes, payloadAt));
    symmetric.mixKey(shared(this.#own, this.#peer));
    return symmetric.decrypt(message.subarray(payloadAt));
  }

  /** The second message. */
  write(payload: Uint8Array): Buffer {
    const symmetric = this.#symmetric;
    symmetric.mixHash(this.#ephemeral.publicKey);
    symmetric.mixKey(shared(this.#ephemeral, this.#peerEphemeral));
    symmetric.mixKey(shared(this.#ephemeral, this.#peer));
    return Buffer.concat([this.#ephemeral.publicKey, symmetric.encrypt(payload)]);
  }

  keys(): TransportKeys {
    const [receive, send] = this.#symmetric.split();
    return { send, receive };
  }
}
