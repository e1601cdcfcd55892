// If one of these fails, a script that reads a command's output or exit code breaks.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../control/kernel/bytes.js";
import { openSecrets } from "../../../control/node/secrets.js";
import { proteus } from "./command.js";

describe("proteus port public", () => {
  it("shows put-ports as JSON", async () => {
    const { stdout, exit } = await proteus("port", "public", "010000000000", "abcdef", "--json");
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      ports: [
        { private: "010000000000", public: "0f8905c8feff" },
        { private: "616263646566", public: "e4b2c2985455" },
      ],
    });
    expect(exit).toBe(0);
  });

  it("refuses what is no port, says so, and prints no half result", async () => {
    const { stdout, stderr, exit } = await proteus("port", "public", "010000000000", "toolong");
    expect(exit).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain('"toolong" is not a port');
  });
});

describe("proteus capability", () => {
  const random = ["--random", "1125f2c66632"];
  const owner = { schema: 1, private: "110000ff1125f2c66632", object: 17, rights: 255, valid: true };
  const reader = { schema: 1, private: "11000001615faac64289", object: 17, rights: 1, valid: true };

  it("encodes", async () => {
    const { stdout } = await proteus(
      "capability",
      "encode",
      "--object",
      "17",
      "--rights",
      "0xff",
      ...random,
      "--json",
    );
    expect(JSON.parse(stdout)).toEqual(owner);
  });

  it("restricts, to what decodes as valid", async () => {
    const restricted = await proteus(
      "capability",
      "restrict",
      "--private",
      owner.private,
      ...random,
      "--mask",
      "0x01",
      "--json",
    );
    expect(JSON.parse(restricted.stdout)).toEqual(reader);
    const decoded = await proteus("capability", "decode", "--private", reader.private, ...random, "--json");
    expect(JSON.parse(decoded.stdout)).toEqual(reader);
  });

  it("does not claim to have verified without the random number", async () => {
    const { stdout, exit } = await proteus("capability", "decode", "--private", reader.private, "--json");
    expect(JSON.parse(stdout)).toEqual({ ...reader, valid: null });
    expect(exit).toBe(0);
  });

  it("exits with 4 and valid: false for a forged right", async () => {
    const forged = owner.private.replace("ff1125", "011125");
    for (const command of [["decode"], ["restrict", "--mask", "1"]]) {
      const { stdout, stderr, exit } = await proteus(
        "capability",
        ...command,
        "--private",
        forged,
        ...random,
        "--json",
      );
      expect(JSON.parse(stdout)).toMatchObject({ rights: 1, valid: false });
      expect(JSON.parse(stderr)).toMatchObject({ schema: 1, error: { code: "STD_DENIED" } });
      expect(exit).toBe(4);
    }
  });

  it.each([
    ["a right too many", ["encode", "--object", "1", "--rights", "256", ...random]],
    ["a short random number", ["encode", "--object", "1", "--rights", "1", "--random", "1125"]],
    ["a null random number", ["encode", "--object", "1", "--rights", "1", "--random", "000000000000"]],
    ["no random number", ["encode", "--object", "1", "--rights", "1"]],
    ["a private part that is none", ["decode", "--private", "xyz"]],
    ["no subcommand", []],
  ])("takes %s for wrong usage", async (_, words) => {
    const { stdout, stderr, exit } = await proteus("capability", ...words);
    expect(exit).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^(proteus: |Usage: )/);
  });
});

describe("the program", () => {
  it("suggests the command that was meant", async () => {
    const { stderr, exit } = await proteus("porrt");
    expect(exit).toBe(2);
    expect(stderr).toContain("unknown command 'porrt'");
    expect(stderr).toContain("Did you mean port?");
  });

  it("reports usage errors as JSON when JSON was asked for", async () => {
    const { stderr, exit } = await proteus("port", "public", "--json", "--wrong");
    expect(JSON.parse(stderr)).toMatchObject({ schema: 1, error: { code: "USAGE", exit: 2 } });
    expect(exit).toBe(2);
  });

  it.each([["--help"], ["help"], ["help", "port"], ["port", "public", "--help"]])(
    "gives help for %s %s",
    async (...words) => {
      const { stdout, exit } = await proteus(...words.filter((word) => word !== undefined));
      expect(stdout).toContain("Usage: proteus");
      expect(exit).toBe(0);
    },
  );

  it("has its version from package.json", async () => {
    const { stdout } = await proteus("--version");
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("proteus port secret", () => {
  it("prints the secrets in a file, and refuses one that others may read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "proteus-port-"));
    try {
      const { getPort, key } = openSecrets(join(folder, "secrets"), "bullet", randomBytes);
      const path = join(folder, "secrets", "bullet.secret");
      const { stdout, exit } = await proteus("port", "secret", path, "--json");
      expect(exit).toBe(0);
      const shown = JSON.parse(stdout);
      expect(shown).toMatchObject({ schema: 1, private: toHex(getPort), key: toHex(key) });
      const { stdout: put } = await proteus("port", "public", shown.private);
      expect(put).toContain(shown.public);
      chmodSync(path, 0o640);
      const refused = await proteus("port", "secret", path);
      expect([refused.exit, refused.stdout]).toEqual([4, ""]);
      expect(refused.stderr).toContain("others than its owner");
      expect((await proteus("port", "secret", join(folder, "none.secret"))).exit).toBe(3);
      expect((await proteus("port", "secret", "n1:")).exit).toBe(2);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
