// If one of these fails, a private key may be read by others, or is lost when one is made twice.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { keyTextOf, makeKeyFile, parseKey, readKeyFile } from "../../../../drivers/secure-link/keys.js";

const folder = mkdtempSync(join(tmpdir(), "keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "link.key");

describe("a key file", () => {
  it("is its owner's alone, whatever the umask is, and gives the same pair again", () => {
    const before = process.umask(0);
    const made = makeKeyFile(path);
    process.umask(before);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readKeyFile(path).publicKey).toEqual(made.publicKey);
    expect(readFileSync(path, "utf8")).not.toContain(keyTextOf(made.publicKey));
  });

  it("is never written over", () => {
    const text = readFileSync(path, "utf8");
    expect(() => makeKeyFile(path)).toThrow(expect.objectContaining({ code: "LINK_KEY_EXISTS" }));
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("is refused when others may read it, when there is no key in it, and when it is not there", () => {
    chmodSync(path, 0o640);
    expect(() => readKeyFile(path)).toThrow(/others may read/);
    const empty = join(folder, "empty");
    writeFileSync(empty, "no key\n", { mode: 0o600 });
    for (const wrong of [empty, join(folder, "missing")])
      expect(() => readKeyFile(wrong)).toThrow(expect.objectContaining({ code: "LINK_KEY_FILE" }));
  });
});

describe("a key as text", () => {
  it("is 43 characters that mean 32 bytes, and nothing else", () => {
    const key = Buffer.alloc(32, 7);
    expect(parseKey(keyTextOf(key))).toEqual(key);
    for (const wrong of ["", "A".repeat(42), "A".repeat(44), `${"A".repeat(42)}B`, `${"A".repeat(42)}+`])
      expect(parseKey(wrong)).toBeNull();
  });
});
