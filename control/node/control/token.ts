// The token of a daemon's TLS address, and its certificate: read from files, never from a
// command line, and never written to a log.
//
// - A token file that others may read is refused: it would be no secret.
// - Compared by hashes in constant time: neither its length nor its beginning leaks.

import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { unreadable } from "../../kernel/file-errors.js";

export const tokenCharactersMin = 16;
const tokenBytesMax = 4096;

const makeToken = (path: string): string => `(umask 077; openssl rand -hex 32 > ${path})`;

function refused(path: string, why: string, hint: string, cause?: unknown): ProteusError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new ProteusError({
    code: "CONTROL_TOKEN_FILE",
    exit: code === "EACCES" ? exitCodes.denied : code === "ENOENT" ? exitCodes.notFound : exitCodes.usage,
    message: `the token file ${path} cannot be used`,
    why,
    unchanged: "nothing was started or sent",
    hint,
    cause,
  });
}

/** The token in a file, without blanks around it. Throws CONTROL_TOKEN_FILE. */
export function readToken(path: string): string {
  let text: string;
  try {
    const { mode, size } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw refused(
        path,
        "others than its owner may read or write it, so it is no secret",
        `make a new one: ${makeToken(path)}`,
      );
    if (size > tokenBytesMax)
      throw refused(path, `it has more than ${tokenBytesMax} bytes`, `make one: ${makeToken(path)}`);
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    if (cause instanceof ProteusError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw refused(path, why, `make one: ${makeToken(path)}`, cause);
  }
  if (!/^[\x21-\x7e]+$/.test(text) || text.length < tokenCharactersMin)
    throw refused(
      path,
      `a token is one line of ${tokenCharactersMin} characters or more, without blanks`,
      `make one: ${makeToken(path)}`,
    );
  return text;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Says of an Authorization header whether it has the token. */
export function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const right = digest(`Bearer ${token}`);
  return (authorization = "") => timingSafeEqual(digest(authorization), right);
}

/** What makes a certificate for a first try. */
const makeCertificate = (host: string): string =>
  `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=proteus ` +
  `-addext subjectAltName=${/^[\d.]+$|:/.test(host) ? "IP" : "DNS"}:${host} -keyout control.key -out control.crt`;

export interface TlsFiles {
  /** Where it shall listen, for the hint. */
  readonly host: string;
  readonly certificate: string;
  readonly key: string;
  readonly token: string;
}

/** What the TLS address needs, read and checked. Throws CONTROL_TLS, CONTROL_TOKEN_FILE. */
export function readTls({ host, certificate, key, token }: TlsFiles): {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly token: string;
} {
  const missing = [
    ...(certificate === "" ? ["control.tls_cert (--tls-cert)"] : []),
    ...(key === "" ? ["control.tls_key (--tls-key)"] : []),
    ...(token === "" ? ["control.token_file (--token-file)"] : []),
  ];
  if (missing.length > 0)
    throw new ProteusError({
      code: "CONTROL_TLS",
      exit: exitCodes.usage,
      message: "the daemon listens to other machines only with TLS and a token",
      why: `not set: ${missing.join(", ")}`,
      unchanged: "nothing was started",
      hint: `${makeCertificate(host)}; ${makeToken("control.token")}`,
    });
  const read = (path: string, what: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw unreadable(`the ${what} ${path}`, cause, {
        code: "CONTROL_TLS",
        unchanged: "nothing was started",
        hint: makeCertificate(host),
      });
    }
  };
  return { cert: read(certificate, "certificate"), key: read(key, "key"), token: readToken(token) };
}
