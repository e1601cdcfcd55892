// The keys of a machine's secure links: a private key in a file of its owner's alone, and public
// keys as text that is handed to the other ends.
//
// - A key is 32 bytes, in text 43 characters of base64url. The file has the private one, in one
//   line; it is made with mode 0600 and never written over.
// - A file that others may read or change is refused: what was in it is no secret any more.

import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { type KeyPair, keyBytes, keyPairOf, newKeyPair, secretOf } from "./noise.js";

const fileBytesMax = 256;
const otherPeople = 0o077;
const keyText = /^[A-Za-z0-9_-]{43}$/;

/** A key file cannot be used; `code` is stable, `hint` is a line for people. */
export class LinkKeyError extends Error {
  override readonly name = "LinkKeyError";

  constructor(
    readonly code: "LINK_KEY_FILE" | "LINK_KEY_EXISTS",
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** 32 bytes of a text; null when it is no key. */
export function parseKey(text: string): Buffer | null {
  if (!keyText.test(text)) return null;
  const key = Buffer.from(text, "base64url");
  return key.length === keyBytes && key.toString("base64url") === text ? key : null;
}

/** A key as text. */
export const keyTextOf = (key: Uint8Array): string => Buffer.from(key).toString("base64url");

/** Makes a pair of keys and its file. Throws LinkKeyError; nothing is written over. */
export function makeKeyFile(path: string): KeyPair {
  const pair = newKeyPair();
  let fd: number;
  try {
    fd = openSync(path, "wx", 0o600);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new LinkKeyError(
        "LINK_KEY_EXISTS",
        `${path} is there already; it was left as it is`,
        "name another file; `proteus link public FILE` shows the public key of one that is there",
        { cause },
      );
    throw new LinkKeyError("LINK_KEY_FILE", (cause as Error).message, "name a file that you may make", {
      cause,
    });
  }
  try {
    fchmodSync(fd, 0o600); // whatever the umask takes or leaves
    writeSync(fd, `${keyTextOf(secretOf(pair))}\n`);
    fsyncSync(fd);
  } catch (cause) {
    unlinkSync(path);
    throw new LinkKeyError("LINK_KEY_FILE", (cause as Error).message, "see whether the disk is full", {
      cause,
    });
  } finally {
    closeSync(fd);
  }
  return pair;
}

/** The pair of a key file. Throws LinkKeyError. */
export function readKeyFile(path: string): KeyPair {
  const refuse = (why: string, hint: string, cause?: unknown): LinkKeyError =>
    new LinkKeyError("LINK_KEY_FILE", `the key file ${path} cannot be used: ${why}`, hint, { cause });
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw refuse((cause as Error).message, `make one: proteus link key ${path}`, cause);
  }
  try {
    if ((fstatSync(fd).mode & otherPeople) !== 0)
      throw refuse("others may read or change it", `make a new one, and mind its mode: chmod 600 ${path}`);
    const bytes = Buffer.alloc(fileBytesMax);
    const text = bytes.toString("latin1", 0, readSync(fd, bytes)).trim();
    const secret = parseKey(text);
    if (secret === null) throw refuse("there is no key in it", "make one: proteus link key FILE");
    return keyPairOf(secret);
  } finally {
    closeSync(fd);
  }
}
