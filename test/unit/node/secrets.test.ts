// If one of these fails, a server's secret is open to others, is lost or half-written, or shows
// up where nobody asked for it. Kills at every step: test/end-to-end/secrets-crash.test.ts.

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  newSecrets,
  parseSecrets,
  passingSecrets,
  secretsText,
} from "../../../control/capability/secrets.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { openSecrets, readSecrets, secretPath } from "../../../control/node/secrets.js";

const random = (bytes: number): Uint8Array => Uint8Array.from(randomBytes(bytes));
let folder: string;
let path: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "proteus-secrets-")), "state", "secrets");
  path = secretPath(folder, "bullet");
});
afterEach(() => rmSync(join(folder, "..", ".."), { recursive: true, force: true }));

const open = () => openSecrets(folder, "bullet", random);
const fault = (act: () => unknown): { code?: string; message?: string; why?: string; exit?: number } => {
  try {
    act();
  } catch (error) {
    return error as object;
  }
  return {};
};
const mode = (file: string): number => statSync(file).mode & 0o777;

describe("the secrets of a server", () => {
  it("are made once, for their owner alone, and the same each time", () => {
    const made = open();
    expect([made.getPort.length, made.key.length, made.own.generation.length]).toEqual([6, 32, 8]);
    expect([mode(path), mode(folder)]).toEqual([0o600, 0o700]);
    const again = open();
    expect([again.getPort, again.key, again.own.generation]).toEqual([
      made.getPort,
      made.key,
      made.own.generation,
    ]);
    expect(openSecrets(folder, "directory", random).key).not.toEqual(made.key);
  });

  it.each([0o640, 0o604, 0o620, 0o601])("are refused when the file has mode %o", (bits) => {
    open();
    chmodSync(path, bits);
    const before = readFileSync(path, "utf8");
    expect(fault(open)).toMatchObject({ code: "SECRET_FILE", exit: 4 });
    expect(fault(() => readSecrets(path)).why).toContain("others than its owner");
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it.each([0o750, 0o705, 0o770])("are refused when the folder has mode %o", (bits) => {
    open();
    chmodSync(folder, bits);
    expect(fault(open)).toMatchObject({ code: "SECRET_FILE", exit: 4 });
  });

  it("are never taken from where a link points", () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const elsewhere = join(folder, "elsewhere");
    writeFileSync(elsewhere, secretsText(newSecrets(random)), { mode: 0o600 });
    symlinkSync(elsewhere, path);
    expect(fault(open).code).toBe("SECRET_FILE");
  });

  it("that cannot be read stay as they are", () => {
    open();
    const whole = readFileSync(path, "utf8");
    for (const text of ["", "{}", "null", whole.slice(0, -10), whole.replace(/"schema":1/, '"schema":2')]) {
      writeFileSync(path, text);
      const refusal = fault(open);
      expect(refusal).toMatchObject({ code: "SECRET_FILE", exit: 1 });
      expect(readFileSync(path, "utf8")).toBe(text);
    }
    writeFileSync(path, "x".repeat(5000));
    expect(fault(open).code).toBe("SECRET_FILE");
  });

  it("say what is missing, and make nothing, when they are only read", () => {
    expect(fault(() => readSecrets(path))).toMatchObject({ code: "SECRET_FILE", exit: 3 });
    expect(existsSync(folder)).toBe(false);
  });

  it("take a new generation that is there the next time, with the same port and key", () => {
    const secrets = open();
    const before = secrets.own.generation;
    const after = secrets.own.renew();
    expect(after).not.toEqual(before);
    expect(secrets.own.generation).toEqual(after);
    const again = open();
    expect([again.own.generation, again.getPort, again.key]).toEqual([after, secrets.getPort, secrets.key]);
    expect(mode(path)).toBe(0o600);
  });

  it("keep the old generation when the new one cannot be written", () => {
    const secrets = open();
    const before = secrets.own.generation;
    rmSync(folder, { recursive: true });
    expect(fault(() => secrets.own.renew()).code).toBe("SECRET_FILE");
    expect(secrets.own.generation).toEqual(before);
  });

  it("leave nothing of programs that were killed", () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new.1`, "half", { mode: 0o600 });
    open();
    expect(readdirSync(folder)).toEqual(["bullet.secret"]);
  });

  it("do not show when somebody prints what holds them", () => {
    for (const secrets of [open(), passingSecrets(random)]) {
      const shown = [
        ...[inspect(secrets, { depth: 9, showHidden: true }), JSON.stringify(secrets), String(secrets)],
        ...[inspect({ own: secrets.own }, { depth: 9 }), JSON.stringify([secrets.own]), `${secrets.own}`],
      ].join("\n");
      for (const bytes of [secrets.getPort, secrets.key, secrets.own.generation]) {
        expect(shown).not.toContain(toHex(bytes));
        expect(shown).not.toContain([...bytes].join(", "));
      }
      expect(shown).toContain("[secret]");
    }
  });

  it("do not show in the words of an error", () => {
    const { key, getPort } = open();
    chmodSync(path, 0o644);
    const words = inspect(fault(open), { depth: 9 });
    for (const bytes of [key, getPort]) expect(words).not.toContain(toHex(bytes));
  });

  it("come back from their text, and from nothing else", () => {
    const bytes = newSecrets(random);
    expect(parseSecrets(secretsText(bytes))).toEqual(bytes);
    expect(parseSecrets(secretsText({ ...bytes, key: bytes.key.subarray(1) }))).toBeUndefined();
    expect(parseSecrets("[]")).toBeUndefined();
  });
});
